"""Refuse, merge, take back, send back: each is a decision in the log, and nothing is overwritten."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from service import order_life, order_queue
from service.db.engine import reading, writing
from service.db.tables import DECISIONS, ROUTINGS
from service.decisions import DecisionRequest, decide
from service.order_life import Step
from service.snapshot import Snapshot
from tests.service.pages.conftest import NOW

WITH: dict[str, Any] = {"software": "zhipai test", "request_id": "r-1", "at": NOW}
TOLD = {"rule_id": "NAT-ACC-002", "action": "转告其他途径", "tell": "请向受理法院反映。", "clause": "某条"}


def step(
    order_id: str, key: str, *, reason: str = "已进入诉讼程序", revision: int | None = None, actor: str = "zhang"
) -> Step:
    return Step(order_id, actor, "dispatcher", reason, key, revision)


def status(engine: Engine, order_id: str) -> tuple[str, str, int]:
    with reading(engine) as connection:
        row = order_queue.require_row(connection, order_id)
    return row.status, row.unit, row.revision


def records(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        return [json.loads(one) for one in connection.execute(select(DECISIONS.c.record)).scalars()]


@pytest.fixture
def dispatch(engine: Engine, snapshot: Snapshot):
    """Accept the first unit of a proposal."""

    def accept(proposal, *, key: str, revision: int | None = None, actor: str = "zhang"):
        unit = proposal.units[0]["unit"]
        request = DecisionRequest(proposal.proposal_id, "accept", unit, actor, "", key, "dispatcher")
        return decide(engine, request, directory=lambda: snapshot.directory, revision=revision, **WITH).record

    return accept


def test_refusal_is_a_decision_with_what_the_caller_is_told(engine: Engine, filed) -> None:
    filed(order_id="o")
    recorded = order_life.refuse(engine, step("o", "key-00001", revision=1), disposition=TOLD, **WITH)
    record = recorded.record
    assert (record["kind"], record["action"], record["disposition"]) == ("refusal", "refuse", TOLD)
    assert (record["actor"], record["role"], record["reason"]) == ("zhang", "dispatcher", "已进入诉讼程序")
    assert record["proposal"]["proposal_id"] == record["proposal_id"] and record["snapshot"]["rules"]
    assert status(engine, "o") == ("refused", "", 2)
    again = order_life.refuse(engine, step("o", "key-00001", revision=1), disposition=TOLD, **WITH)
    assert again.repeated and again.content == recorded.content and len(records(engine)) == 1


def test_personal_data_in_a_reason_is_masked(engine: Engine, filed) -> None:
    filed(order_id="o")
    order_life.refuse(engine, step("o", "key-00001", reason="来电13800001111已撤诉"), disposition=TOLD, **WITH)
    assert "13800001111" not in json.dumps(records(engine), ensure_ascii=False)


@pytest.mark.parametrize("reason", ["", " ", "无"])
def test_a_refusal_needs_a_reason(engine: Engine, filed, reason: str) -> None:
    filed(order_id="o")
    with pytest.raises(ZhipaiError) as caught:
        order_life.refuse(engine, step("o", "key-00001", reason=reason), disposition=TOLD, **WITH)
    assert caught.value.code == "E7953" and status(engine, "o") == ("open", "", 1) and records(engine) == []


def test_second_dispatcher_is_told_who_decided_what(engine: Engine, filed, dispatch) -> None:
    proposal = filed(order_id="o")
    dispatch(proposal, key="key-00001", revision=1)
    unit = proposal.units[0]["unit"]
    for second in (
        lambda: dispatch(proposal, key="key-00002", revision=1, actor="li"),
        lambda: dispatch(proposal, key="key-00003", actor="li"),
        lambda: order_life.refuse(engine, step("o", "key-00004", revision=1, actor="li"), disposition=TOLD, **WITH),
    ):
        with pytest.raises(ZhipaiError) as caught:
            second()
        assert caught.value.code == "E7951" and "zhang" in caught.value.message and unit in caught.value.message
    assert [one["actor"] for one in records(engine)] == ["zhang"]
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(ROUTINGS)).scalar() == 1


def test_undo_is_a_new_decision_and_the_first_one_stays(engine: Engine, filed, dispatch) -> None:
    proposal = filed(order_id="o")
    first = dispatch(proposal, key="key-00001", revision=1)
    undone = order_life.undo(
        engine, step("o", "key-00002", reason="选错了单位"), decision_id=first["decision_id"], **WITH
    ).record
    assert (undone["kind"], undone["undoes"]) == ("undo", first["decision_id"])
    assert status(engine, "o") == ("open", "", 3)
    assert [one["decision_id"] for one in records(engine)] == [first["decision_id"], undone["decision_id"]]
    with pytest.raises(ZhipaiError) as twice:
        order_life.undo(engine, step("o", "key-00003", reason="再撤一次"), decision_id=first["decision_id"], **WITH)
    assert twice.value.code == "E7954"
    again = dispatch(proposal, key="key-00004", revision=3, actor="li")
    assert status(engine, "o")[0] == "dispatched"
    with pytest.raises(ZhipaiError) as other:
        order_life.undo(engine, step("o", "key-00005", reason="撤旧的"), decision_id=first["decision_id"], **WITH)
    assert other.value.code == "E7956"
    with reading(engine) as connection:
        mine = order_queue.last_decided_by(connection, "li")
        assert mine is not None and mine.decision_id == again["decision_id"]
        assert order_queue.last_decided_by(connection, "zhang") is None, "张的决定已经撤销，没有现行的"


def test_merge_goes_the_way_of_the_other_and_can_be_taken_back(engine: Engine, filed, dispatch) -> None:
    first, second = filed(order_id="a"), filed(order_id="b", text="临江区滨河路那家烧烤店油烟还是没人管，请处理")
    dispatch(first, key="key-00001")
    record = order_life.merge(engine, step("b", "key-00002", reason="同一人"), into="a", **WITH).record
    assert (record["kind"], record["into"]) == ("merge", "a")
    assert status(engine, "b")[:2] == ("merged", first.units[0]["unit"])
    order_life.undo(engine, step("b", "key-00003", reason="不是一件事"), decision_id=record["decision_id"], **WITH)
    assert status(engine, "b")[0] == "open" and second.order["order_id"] == "b"


@pytest.mark.parametrize(("into", "why"), [("b", "就是这张"), ("none", "没有它"), ("r", "不予受理")])
def test_merge_into_something_else_is_refused(engine: Engine, filed, into: str, why: str) -> None:
    filed(order_id="b")
    filed(order_id="r", text="白鹭区湖滨路的路灯坏了三天没人修")
    order_life.refuse(engine, step("r", "key-00001"), disposition=TOLD, **WITH)
    with pytest.raises(ZhipaiError) as caught:
        order_life.merge(engine, step("b", "key-00002", reason="同一人"), into=into, **WITH)
    assert caught.value.code == "E7955" and why in caught.value.message


def test_a_granted_return_waits_again(engine: Engine, filed, dispatch) -> None:
    proposal = filed(order_id="o")
    with pytest.raises(ZhipaiError) as early, writing(engine) as connection:
        order_life.reopen(connection, step("o", "key-00001", reason="同意退回"), body={}, at=NOW)
    assert early.value.code == "E7954"
    dispatch(proposal, key="key-00002")
    with writing(engine) as connection:
        order_life.reopen(connection, step("o", "key-00003", reason="同意退回"), body={"case_kind": "return"}, at=NOW)
        connection.commit()
    assert status(engine, "o")[0] == "returned"
    assert dispatch(proposal, key="key-00004", revision=3)["unit"] == proposal.units[0]["unit"]


def test_nothing_happened_if_the_unit_of_work_is_left_early(engine: Engine, filed, dispatch) -> None:
    dispatch(filed(order_id="o"), key="key-00001")
    with writing(engine) as connection:
        order_life.reopen(connection, step("o", "key-00002", reason="同意退回"), body={}, at=NOW)
    assert status(engine, "o")[0] == "dispatched" and len(records(engine)) == 1


@pytest.mark.parametrize("statement", ["UPDATE order_events SET actor = 'x'", "DELETE FROM order_events"])
def test_what_happened_to_an_order_cannot_be_changed(engine: Engine, filed, statement: str) -> None:
    filed(order_id="o")
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql(statement)
