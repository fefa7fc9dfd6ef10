"""An entry's life over HTTP: drafted, reviewed, found; the second maintainer gets both texts; problems in Chinese."""

from __future__ import annotations

from time import sleep

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.settings import Settings

ENTRY = {
    "title": "琉璃盏借阅证",
    "answer": "到馆办理。",
    "unit": "市图书馆",
    "body": "<script>alert(1)</script>\n\n**带证件**",
}


@pytest.fixture
def life(config: Settings):  # type: ignore[no-untyped-def]
    with TestClient(create_app(config), raise_server_exceptions=False) as running:
        yield running


def step(client: TestClient, entry_id: str, action: str, **body: object):  # type: ignore[no-untyped-def]
    return client.post(f"/v1/kb/entries/{entry_id}/{action}", json={"actor": "张三", **body})


def test_from_the_first_words_to_the_end(life: TestClient) -> None:
    created = life.post("/v1/kb/entries", json={"actor": "张三", "entry": ENTRY})
    assert created.status_code == 201
    entry_id = created.json()["id"]
    assert step(life, entry_id, "submit").json()["state"] == "待审"
    refused = step(life, entry_id, "publish", reason="自己审")
    assert (refused.status_code, refused.json()["code"]) == (409, "E4042")
    done = step(life, entry_id, "publish", actor="李四", reason="核对无误")
    assert done.status_code == 200 and done.json()["decision_id"]
    record = life.get(f"/v1/decisions/{done.json()['decision_id']}").json()
    assert (record["kind"], record["actor"], record["entry"]) == ("knowledge_publication", "李四", entry_id)

    shown = life.get(f"/v1/kb/entries/{entry_id}").json()
    assert (shown["state"], shown["version"], shown["revision"]) == ("发布", 1, 3)
    assert (
        shown["entry"]["body_html"] == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n<p><strong>带证件</strong></p>\n"
    )
    found: list[str] = []
    for _ in range(200):
        hits = life.post("/v1/triage", json={"text": "琉璃盏借阅证怎么办理"}).json()["entries"]
        found = [hit["id"] for hit in hits]
        if entry_id in found:
            break
        sleep(0.1)
    assert entry_id in found

    assert life.get("/v1/kb/entries", params={"title": "琉璃盏"}).json()["entries"][0]["id"] == entry_id
    assert [one["action"] for one in life.get(f"/v1/kb/entries/{entry_id}/history").json()["events"]] == [
        "draft", "submit", "publish"
    ]  # fmt: skip
    assert step(life, entry_id, "archive", reason="停止办理").json()["state"] == "归档"
    assert step(life, entry_id, "rollback", reason="恢复办理", version=1).json()["version"] == 3
    assert life.get(f"/v1/kb/entries/{entry_id}/diff").json()["changes"][0]["field"] == "state"


def test_second_maintainer_gets_both_texts(life: TestClient) -> None:
    entry_id = "K1001"
    seen = life.get(f"/v1/kb/entries/{entry_id}").json()
    whole = {
        name: value for name, value in seen["entry"].items() if name not in ("id", "state", "body_html", "citations")
    }
    first = {"actor": "甲某", "revision": seen["revision"], "entry": whole | {"answer": "甲改的答复。"}}
    assert life.post(f"/v1/kb/entries/{entry_id}/draft", json=first).status_code == 200
    second = {"actor": "乙某", "revision": seen["revision"], "entry": whole | {"title": "乙改的标题"}}
    refused = life.post(f"/v1/kb/entries/{entry_id}/draft", json=second)
    assert refused.status_code == 409 and refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["code"] == "E4044" and "甲某" in problem["detail"]
    assert problem["yours"]["title"] == "乙改的标题"
    assert (problem["merged"]["title"], problem["merged"]["answer"], problem["conflicts"]) == (
        "乙改的标题", "甲改的答复。", []
    )  # fmt: skip
    assert life.get(f"/v1/kb/entries/{entry_id}").json()["entry"]["answer"] == whole["answer"], "现行版本没有变"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/kb/entries/none", None, 404, "E4043"),
        ("POST", "/v1/kb/entries/none/draft", {"actor": "张三", "entry": ENTRY}, 404, "E4043"),
        ("POST", "/v1/kb/entries/none/publish", {"actor": "张三", "reason": "理由"}, 404, "E4043"),
        ("POST", "/v1/kb/entries/K1001/return", {"actor": "张三", "reason": "理由"}, 409, "E4041"),
        ("POST", "/v1/kb/entries/K1001/ask", {"actor": "张三"}, 422, "E4045"),
        ("POST", "/v1/kb/entries/K1001/rollback", {"actor": "张三", "reason": "理由"}, 422, "E6502"),
        ("POST", "/v1/kb/entries/K1001/delete", {"actor": "张三"}, 422, "E6502"),
        ("POST", "/v1/kb/entries", {"actor": "张三", "entry": ENTRY | {"effective_from": "2026-05-01", "effective_to": "2026-01-01"}}, 422, "E4007"),
        ("POST", "/v1/kb/entries", {"actor": "张三", "entry": ENTRY | {"secrecy": "机密"}}, 422, "E4009"),
        ("POST", "/v1/kb/entries", {"actor": "张三", "revision": 3, "entry": ENTRY}, 422, "E6502"),
        ("POST", "/v1/kb/entries", {"actor": "张三", "entry": ENTRY | {"colour": "红"}}, 422, "E6502"),
        ("GET", "/v1/kb/entries/K1001/diff?new=9", None, 404, "E4043"),
    ],
)  # fmt: skip
def test_problems_are_told_in_chinese(
    client: TestClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_due_counts_without_a_limit(client: TestClient) -> None:
    found = client.get("/v1/kb/due", params={"days": 3650}).json()
    assert found["update_days"] is None and found["expiring"]
    assert [one["days"] for one in found["expiring"]] == sorted(one["days"] for one in found["expiring"])


def test_documentation_shows_every_step(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    examples = paths["/v1/kb/entries/{entry_id}/{action}"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ]
    assert set(examples) == {"submit", "return", "discard", "publish", "ask", "archive", "rollback"}
