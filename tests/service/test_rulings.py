"""Rulings over HTTP and on the command line: one JSON, Chinese errors that point to the fact, nothing written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from intake.errors import ZhipaiError
from rules import RuleEngine
from rules.fact_dictionary import fact_dictionary
from rules.vocabulary import GATES
from service.api.ruling_examples import EXAMPLES
from service.cli.main import main
from service.db.engine import make_engine
from service.db.tables import Base
from service.publication import Order, check_folder, publish
from service.rule_catalogue import describe_facts
from service.rulings import RulingRequest, gather_facts, rules_and_calendar, served_pack
from service.settings import Settings
from service.snapshot import Snapshot

AS_OF = "2026-05-06T09:30:00+08:00"
DESIGNATED = {"return_requested": True, "designated_by_ruling": True}


PUBLISHED = {
    "pack.yaml": "name: jinan\ntitle: 济南市\njurisdiction: 济南市\n",
    "clauses.yaml": """
- id: town-2020
  document: 某镇热线办法
  source: T01
  effective_from: 2020-01-01
  clauses: [{id: "1", article: 第一条, confidence: 原文已读, summary: 摘要。}]
""",
    "return.yaml": """
- id: JN-RET-901
  title: 退回须审核
  gate: return
  when: {fact: return_requested, is: true}
  verdict: require
  severity: info
  disposition: {action: 进入审核, tell: ""}
  clause: "town-2020#1"
""",
    "tests/return.yaml": """
- {name: 退回, as_of: 2026-05-06, facts: {return_requested: true}, expect: {JN-RET-901: hit}, clause: "town-2020#1"}
- {name: 不退, as_of: 2026-05-06, facts: {return_requested: false}, expect: {JN-RET-901: pass}, clause: "town-2020#1"}
- {name: 缺, as_of: 2026-05-06, facts: {}, expect: {JN-RET-901: not_evaluated}, clause: "town-2020#1"}
""",
}


def ask(client: TestClient, gate: str, query: str = "", **body: object):
    return client.post(f"/v1/rulings/{gate}{query}", json={"as_of": AS_OF} | body)


def test_a_ruling_over_http(client: TestClient) -> None:
    answer = ask(client, "return", pack="weifang", facts=DESIGNATED, order_id="T-1")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["order_id"], body["answer"], body["answer_text"]) == ("T-1", "forbidden", "不得")
    assert body["decided_by"] == ["WF-RET-002"]
    assert body["counterfactual"]["changes"][0] == {
        "fact": "designated_by_ruling",
        "label": "承办单位是经研究确定或直接指定的",
        "from": True,
        "to": False,
    }
    assert body["snapshot"]["rules"].startswith("weifang@")
    assert "pass" not in {one["state"] for one in body["verdicts"]}
    assert answer.content == ask(client, "return", pack="weifang", facts=DESIGNATED, order_id="T-1").content


def test_all_verdicts_on_request(client: TestClient) -> None:
    body = ask(client, "return", "?verdicts=all", facts={"return_requested": False}).json()
    assert {one["state"] for one in body["verdicts"]} >= {"pass"}
    assert body["answer"] == "silent"


def test_the_engine_in_use_answers_for_the_pack_in_use(client: TestClient, snapshot: Snapshot) -> None:
    used = ask(client, "return", facts=DESIGNATED).json()
    assert used["engine"] == snapshot.rules.kind
    assert used["snapshot"] == {"rules": snapshot.ids.rules, "calendar": snapshot.ids.calendar}
    other = ask(client, "extension", pack="jinan", facts={"extension_workdays": 12}).json()
    assert other["engine"] == "python" and other["snapshot"]["rules"].startswith("jinan@")


@pytest.mark.parametrize(
    ("gate", "body", "code", "where", "said"),
    [
        ("退回", {}, "E3204", "", "return"),
        ("return", {"pack": "weifan"}, "E6701", "/pack", "是不是“weifang”"),
        ("return", {"pack": "../../etc"}, "E6701", "/pack", "可用的有"),
        ("return", {"facts": {"return_request": True}}, "E3202", "/facts/return_request", "是不是“return_requested”"),
        ("return", {"facts": {"return_requested": "是"}}, "E3203", "/facts/return_requested", "true 或 false"),
        ("return", {"facts": {"return_requested": [1]}}, "E3203", "/facts/return_requested", "list"),
        ("return", {"facts": {"dispatched_at": "2026-05-05T09:00:00"}}, "E3203", "/facts/dispatched_at", "时区"),
        ("return", {"facts": {"dispatched_at": "9999-12-31T23:00:00-12:00"}}, "E6704", "", "年份"),
        ("return", {"as_of": "0001-01-01T00:00:00+14:00"}, "E6704", "", "年份"),
        ("return", {"as_of": "2026-05-05T09:00:00"}, "E6502", "/as_of", "时区"),
        ("return", {"facts": {"kind": "投诉"}, "kind": "咨询"}, "E6702", "/facts/kind", "只写一处"),
        ("return", {"urgency": "马上"}, "E3203", "/facts/urgency", "特急"),
        ("closure", {"return_reason": "不属于我单位"}, "E6703", "/return_reason", "return"),
        ("return", {"colour": "red"}, "E6502", "/colour", "拼写"),
        ("return", {"facts": {f"f{number}": 1 for number in range(501)}}, "E6502", "/facts", "500"),
        ("return", {"facts": []}, "E6502", "/facts", "JSON 对象"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_is_told_in_chinese(client: TestClient, gate, body, code, where, said) -> None:
    answer = ask(client, gate, **body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code)
    assert problem["where"] == where
    assert said in problem["detail"]
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "content",
    [
        '{"facts": {"\\ud83d": true}}',
        '{"facts": {"channel": "\\ud83d"}}',
        '{"facts": {"text_length": 1e400}}',
        '{"facts": {"text_length": NaN}}',
        '{"facts": {"text_length": ' + "9" * 400 + "}}",
        '{"facts": {"years_since_known": ' + "9" * 400 + "}}",
        '{"facts": {"years_since_known": 1e400}}',
    ],
)
def test_broken_values_are_refused_and_break_nothing(client: TestClient, content: str) -> None:
    answer = client.post("/v1/rulings/acceptance", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] in ("E3202", "E3203")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_documentation_are_answered(client: TestClient, name: str) -> None:
    gate = EXAMPLES[name]["summary"].split("（")[1].split("）")[0]
    answer = client.post(f"/v1/rulings/{gate}", json=EXAMPLES[name]["value"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["verdicts"]


def test_the_reason_gives_hints_and_is_not_kept(client: TestClient) -> None:
    reason = "职能不符，建议转派。独一无二的退回理由甲乙丙"
    answer = ask(client, "return", facts={"return_requested": True}, return_reason=reason)
    assert answer.json()["facts"]["return_reason_length"] == len(reason)
    assert "甲乙丙" not in answer.text
    given = ask(client, "return", facts={"return_reason_length": 3}, return_reason=reason).json()
    assert given["facts"]["return_reason_length"] == 3


def test_the_words_of_the_order_need_not_be_supplied_as_facts(client: TestClient) -> None:
    text = "在超市买的奶粉过期了，商家不给退货退款，要求赔偿"
    facts = {"return_requested": True}
    bare = client.post("/v1/rulings/return", json={"facts": facts}).json()
    told = client.post("/v1/rulings/return", json={"facts": facts, "text": text}).json()
    assert "sector_consumer" in {one["name"] for one in bare["missing"]}
    assert told["facts"]["sector_consumer"] is True
    assert len(told["missing"]) < len(bare["missing"])
    assert "unit_dispute" not in told["facts"]
    assert text not in json.dumps(told, ensure_ascii=False)
    given = client.post("/v1/rulings/return", json={"facts": facts | {"sector_consumer": False}, "text": text}).json()
    assert given["facts"]["sector_consumer"] is False


def test_a_known_order_brings_its_words(client: TestClient) -> None:
    order = {"text": "在超市买的奶粉过期了，商家不给退货退款，要求赔偿", "order_id": "ruling-text-1"}
    assert client.post("/v1/triage", json=order).status_code == 200
    known = client.post("/v1/rulings/return", json={"order_id": "ruling-text-1"}).json()
    assert known["facts"]["sector_consumer"] is True
    assert client.post("/v1/rulings/return", json={"order_id": "somebody-elses"}).json()["facts"] == {}


def test_kind_and_urgency_are_facts(client: TestClient) -> None:
    body = ask(
        client,
        "return",
        pack="weifang",
        facts={"dispatched_at": "2026-05-05T09:00:00+08:00"},
        kind="投诉",
        urgency="一般",
    ).json()
    assert (body["facts"]["kind"], body["facts"]["urgency"]) == ("投诉", "一般")
    assert {one["stage"] for one in body["deadlines"]} >= {"resolve", "return"}


def test_nothing_is_written(client: TestClient) -> None:
    engine = client.app.state.runtime.engine  # type: ignore[attr-defined]

    def counts() -> dict[str, int]:
        with engine.connect() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in Base.metadata.sorted_tables
            }

    before = counts()
    ask(client, "return", facts=DESIGNATED, order_id="T-2")
    assert counts() == before


def test_the_dictionary_over_http(client: TestClient) -> None:
    body = client.get("/v1/rules/facts").json()
    assert [one["name"] for one in body["facts"]] == [fact.name for fact in fact_dictionary()]
    assert body["dictionary"] == fact_dictionary().id
    at_return = client.get("/v1/rules/facts?gate=return").json()["facts"]
    assert 0 < len(at_return) < len(body["facts"])
    assert all(not one["gates"] or "return" in one["gates"] for one in at_return)
    assert client.get("/v1/rules/facts?gate=退回").json()["code"] == "E3204"


def test_what_a_pack_holds(client: TestClient) -> None:
    body = client.get("/v1/rules?pack=weifang&gate=return").json()
    (rule,) = [one for one in body["rules"] if one["id"] == "WF-RET-002"]
    assert (rule["answer"], rule["in_force"], rule["effective_to"]) == ("forbidden", True, None)
    assert rule["clause"]["article"] == "第二十二条第二款"
    assert {one["gate"] for one in body["rules"]} == {"return"}
    assert "return_window" in {one["id"] for one in body["to_fill"]}
    (limit,) = [one for one in body["limits"] if one["id"] == "resolve"]
    assert limit["value"] == "5个工作日" and limit["clause"]
    assert {"name": "weifang", "in_use": True} in body["packs"]
    assert client.get("/v1/rules?pack=weifan").json()["code"] == "E6701"
    assert client.get("/v1/rules?gate=x").json()["code"] == "E3204"


def test_a_pack_is_named_and_never_a_path(snapshot: Snapshot, installed: Settings) -> None:
    in_use, engine, at = snapshot.rules.pack, make_engine(installed.url), datetime.fromisoformat(AS_OF)
    assert served_pack("", in_use, engine, at=at) is in_use is served_pack(in_use.name, in_use, engine, at=at)
    with pytest.raises(ZhipaiError, match="E6701"):
        served_pack(str(in_use.folder), in_use, engine, at=at)
    rules, calendar = rules_and_calendar("", snapshot, installed, engine, at=at)
    assert isinstance(rules, RuleEngine) and calendar is snapshot.calendar


def test_another_pack_is_read_in_the_version_of_that_instant(
    snapshot: Snapshot, config: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "jinan"
    (folder / "tests").mkdir(parents=True)
    for name, text in PUBLISHED.items():
        (folder / name).write_text(text, encoding="utf-8")
    engine, begins = make_engine(config.url), datetime.fromisoformat("2027-01-01T00:00:00+08:00")
    order = Order("法规科 1017", "换一个版本看看", begins)
    publish(engine, check_folder(str(folder)), order, software="test", at=begins - timedelta(days=30))

    def rules_at(at: datetime) -> set[str]:
        return {rule.id for rule in served_pack("jinan", snapshot.rules.pack, engine, at=at).rules}

    assert rules_at(begins) == {"JN-RET-901"}
    assert "JN-EXT-003" in rules_at(begins - timedelta(seconds=1))


def test_what_a_person_gave_goes_before_a_hint() -> None:
    request = RulingRequest("return", datetime.fromisoformat(AS_OF), {"return_reason_length": 9}, return_reason="忙")
    assert gather_facts(request)["return_reason_length"] == 9


def test_every_gate_has_facts() -> None:
    assert all(describe_facts(gate) for gate in GATES)


# ---- command line ----------------------------------------------------------------------------------------------------


class Zhipai:
    """The command line in this process: exit code, output and errors of each call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        self.monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self.monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        shown = self.capsys.readouterr()
        return int(left.value.code or 0), shown.out, shown.err


@pytest.fixture
def zhipai(installed: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Zhipai:
    return Zhipai(monkeypatch, capsys)


QUESTION = ("rules", "eval", "--pack", "weifang", "--gate", "return", "--as-of", AS_OF)


def test_the_command_prints_the_same_json(client: TestClient, zhipai: Zhipai, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(DESIGNATED), encoding="utf-8")
    code, shown, errors = zhipai(*QUESTION, "--facts", str(path), "--all", "--json")
    assert code == 0, errors
    assert json.loads(shown) == ask(client, "return", "?verdicts=all", facts=DESIGNATED).json()


def test_the_command_reads_standard_input_and_prints_tables(zhipai: Zhipai) -> None:
    code, shown, errors = zhipai(*QUESTION, "--facts", "-", stdin=json.dumps(DESIGNATED).encode())
    assert code == 0, errors
    assert shown.startswith("退回：不得（WF-RET-002）")
    for words in ("处置：", "如果“", "规则判定", "缺少的事实", "第二十二条第二款", "研判编号"):
        assert words in shown


def test_the_command_shows_what_is_to_be_filled_and_what_was_reckoned(zhipai: Zhipai) -> None:
    facts = {
        "return_requested": True,
        "designated_by_ruling": False,
        "dispatched_at": "2026-05-05T09:00:00+08:00",
        "return_requested_at": "2026-05-06T09:00:00+08:00",
    }
    pack = ("rules", "eval", "--pack", "anyang", "--gate", "return", "--as-of", AS_OF)
    code, shown, errors = zhipai(*pack, "--facts", "-", stdin=json.dumps(facts).encode())
    assert code == 0, errors  # The service of this module may write a line of its log there meanwhile.
    assert "由时刻算出的事实" in shown and "return_in_window" in shown


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[1]", "不是对象"), (b'{"a": ', "第 1 行"), ('{"kind": "投诉"}'.encode("gb18030"), "UTF-8")],
)
def test_a_wrong_file_of_facts_is_one_sentence(zhipai: Zhipai, content: bytes, said: str) -> None:
    code, _, errors = zhipai("rules", "eval", "--gate", "return", "--facts", "-", stdin=content)
    assert code == 2
    assert "[E7631]" in errors and said in errors


def test_the_dictionary_on_the_command_line(zhipai: Zhipai) -> None:
    _, shown, _ = zhipai("rules", "facts", "--gate", "return", "--json")
    assert json.loads(shown) == describe_facts("return")
    _, table, _ = zhipai("rules", "facts", "--gate", "return")
    assert "事实字典" in table and "由人填写" in table
    code, _, errors = zhipai("rules", "facts", "--gate", "退回")
    assert code == 2 and "[E3204]" in errors


# ---- the hot path ----------------------------------------------------------------------------------------------------


def test_triage_does_not_load_rulings() -> None:
    code = "import sys, service.triage, service.snapshot; print([m for m in sys.modules if 'ruling' in m or 'counterfactual' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=dict(os.environ), check=True)
    assert done.stdout.decode().strip() == "[]"
