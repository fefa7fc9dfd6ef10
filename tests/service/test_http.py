"""Every error over HTTP has one shape, in Chinese, with a stable code; every route is documented with examples."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient

from intake.errors import CATALOGUE

CHINESE = re.compile(r"[一-鿿]")
SHAPE = {"type", "title", "status", "detail", "code", "instance", "where"}

BAD = [
    # body, headers, status, code
    ({"text": ""}, {}, 422, "E1001"),
    ({"text": "的" * 50_000}, {}, 422, "E1002"),
    ({"text": "😀😀🔥"}, {}, 422, "E1003"),
    ({}, {}, 422, "E6502"),
    ({"text": 5}, {}, 422, "E6502"),
    ({"text": "路灯坏了", "colour": "red"}, {}, 422, "E6502"),
    ({"text": "路灯坏了", "as_of": "2026-05-01T09:30:00"}, {}, 422, "E6502"),
    ({"text": "路灯坏了", "received_at": "昨天"}, {}, 422, "E6502"),
    (["路灯坏了"], {}, 422, "E6502"),
    ('{"text": "路灯', {}, 400, "E6501"),
    ('{"text": "路灯坏了"}'.encode("gb18030"), {}, 400, "E6507"),
    ({"text": "路" * 300_000}, {}, 413, "E6506"),
]


def send(client: TestClient, body: object, headers: dict[str, str]):
    content = body if isinstance(body, (str, bytes)) else json.dumps(body, ensure_ascii=False)
    return client.post("/v1/triage", content=content, headers={"Content-Type": "application/json"} | headers)


@pytest.mark.parametrize(("body", "headers", "status", "code"), BAD, ids=lambda value: str(value)[:24])
def test_bad_request_gets_one_shape(client: TestClient, body, headers, status: int, code: str) -> None:
    answer = send(client, body, headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert set(problem) == SHAPE
    assert CHINESE.search(problem["title"]) and CHINESE.search(problem["detail"])
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "E6503"), ("PUT", "/v1/triage", 405, "E6504"), ("GET", "/v1/decisions/x", 404, "E6404")],
)
def test_wrong_address_gets_the_same_shape(client: TestClient, method, path, status, code) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == SHAPE


def test_date_without_zone_points_to_the_field(client: TestClient) -> None:
    problem = send(client, {"text": "路灯坏了", "as_of": "2026-05-01T09:30:00"}, {}).json()
    assert problem["where"] == "/as_of"
    assert "+08:00" in problem["detail"]


def test_decision_needs_its_key(client: TestClient) -> None:
    answer = client.post("/v1/decisions", json={"proposal_id": "p", "action": "accept", "unit": "某局", "actor": "a"})
    assert answer.status_code == 422
    assert "idempotency-key" in answer.json()["where"].lower()


def test_what_is_too_short_is_told_how_long_it_has_to_be(client: TestClient) -> None:
    body = {"proposal_id": "p", "action": "accept", "unit": "某局", "actor": "a"}
    answer = client.post("/v1/decisions", json=body, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 422
    assert "至少要有 8 个字" in answer.json()["detail"]


def test_nul_and_control_characters_are_taken_out(client: TestClient) -> None:
    answer = send(client, {"text": "路灯\x00坏了\x07三天，没有人修"}, {})
    assert answer.status_code == 200
    assert "\\u0000" not in answer.text


def test_half_an_emoji_does_not_cost_the_call(client: TestClient) -> None:
    answer = send(client, '{"text": "路灯坏了\\ud83d三天，没有人修"}', {})
    assert answer.status_code == 200
    assert answer.json()["order"]["text"] == "路灯坏了三天，没有人修"


def test_same_number_for_another_order_is_a_conflict(client: TestClient) -> None:
    body = {"text": "路灯坏了三天", "order_id": "T-1"}
    assert send(client, body, {}).status_code == 200
    again = send(client, body | {"text": "井盖丢了"}, {})
    assert (again.status_code, again.json()["code"]) == (409, "E6302")


def test_markup_comes_back_as_text(client: TestClient) -> None:
    answer = send(client, {"text": "<script>alert(1)</script> 路灯坏了没人修"}, {})
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["order"]["text"].startswith("<script>")


def test_request_id_is_taken_over_only_if_harmless(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"


def test_foreign_host_name_is_refused(client: TestClient) -> None:
    answer = client.get("/healthz", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "E6509")


def test_ready_names_the_snapshot(client: TestClient) -> None:
    body = client.get("/readyz").json()
    assert body["status"] == "ready"
    assert set(body["checks"]) == {"database", "model", "rules", "calendar"}
    assert body["snapshot"]["model"].startswith("model-")


def test_metrics_count_without_order_text(client: TestClient) -> None:
    send(client, {"text": "独一无二的诉求文字甲乙丙"}, {})
    text = client.get("/metrics").text
    assert 'zhipai_requests_total{route="/v1/triage",status="200"}' in text
    assert "甲乙丙" not in text


@pytest.mark.parametrize("path", ["/", "/docs", "/static/zhipai.css", "/static-offline-docs/swagger-ui.css"])
def test_pages_load_nothing_from_outside(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", answer.text)


def test_every_route_is_documented_in_chinese_with_an_example(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert CHINESE.search(operation["summary"]), path
            assert CHINESE.search(operation["description"]), path
            success = operation["responses"].get("200") or operation["responses"]["201"]
            assert all(_has_example(content, schemas) for content in success["content"].values()), path


def _has_example(content: dict, schemas: dict) -> bool:
    if "example" in content or "examples" in content:
        return True
    name = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
    return any("examples" in field for field in schemas.get(name, {}).get("properties", {}).values())


def test_every_error_in_the_catalogue_is_one_chinese_sentence_with_a_way_on() -> None:
    for code, (title, message, status, exit_code) in CATALOGUE.items():
        assert re.fullmatch(r"E\d{4}", code)
        assert CHINESE.search(title) and CHINESE.search(message), code
        assert 400 <= status < 600 and exit_code in (2, 3, 4, 130), code
