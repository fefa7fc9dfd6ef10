"""The rule pages over HTTP: every page opens, a version is published, and nothing else than a listed report is opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.rule_versions import history
from service.settings import Settings
from tests.service.pages.conftest import NOW

HTMX = {"hx-request": "true"}


@pytest.fixture
def rules_bench(desk: Settings, small_pack: Path):
    """A running service whose pack is a small one that a test may change."""
    from service.api.app import create_app

    config = desk.model_copy(update={"pack": str(small_pack)})
    with TestClient(create_app(config), raise_server_exceptions=False, headers={"accept": "text/html"}) as running:
        yield running


def test_a_pack_is_listed_by_gate_with_clause_and_tests(bench: TestClient) -> None:
    page = bench.get("/rules").text
    assert "weifang" in page and "下一页" in page
    assert "参数未填" in bench.get("/rules?only=unfilled").text
    returns = bench.get("/rules?gate=return&pack=weifang").text
    assert "退回" in returns and "WF-RET-002" in returns
    assert bench.get("/rules?pack=../../etc").status_code == 422
    assert bench.get("/rules?gate=nowhere").status_code == 422
    assert "没有符合条件的规则" in bench.get("/rules?q=没有这样的规则").text


def test_inherited_rules_show_the_tests_of_the_pack_they_come_from(bench: TestClient) -> None:
    rows = bench.get("/rules?pack=weifang&q=NAT-").text
    assert "来自 national" in rows and "命中" in rows


def test_one_rule_shows_its_condition_clause_tests_and_packs(bench: TestClient) -> None:
    page = bench.get("/rules/rule/WF-RET-002?pack=weifang").text
    for part in ("什么时候命中", "承办单位申请退回：是", "处置", "置信度", "规则全文", "WF-RET-002"):
        assert part in page
    assert bench.get("/rules/rule/WF-XXX-999").status_code == 404
    assert "weifang" in bench.get("/rules/rule/WF-RET-002/packs?pack=weifang").text


def test_a_rule_is_tried_with_facts_as_of_a_day(bench: TestClient) -> None:
    assert "判断时刻" not in bench.get("/rules/try?rule=WF-RET-002&pack=weifang").text
    sent = {"pack": "weifang", "gate": "return", "fact:designated_by_ruling": "是", "as_of": "2026-05-06T09:30"}
    found = bench.post("/rules/try", data=sent, headers=HTMX).text
    assert "命中" in found and "无法判断" in found and "2026-05-06 09:30" in found
    for spoilt in ({"as_of": "昨天"}, {"fact:designated_by_ruling": "也许"}, {"fact:no_such": "1"}):
        answer = bench.post("/rules/try", data=sent | spoilt, headers=HTMX | {"accept": "*/*"})
        assert (answer.status_code, answer.json()["code"]) in {(422, "E7985"), (422, "E3202")}


def test_markup_in_a_text_is_shown_as_text(bench: TestClient) -> None:
    sent = {"gate": "acceptance", "text": "<script>alert(1)</script>对法院判决不服"}
    assert "<script>alert" not in bench.post("/rules/try", data=sent, headers=HTMX).text
    assert "<img" not in bench.get("/rules?q=<img src=x>").text


def test_publish_and_go_back(rules_bench: TestClient, small_pack: Path) -> None:
    runtime = rules_bench.app.state.runtime
    form = rules_bench.get("/rules/publish").text
    seen = form.split('name="seen" value="')[1].split('"')[0]
    # Without a reason nothing is published.
    refused = rules_bench.post("/rules/publish", data={"seen": seen}, headers=HTMX | {"accept": "*/*"})
    assert refused.status_code == 422 and refused.json()["code"] == "E3506"
    done = rules_bench.post("/rules/publish", data={"seen": seen, "reason": "第一次"}, headers=HTMX)
    assert done.status_code == 204 and "/rules/history" in done.headers["hx-redirect"]
    assert "第一次" in rules_bench.get(done.headers["hx-redirect"]).text
    runtime.refresh()
    assert "完全相同" in rules_bench.get("/rules/publish").text

    rule = small_pack / "return.yaml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("severity: warn", "severity: info"), encoding="utf-8")
    stale = rules_bench.post(
        "/rules/publish", data={"seen": seen, "reason": "没看过"}, headers=HTMX | {"accept": "*/*"}
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "E7986")
    draft = rules_bench.get("/rules/publish").text
    assert "提醒" in draft and "轻重" in draft, "改了什么，发布之前看得到"
    seen = draft.split('name="seen" value="')[1].split('"')[0]
    assert rules_bench.post("/rules/publish", data={"seen": seen, "reason": "改轻"}, headers=HTMX).status_code == 204
    rows = history(runtime.engine, "town", at=NOW.replace(year=2199))
    assert [row["reason"] for row in rows] == ["第一次", "改轻"] and rows[0]["actor"] == "local"
    old, new = (row["version"] for row in rows)
    assert "轻重" in rules_bench.get("/rules/diff", params={"old": old, "new": new}).text

    runtime.refresh()
    back = rules_bench.get("/rules/publish", params={"version": old}).text
    seen = back.split('name="seen" value="')[1].split('"')[0]
    sent = {"seen": seen, "version": old, "reason": "先回去"}
    assert rules_bench.post("/rules/publish", data=sent, headers=HTMX).status_code == 204
    assert len(history(runtime.engine, "town", at=NOW.replace(year=2199))) == 3


def test_a_pack_with_errors_has_no_form(rules_bench: TestClient, small_pack: Path) -> None:
    (small_pack / "return.yaml").write_text("- {id: 不对}\n", encoding="utf-8")
    page = rules_bench.get("/rules/publish").text
    assert "不能发布" in page and 'name="seen"' not in page


def test_only_listed_reports_are_opened_and_nothing_in_them_acts(bench: TestClient, desk: Settings) -> None:
    folder = desk.home / "backtest" / "november"
    folder.mkdir(parents=True)
    (folder / "backtest.html").write_text("<script>alert(1)</script>报告", encoding="utf-8")
    summary = {"pack": {"id": "weifang@1"}, "against": None, "totals": {"evaluated": 7, "new": 2}, "compared": False}
    (folder / "backtest.json").write_text(json.dumps(summary), encoding="utf-8")
    (desk.home / "secret.html").write_text("不给看", encoding="utf-8")
    (folder / "link.html").symlink_to(desk.home / "secret.html")
    assert "november/backtest.html" in bench.get("/rules/backtests").text
    answer = bench.get("/rules/backtests/november/backtest.html")
    assert answer.status_code == 200 and answer.headers["content-security-policy"].startswith("sandbox;")
    for name in ("..%2Fsecret.html", "november/link.html", "november/backtest.json", "%2Fetc%2Fpasswd"):
        assert bench.get(f"/rules/backtests/{name}").status_code == 404
