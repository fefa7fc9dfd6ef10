"""What people asked and nothing answered: topics with the units that replied, and drafts made of their replies."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient

from service import clock
from service.cases_read import add_reply
from service.pages.kb_gaps import entry_id_of
from service.runtime import Runtime
from tests.service.pages.test_workbench import HX, dispatch, file

ASKED = "琉璃盏夜市的摊位怎么申请，要交多少钱，电话13800001111"
REPLY = "每月一日起在琉璃盏管理处报名抽签，联系人电话13900002222。"
UNIT = "云汀市城市管理局"
ANSWERED, OPEN = ["G-1", "G-2", "G-3"], ["G-4", "G-5", "G-6"]


@pytest.fixture
def lacking(bench: TestClient) -> TestClient:
    """Two topics of the last look: to two orders of the first its unit has replied, to the other nobody has."""
    state: Runtime = bench.app.state.runtime  # type: ignore[attr-defined]
    for number, order_id in enumerate((*ANSWERED, *OPEN)):
        proposal = file(bench, order_id, f"{ASKED}（第{number}次）")
        assert dispatch(bench, proposal, UNIT, reason="夜市归城管").status_code == 200
    for order_id in ANSWERED[:2]:
        add_reply(state.engine, order_id, REPLY, actor="管理处经办人", at=clock.now(state.settings.time_zone))
    topics = [{"terms": ["摊位", "夜市"], "orders": ANSWERED}, {"terms": [], "orders": OPEN}]
    folder = state.settings.home / "kb-reports"
    folder.mkdir(exist_ok=True)
    report = {"topics": topics, "answerable": [], "read": 6, "alone": 0}
    (folder / "gaps.json").write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    return bench


def card(page: str, terms: str) -> str:
    return next(one for one in re.findall(r"<article.*?</article>", page, re.S) if terms in one)


def test_a_topic_shows_its_count_questions_and_units(lacking: TestClient) -> None:
    page = lacking.get("/kb/gaps").text
    first, second = card(page, "摊位、夜市"), card(page, "没有共同的词")
    assert f'答复过的单位：{UNIT}（<span class="num">2</span> 条）' in first
    assert ">3</b> 条诉求" in first and "琉璃盏夜市" in first and "用单位的答复起草" in first
    assert "13800001111" not in page and "&lt;手机号&gt;" in first
    assert "还没有单位" in second and "用单位的答复起草" not in second and "起草条目" in second


def test_a_draft_of_the_units_own_reply_is_kept_once_and_opens(lacking: TestClient) -> None:
    topic = entry_id_of(ANSWERED)
    refused = lacking.post(f"/kb/gaps/{topic}/draft", headers=HX)
    assert refused.status_code == 422 and "actor" in refused.text, "没有账号时要写姓名"
    made = lacking.post(f"/kb/gaps/{topic}/draft", data={"actor": "吴维护"}, headers=HX)
    assert (made.status_code, made.headers["hx-redirect"]) == (204, f"/kb/entries/{topic}/edit")
    form = lacking.get(f"/kb/entries/{topic}/edit").text
    assert "每月一日起在琉璃盏管理处报名抽签" in form and "13900002222" not in form
    found = lacking.get(f"/v1/kb/entries/{topic}", headers={"accept": "*/*"}).json()
    assert (found["state"], found["authors"], found["version"]) == ("草稿", ["吴维护"], None)
    events = lacking.get(f"/v1/kb/entries/{topic}/history", headers={"accept": "*/*"}).json()["events"]
    assert [(one["action"], one["actor"]) for one in events] == [("draft", "吴维护")]
    again = lacking.post(f"/kb/gaps/{topic}/draft", data={"actor": "郑维护"}, headers=HX)
    assert again.headers["hx-redirect"] == f"/kb/entries/{topic}/edit"
    assert len(lacking.get(f"/v1/kb/entries/{topic}/history", headers={"accept": "*/*"}).json()["events"]) == 1
    first = card(lacking.get("/kb/gaps").text, "摊位、夜市")
    assert "草稿" in first and f'href="/kb/entries/{topic}"' in first and "用单位的答复起草" not in first


def test_without_a_reply_the_form_opens_with_the_questions(lacking: TestClient) -> None:
    topic = entry_id_of(OPEN)
    form = lacking.get(f"/kb/gaps/{topic}/draft").text
    assert "琉璃盏夜市" in form and 'action="/kb/new"' in form and "13800001111" not in form
    sent = lacking.post(f"/kb/gaps/{topic}/draft", data={"actor": "吴维护"}, headers=HX)
    assert sent.headers["hx-redirect"] == f"/kb/gaps/{topic}/draft"
    assert lacking.get(f"/v1/kb/entries/{topic}", headers={"accept": "*/*"}).status_code == 404
    assert lacking.get("/kb/gaps/K000000000000/draft").status_code == 404


@pytest.mark.parametrize(("name", "typed"), [("effective_from", "明年"), ("effective_to", "2026-13-01")])
def test_a_day_that_is_none_is_said_in_the_form_and_stays_in_it(bench: TestClient, name: str, typed: str) -> None:
    form = {"title": "摊位", "answer": "抽签", "unit": "云汀市城市管理局", "actor": "吴维护", name: typed}
    answer = bench.post("/kb/new", data=form)
    assert answer.status_code == 422
    assert {"effective_from": "生效日期", "effective_to": "失效日期"}[
        name
    ] in answer.text and "2026-01-31" in answer.text
    assert re.search(f'name="{name}" type="text" value="{typed}"', answer.text), "日期框里留得住的只有日期"
    assert 'value="摊位"' in answer.text
    assert f'name="{name}" type="date"' in bench.get("/kb/new").text


def test_a_file_with_a_wrong_day_is_not_read_and_the_rest_of_the_form_stays(bench: TestClient) -> None:
    sheet = {"file": ("条目.csv", "标题,答复要点\n一,二\n".encode(), "text/csv")}
    typed = {"unit": "云汀市城市管理局", "effective_from": "五月", "way": "submit"}
    answer = bench.post("/kb/import", data=typed, files=sheet)
    assert answer.status_code == 422 and "生效日期" in answer.text and "五月" in answer.text
    assert 'value="云汀市城市管理局"' in answer.text and 'value="submit" checked' in answer.text
    whole = bench.post("/kb/import", data=typed | {"effective_from": "2026-05-01"}, files=sheet, follow_redirects=False)
    assert whole.status_code == 303
