"""The workbench over HTTP: what is shown, what is done, who may, and how errors are told."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from service.pages.static import FOLDER, address
from tests.service.pages.conftest import SMOKE

HX = {"HX-Request": "true"}
KEY = iter(f"test-key-{number:04d}" for number in range(1000))
LAWSUIT = "我和公司的劳动争议法院已经判决生效，对判决不服，要求12345让法院改判，电话13900002222"


def file(bench: TestClient, order_id: str, text: str = SMOKE, **more: str) -> dict:
    answer = bench.post("/v1/orders", json={"text": text, "order_id": order_id, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def dispatch(bench: TestClient, proposal: dict, unit: str = "", *, revision: int = 1, reason: str = ""):
    order_id = proposal["order"]["order_id"]
    form = {
        "proposal_id": proposal["proposal_id"],
        "unit": unit or proposal["units"][0]["unit"],
        "revision": str(revision),
        "key": next(KEY),
        "reason": reason,
    }
    return bench.post(f"/workbench/orders/{order_id}/dispatch", data=form, headers=HX)


def test_filing_twice_is_told_and_a_date_is_not_accepted(bench: TestClient) -> None:
    file(bench, "F-1")
    assert bench.post("/v1/orders", json={"text": SMOKE, "order_id": "F-1"}).status_code == 200
    other = bench.post("/v1/orders", json={"text": "路灯坏了没人修", "order_id": "F-1"})
    assert (other.status_code, other.json()["code"]) == (409, "E6302")
    dated = bench.post("/v1/orders", json={"text": SMOKE, "as_of": "2026-05-01T09:00:00+08:00"})
    assert dated.status_code == 422
    queue = bench.get("/v1/orders").json()
    assert [one["order_id"] for one in queue["orders"]] == ["F-1"] and queue["waiting"]["all"] == 1


def test_page_shows_evidence_elements_rules_deadlines_and_entries(bench: TestClient) -> None:
    proposal = file(bench, "F-1", channel="电话")
    html = bench.get("/workbench").text
    assert "13800001111" not in html and "&lt;手机号&gt;" in html
    for said in (
        proposal["units"][0]["unit"],
        "往日相近的工单",
        "职责条目",
        "用词",
        "办结",
        "没有发现须转告",
        "每晚十点后",
    ):
        assert said in html, said
    assert 'class="el mask"' in html and 'class="el place' in html
    assert re.search(r'<rect width="\d+\.\d%"', html)
    days = bench.get("/workbench/orders/F-1/days").text
    assert "计" in days and "办结时限" in days and re.search(r"\d{4}-\d\d-\d\d", days)


def test_dispatch_opens_the_next_and_the_second_is_refused(bench: TestClient) -> None:
    first, second = file(bench, "F-1"), file(bench, "F-2", text="白鹭区湖滨路的路灯坏了三天没人修，晚上很黑")
    answer = dispatch(bench, first)
    assert answer.status_code == 200
    assert answer.headers["hx-push-url"] == "/workbench/orders/F-2" and second["units"][0]["unit"] in answer.text
    assert "queue-changed" in answer.headers["hx-trigger"]
    late = dispatch(bench, first)
    assert (late.status_code, late.json()["code"]) == (409, "E7951")
    assert "本机" in late.json()["detail"] and first["units"][0]["unit"] in late.json()["detail"]


def test_an_override_needs_a_reason(bench: TestClient) -> None:
    proposal = file(bench, "F-1")
    other = proposal["units"][1]["unit"]
    bare = dispatch(bench, proposal, other)
    assert (bare.status_code, bare.json()["code"]) == (422, "E6401")
    assert dispatch(bench, proposal, other, reason="职责在他们").status_code == 200
    shown = bench.get("/workbench/orders/F-1").text
    assert f"已派：{other}" in shown and "disabled" in shown


def test_refusal_by_a_rule_that_hit_and_undo(bench: TestClient) -> None:
    proposal = file(bench, "F-1", text=LAWSUIT)
    hit = next(one for one in proposal["verdicts"] if one["state"] == "hit" and one["effect"] == "redirect")
    assert f'value="{hit["rule_id"]}" checked' in bench.get("/workbench/orders/F-1").text
    form = {"revision": "1", "key": next(KEY), "reason": "已有生效判决", "rule_id": "NAT-NONE-001"}
    wrong = bench.post("/workbench/orders/F-1/refuse", data=form, headers=HX)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "E7958")
    done = bench.post("/workbench/orders/F-1/refuse", data=form | {"rule_id": hit["rule_id"]}, headers=HX)
    assert done.status_code == 200 and "没有待派的工单" in done.text
    queue = bench.get("/v1/orders", params={"status": "refused"}).json()["orders"]
    record = bench.get(f"/v1/decisions/{queue[0]['decision_id']}", headers={"accept": "application/json"}).json()
    assert record["disposition"]["rule_id"] == hit["rule_id"] and record["disposition"]["tell"]
    undone = bench.post("/workbench/undo", data={"key": next(KEY), "reason": "点错了"}, headers=HX)
    assert undone.status_code == 200 and 'data-waiting="yes"' in undone.text
    nothing = bench.post("/workbench/undo", data={"key": next(KEY), "reason": "再来"}, headers=HX)
    assert (nothing.status_code, nothing.json()["code"]) == (404, "E7959")


def test_repeats_of_one_caller_can_be_merged_and_others_cannot(bench: TestClient) -> None:
    file(bench, "F-1")
    file(bench, "F-2", text="再次来电：" + SMOKE)
    file(bench, "F-3", text="临江区滨河路烧烤店油烟大，我是另一家住户")
    shown = bench.get("/workbench/orders/F-2/similar", headers=HX).text
    assert "F-1" in shown and "可并单" in shown
    form = {"revision": "1", "key": next(KEY), "reason": "同一来电人", "into": "F-3"}
    wrong = bench.post("/workbench/orders/F-2/merge", data=form, headers=HX)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "E7955")
    done = bench.post("/workbench/orders/F-2/merge", data=form | {"into": "F-1"}, headers=HX)
    assert done.status_code == 200
    assert bench.get("/v1/orders", params={"status": "merged"}).json()["orders"][0]["order_id"] == "F-2"


def test_search_and_new_proposal(bench: TestClient) -> None:
    file(bench, "F-1")
    assert "<b>" in bench.get("/workbench/search", params={"q": "居住证怎么办"}, headers=HX).text
    again = bench.post("/workbench/orders/F-1/again", data={"revision": "1"}, headers=HX)
    assert again.status_code == 200 and 'data-revision="2"' in again.text
    stale = bench.post("/workbench/orders/F-1/again", data={"revision": "1"}, headers=HX)
    assert (stale.status_code, stale.json()["code"]) == (409, "E7952")


def test_api_refuses_and_takes_back(bench: TestClient) -> None:
    file(bench, "F-1")
    body = {"actor": "pd-1", "reason": "已进入诉讼程序", "tell": "请向法院反映", "revision": 1}
    headers = {"Idempotency-Key": next(KEY)}
    done = bench.post("/v1/orders/F-1/refuse", json=body, headers=headers)
    assert (done.status_code, done.json()["kind"], done.json()["actor"]) == (201, "refusal", "pd-1")
    assert bench.post("/v1/orders/F-1/refuse", json=body, headers=headers).status_code == 200
    undoing = {"actor": "pd-1", "reason": "查错了", "decision_id": done.json()["decision_id"]}
    back = bench.post("/v1/orders/F-1/undo", json=undoing, headers={"Idempotency-Key": next(KEY)})
    assert (back.status_code, back.json()["kind"]) == (201, "undo")
    gone = bench.post("/v1/orders/F-9/refuse", json=body, headers={"Idempotency-Key": next(KEY)})
    assert (gone.status_code, gone.json()["code"]) == (404, "E7950")


MARKUP = '<img src=x onerror="window.hit=1">'


def test_markup_in_every_field_is_shown_as_text(bench: TestClient) -> None:
    fields = {name: f"{MARKUP}{name}" for name in ("title", "channel", "order_type", "category", "street", "community")}
    proposal = file(bench, '<b onclick="x">1</b>', text=MARKUP + SMOKE, **fields, district=MARKUP)
    for path in ("/workbench", "/workbench/queue", "/workbench?list=1"):
        html = bench.get(path).text
        assert "<img" not in html and "<b onclick" not in html, path
    assert "&lt;img" in bench.get("/workbench").text
    dispatch_answer = dispatch(bench, proposal | {"order": {"order_id": "%3Cb%20onclick=%22x%22%3E1%3C%2Fb%3E"}})
    assert "<img" not in dispatch_answer.text


@pytest.mark.parametrize("path", ["/", "/try", "/workbench", "/nowhere", "/workbench/orders/none"])
def test_pages_have_no_inline_code_and_load_nothing_from_outside(bench: TestClient, path: str) -> None:
    answer = bench.get(path)
    html = answer.text
    assert answer.headers["content-type"].startswith("text/html") and 'lang="zh-CN"' in html
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", html)
    assert not re.search(r"\son[a-z]+=|\sstyle=|<style|javascript:", html)
    assert not re.search(r"<script(?![^>]*(?:src=|application/json))", html)


def test_an_error_is_a_page_for_a_person_and_a_problem_for_a_program(bench: TestClient) -> None:
    page = bench.get("/workbench/orders/none")
    assert page.status_code == 404 and "E7950" in page.text and "回到首页" in page.text
    data = bench.get("/workbench/orders/none", headers={"accept": "*/*"})
    assert data.json()["code"] == "E7950"
    part = bench.get("/workbench/orders/none", headers=HX)
    assert part.json()["code"] == "E7950"


def test_static_files_are_kept_for_ever_under_their_content(bench: TestClient) -> None:
    answer = bench.get(address("zhipai.css"))
    assert "immutable" in answer.headers["cache-control"]
    assert bench.get("/static/zhipai.css").headers["cache-control"] == "no-cache"
    assert bench.get("/static/../render.py").status_code == 404


def test_vendored_libraries_are_those_of_the_table() -> None:
    import hashlib

    table = (FOLDER / "vendor" / "VERSIONS.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"\| ([\w./]+\.js) \| `([0-9a-f]{64})` \|", table))
    here = {path.relative_to(FOLDER / "vendor").as_posix(): path for path in (FOLDER / "vendor").rglob("*.js")}
    assert told == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in here.items()}
    assert all((path.parent / "LICENSE").is_file() for path in here.values())


def test_first_load_of_the_workbench_is_light(bench: TestClient) -> None:
    """Everything that the first visit fetches, uncompressed: the page and whatever it names."""
    for number in range(35):
        file(bench, f"F-{number}", text=f"{SMOKE}，第{number}次反映")
    page = bench.get("/workbench")
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    sizes = {name.split("?")[0]: len(bench.get(name).content) for name in names}
    assert {"/static/zhipai.css", "/static/workbench.js", "/static/vendor/htmx/htmx.min.js"} <= sizes.keys()
    assert not any("echarts" in name for name in sizes)
    assert len(page.content) + sum(sizes.values()) < 300_000
