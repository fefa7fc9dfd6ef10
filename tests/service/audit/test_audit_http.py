"""Checkpoints and proofs over HTTP, as another office asks for them."""

from __future__ import annotations

import json
import uuid

import pytest
from fastapi.testclient import TestClient

from service.audit.bundle import check_proof
from service.audit.keys import KeyStore
from service.audit.note import PublicKey, parse_checkpoint


@pytest.fixture
def decided(client: TestClient) -> str:
    """The id of a decision that was just made."""
    proposal = client.post("/v1/triage", json={"text": f"翠湖路的井盖丢了，{uuid.uuid4().hex}。"}).json()
    body = {"proposal_id": proposal["proposal_id"], "action": "override", "unit": proposal["units"][1]["unit"],
            "actor": "pd-017", "reason": "按职责清单"}  # fmt: skip
    answer = client.post("/v1/decisions", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.status_code == 201, answer.text
    return answer.json()["decision_id"]


def known(client: TestClient) -> list[PublicKey]:
    return KeyStore(client.app.state.runtime.settings.key_folder).public_keys()


def test_the_checkpoint_grows_with_the_log(client: TestClient, decided: str) -> None:
    answer = client.get("/v1/audit/checkpoint")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/plain; charset=utf-8"
    before = parse_checkpoint(answer.text, name="http")
    assert before.verify(known(client)) is not None
    assert client.get("/v1/audit/checkpoint").text == answer.text, "没有新记录，还是那一个"


def test_a_decision_is_proved_to_whoever_has_the_public_key(client: TestClient, decided: str) -> None:
    answer = client.get(f"/v1/audit/decisions/{decided}/bundle")
    assert answer.status_code == 200
    found = check_proof(answer.content, known(client), name="http")
    assert found["decision_id"] == decided
    assert json.loads(answer.json()["record"]) == client.get(f"/v1/decisions/{decided}").json()


def test_two_checkpoints_are_proved_consistent(client: TestClient, decided: str) -> None:
    first = parse_checkpoint(client.get("/v1/audit/checkpoint").text, name="http")
    proposal = client.post("/v1/triage", json={"text": "路灯不亮，晚上看不见。"}).json()
    body = {"proposal_id": proposal["proposal_id"], "action": "override", "unit": proposal["units"][1]["unit"],
            "actor": "pd-017", "reason": "按职责清单"}  # fmt: skip
    client.post("/v1/decisions", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    second = parse_checkpoint(client.get("/v1/audit/checkpoint").text, name="http")
    assert second.size == first.size + 1
    answer = client.get("/v1/audit/consistency", params={"from": first.size, "to": second.size})
    assert check_proof(answer.content, known(client), name="http")["to"] == second.size


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/audit/decisions/d-none/bundle", 404, "E7816"),
        ("/v1/audit/consistency?from=1&to=100000000", 404, "E7803"),
        ("/v1/audit/consistency?from=2&to=1", 422, "E7820"),
        ("/v1/audit/consistency?from=x&to=1", 422, "E6502"),
        ("/v1/audit/consistency?from=-1&to=1", 422, "E6502"),
        ("/v1/audit/consistency", 422, "E6502"),
    ],
)
def test_what_cannot_be_proved_is_refused(client: TestClient, decided: str, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_readiness_tells_of_a_checkpoint_that_could_not_be_written(client: TestClient) -> None:
    problem = client.app.state.runtime.settings.home / "checkpoint-problem.txt"
    problem.write_text("日志检查点没有写成：磁盘空间不足。", encoding="utf-8")
    answer = client.get("/readyz")
    assert answer.json()["checks"]["checkpoints"].startswith("提醒：日志检查点没有写成")
    assert answer.status_code == 200
    problem.unlink()
    assert "checkpoints" not in client.get("/readyz").json()["checks"]
