"""The audit pages over HTTP: filters, one decision as a story, replay, verification, checkpoints, permissions."""

from __future__ import annotations

import fcntl
import json
import re
import time

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.audit_verification import FOLDER, LOCK, STATE, verification_state
from service.db.append_only import writable
from service.db.engine import make_engine
from service.settings import Settings
from tests.service.pages.test_workbench import HX, KEY, LAWSUIT, dispatch, file

REASON = '理由是<script>alert("x")</script>'


@pytest.fixture
def morning(bench: TestClient) -> dict[str, str]:
    """Three decisions, by their order."""
    first = file(bench, "A-1", channel="电话")
    dispatch(bench, first)
    second = file(bench, "A-2")
    dispatch(bench, second, second["units"][1]["unit"], reason=REASON)
    file(bench, "A-3", LAWSUIT)
    form = {"revision": "1", "key": next(KEY), "reason": "已经判决", "rule_id": ""}
    assert bench.post("/workbench/orders/A-3/refuse", data=form, headers=HX).status_code == 200
    return {order: ids(bench, f"order_id={order}")[0] for order in ("A-1", "A-2", "A-3")}


def ids(bench: TestClient, query: str) -> list[str]:
    answer = bench.get(f"/audit?{query}")
    assert answer.status_code == 200, answer.text
    return re.findall(r'href="/audit/(d-[0-9a-f]{32})"', answer.text)


def test_filters_find_what_they_name(bench: TestClient, morning: dict[str, str]) -> None:
    # The service itself may have written of knowledge that ends soon.
    ours = [one for one in ids(bench, "") if one in morning.values()]
    assert ours == [morning["A-3"], morning["A-2"], morning["A-1"]]
    assert ids(bench, "kind=refusal") == [morning["A-3"]]
    assert ids(bench, "override=yes") == [morning["A-2"]]
    assert ids(bench, "override=no") == [morning["A-1"]]
    assert ids(bench, "since=2001-01-01&until=2001-01-01") == []
    assert set(morning.values()) <= set(ids(bench, "since=2001-01-01&until=2099-12-31"))
    assert bench.get("/audit/count?kind=dispatch").text.count("<b") == 1
    page = bench.get("/audit?override=yes&since=2001-01-01").text
    assert "<script>alert" not in page and "&lt;script&gt;" in page, "理由照文字显示"
    address = re.search(r'href="(/v1/audit/export\?[^"]*format=csv)"', page)
    assert address is not None
    exported = bench.get(address[1].replace("&amp;", "&")).content.decode("utf-8-sig")
    assert morning["A-2"] in exported and morning["A-1"] not in exported


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=yesterday", "请写成 2026-05-01"),
        ("since=9999-12-31&until=9999-12-31", "请写成 2026-05-01"),
        ("since=2026-05-02&until=2026-05-01", "不早于截止"),
        ("state=maybe", "判定只能是"),
    ],
)
def test_a_bad_filter_is_said_beside_it(bench: TestClient, query: str, said: str) -> None:
    for address in ("/audit", "/audit/charts"):
        answer = bench.get(f"{address}?{query}&actor=pd-1")
        assert answer.status_code == 422 and said in answer.text
        assert 'value="pd-1"' in answer.text, "填过的还在"
        for name, typed in (pair.split("=") for pair in query.split("&") if not pair.startswith("state")):
            kind = "date" if typed[:1].isdigit() else "text"
            assert f'name="{name}" type="{kind}" value="{typed}"' in answer.text, "日期框里留得住的只有日期"


def test_pages_go_on_where_they_ended(
    bench: TestClient, morning: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pages.audit.PAGE", 2)
    first = bench.get("/audit?actor=local").text
    following = re.search(r'hx-get="(/audit/rows\?[^"]+)"', first)
    assert following is not None and morning["A-1"] not in first
    rows = bench.get(following[1].replace("&amp;", "&")).text
    assert morning["A-1"] in rows and morning["A-2"] not in rows and "/audit/rows?" not in rows


def test_a_decision_is_told_as_a_story(bench: TestClient, morning: dict[str, str]) -> None:
    page = bench.get(f"/audit/{morning['A-2']}").text
    for said in (
        "没有采纳建议的第一位", "&lt;手机号&gt;", "最后派给了它", "没有说话：缺事实", "往日相近的工单", "路径成立",
        "还没有检查点管到这一条", "下载证明", "&lt;script&gt;",
    ):  # fmt: skip
        assert said in page, said
    assert "13800001111" not in page and "<script>alert" not in page
    refused = bench.get(f"/audit/{morning['A-3']}").text
    assert "没有派给承办单位" in refused and "命中（0 条）" not in refused
    silent = bench.get(f"/audit/{morning['A-2']}/rules", headers=HX).text
    assert silent.count("<tr>") > 5 and "未命中" in silent
    bundle = json.loads(bench.get(f"/v1/audit/decisions/{morning['A-2']}/bundle").content)
    assert bundle["decision_id"] == morning["A-2"]
    assert "签过" in bench.get(f"/audit/{morning['A-2']}").text, "证明附有检查点"


def test_replay_from_the_page(bench: TestClient, morning: dict[str, str]) -> None:
    replayed = bench.get(f"/audit/{morning['A-1']}/replay", headers=HX).text
    assert "逐字节相同" in replayed and "note good" in replayed
    today = bench.get(f"/audit/{morning['A-1']}/today", headers=HX).text
    assert "规则、模型、知识、名录、日历都没有换过" in today


def test_what_is_not_there_is_said(bench: TestClient) -> None:
    for address in ("/audit/d-none", "/audit/d-none/replay", "/audit/d-none/rules", "/audit/checkpoints/7"):
        answer = bench.get(address)
        assert answer.status_code == 404 and "请" in answer.text
    assert "日志里还没有记录" in bench.post("/audit/checkpoints", headers=HX).json()["detail"]


def test_checkpoint_from_the_page(bench: TestClient, morning: dict[str, str]) -> None:
    listed = bench.post("/audit/checkpoints", headers=HX)
    address = re.search(r'href="(/audit/checkpoints/\d+)"', listed.text)
    assert address is not None and "检查点" in json.loads(listed.headers["HX-Trigger"])["toast"]["text"]
    note = bench.get(address[1])
    assert int(note.text.splitlines()[1]) >= 3 and ".checkpoint" in note.headers["content-disposition"]
    assert bench.get("/audit/keys").text.count("\n") == 1


def verified(bench: TestClient, config: Settings) -> dict:
    """The outcome of a verification started from the page."""
    bench.post("/audit/verify", headers=HX)
    for _ in range(600):
        state = verification_state(config)
        assert state is not None
        if state["status"] != "running":
            return state
        time.sleep(0.1)
    raise AssertionError("验证没有结束")


def test_verification_from_the_page(bench: TestClient, desk: Settings, morning: dict[str, str]) -> None:
    assert "还没有在网页上验证过" in bench.get("/audit/prove").text
    bench.post("/audit/checkpoints", headers=HX)
    state = verified(bench, desk)
    assert (state["status"], state["report"]["whole"]) == ("done", True) and state["report"]["size"] >= 3
    page = bench.get("/audit/verification", headers=HX).text
    assert "条完整" in page and "个检查点一致" in page

    engine = make_engine(desk.url)
    with engine.begin() as connection:
        writable(connection, "decisions")
        edit = "UPDATE decisions SET record = CAST(record || ' ' AS BLOB) WHERE decision_id = :id"
        connection.execute(text(edit), {"id": morning["A-2"]})
    engine.dispose()
    state = verified(bench, desk)
    assert state["report"]["counts"] == {"edited": 1}
    page = bench.get("/audit/verification", headers=HX).text
    assert "日志不可信" in page and "内容被改" in page and morning["A-2"] in page


def test_one_verification_at_a_time_and_one_that_died_is_told(bench: TestClient, desk: Settings) -> None:
    folder = desk.home / FOLDER
    folder.mkdir()
    running = {"status": "running", "actor": "shen", "started_at": "2026-05-06T09:30:00+08:00", "done": 7, "total": 9}
    (folder / STATE).write_text(json.dumps(running), encoding="utf-8")
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        page = bench.post("/audit/verify", headers=HX).text
        assert '已读 <b class="num">7</b> / 9 条' in page and "shen" in page
    assert "验证中断了" in bench.get("/audit/verification", headers=HX).text


def test_a_folder_that_cannot_be_written_is_said(bench: TestClient, desk: Settings) -> None:
    (desk.home / FOLDER).write_text("不是文件夹", encoding="utf-8")
    answer = bench.post("/audit/verify", headers=HX)
    assert (answer.status_code, answer.json()["code"]) == (503, "E7980")


def test_charts_have_their_numbers_beside_them(bench: TestClient, morning: dict[str, str]) -> None:
    for by in ("week", "unit", "model", "nonsense"):
        page = bench.get(f"/audit/charts?by={by}").text
        assert "50.0%" in page and "1/2" in page and "95% 区间" in page
        options = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
        assert options["series"]
    assert "没有符合条件的派单" in bench.get("/audit/charts?kind=refusal").text
