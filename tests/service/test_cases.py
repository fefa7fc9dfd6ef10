"""What a unit asks for: the answer of the rules, somebody else's decision, and what follows in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from intake.errors import ZhipaiError
from service import clock, order_queue
from service.access import Scope
from service.api.app import create_app
from service.audit_query import AuditFilter
from service.audit_stats import decision_stats
from service.cases import Ask, Material, submit
from service.cases_read import CaseFilter, add_reply, list_cases, may_see, read_case, replies_of, unit_orders
from service.cases_review import Review, review
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS, OUTBOX
from service.decisions import DecisionRequest, decide
from service.order_life import Step, undo
from service.privacy.erase import Eraser, Selection, erase
from service.settings import Settings
from service.snapshot import Snapshot
from tests.service.access.conftest import PASSWORD, Browser, Town, put
from tests.service.pages.conftest import NOW, SMOKE, desk, engine, filed

__all__ = ["desk", "engine", "filed"]
PHONE = "13912345678"


@dataclass
class Office:
    """A database with one order that was dispatched an hour ago, and what one does with it."""

    engine: Engine
    snapshot: Snapshot
    order_id: str
    unit: str
    decision_id: str

    def ask(self, kind: str = "return", *, at: datetime = NOW, **more: Any) -> str:
        asked = Ask(
            self.order_id,
            kind,
            more.pop("reason", "按三定方案不属于本单位职责，建议改派"),
            more.pop("actor", "danwei"),
            more.pop("key", uuid.uuid4().hex),
            **more,
        )
        snapshot = self.snapshot
        found, _ = submit(self.engine, asked, snapshot.rules, snapshot.calendar, directory=snapshot.directory, at=at)
        return found

    def review(self, case_id: str, choice: str = "accept", *, at: datetime = NOW, **more: Any) -> dict[str, Any]:
        asked = Review(
            case_id,
            choice,  # type: ignore[arg-type]
            more.pop("reason", "核对了职责清单"),
            more.pop("actor", "banzhang"),
            "shift_lead",
            more.pop("key", uuid.uuid4().hex),
            **more,
        )
        done = review(
            self.engine,
            asked,
            rules=self.snapshot.rules,
            calendar=self.snapshot.calendar,
            software="test",
            request_id="r-1",
            at=at,
        )
        return done.record

    def case(self, case_id: str) -> dict[str, Any]:
        with reading(self.engine) as connection:
            return read_case(connection, case_id)

    def row(self) -> order_queue.Row:
        with reading(self.engine) as connection:
            return order_queue.require_row(connection, self.order_id)

    def log(self) -> list[dict[str, Any]]:
        with reading(self.engine) as connection:
            rows = connection.execute(select(DECISIONS.c.record).order_by(DECISIONS.c.sequence)).scalars()
            return [json.loads(row) for row in rows]


@pytest.fixture
def send(engine: Engine, snapshot: Snapshot) -> Callable[..., str]:
    """Dispatch an order to the first unit of its proposal, or to another; the decision's number."""

    def dispatch(proposal: Any, *, unit: str = "", at: datetime = NOW) -> str:
        first = proposal.units[0]["unit"]
        unit = unit or first
        action = "accept" if unit == first else "override"
        request = DecisionRequest(proposal.proposal_id, action, unit, "paidan", "职责", uuid.uuid4().hex)  # type: ignore[arg-type]
        done = decide(engine, request, directory=lambda: snapshot.directory, software="test", request_id="r", at=at)
        return str(done.record["decision_id"])

    return dispatch


@pytest.fixture
def office(engine: Engine, snapshot: Snapshot, filed: Callable[..., Any], send: Callable[..., str]) -> Office:
    proposal = filed(SMOKE, order_id="o-1", order_type="投诉", at=NOW - timedelta(hours=2))
    decision = send(proposal, at=NOW - timedelta(hours=1))
    return Office(engine, snapshot, "o-1", proposal.units[0]["unit"], decision)


def refusal(error: pytest.ExceptionInfo[ZhipaiError]) -> str:
    return error.value.code


def test_an_accepted_return_puts_the_order_back_with_one_record_and_one_event(office: Office) -> None:
    case_id = office.ask(facts={"duty_basis_given": True}, suggested_unit="云汀市生态环境局")
    case = office.case(case_id)
    assert (case["status"], case["unit"], case["asked_by"]) == ("pending", office.unit, "danwei")
    assert case["facts"]["suggested_unit_given"] is True and case["facts"]["return_count_same_unit"] == 1
    assert case["ruling"]["gate"] == "return" and case["answer"] == case["ruling"]["answer"]
    assert any(one["stage"] == "return" for one in case["ruling"]["deadlines"]), "退回时限来自规则"
    assert office.row().status == "dispatched", "只是申请，什么也没有变"

    record = office.review(case_id)
    assert {name: record[name] for name in ("kind", "case_kind", "outcome", "choice", "unit", "order_id", "case_id")} == {
        "kind": "case", "case_kind": "return", "outcome": "accepted", "choice": "accept", "unit": office.unit,
        "order_id": "o-1", "case_id": case_id,
    }  # fmt: skip
    assert record["verdicts"] and record["as_of"] == NOW.isoformat() and record["actor"] == "banzhang"
    row = office.row()
    assert (row.status, row.unit) == ("returned", "")
    reopened = office.log()[-1]
    assert (reopened["kind"], reopened["returned_by"], reopened["undoes"]) == (
        "reopen",
        office.unit,
        office.decision_id,
    )
    with reading(office.engine) as connection:
        event = connection.execute(
            select(OUTBOX.c.event).where(OUTBOX.c.decision_id == record["decision_id"])
        ).scalar_one()
    assert event["type"] == "zhipai.case.decided" and event["data"]["outcome"] == "accepted"
    assert office.case(case_id)["status"] == "accepted"
    stats = decision_stats(office.engine, AuditFilter())["groups"][0]
    assert (stats["returned"]["k"], stats["returned"]["n"]) == (1, 1), "退单率读得到"


def test_a_refused_one_changes_nothing_but_the_case(office: Office) -> None:
    case_id = office.ask()
    office.review(case_id, "refuse", reason="属于本单位职责")
    assert office.row().status == "dispatched" and office.case(case_id)["status"] == "refused"
    assert [one["kind"] for one in office.log()] == ["dispatch", "case"]
    again = office.ask()
    assert office.case(again)["facts"]["return_count_same_unit"] == 2, "第二次申请，规则看得到"


def test_nobody_reviews_his_own_and_nobody_reviews_twice(office: Office) -> None:
    case_id = office.ask(actor="lao-wang")
    with pytest.raises(ZhipaiError) as own:
        office.review(case_id, actor=" lao-wang ")
    assert refusal(own) == "E7996"
    first = office.review(case_id, "refuse", key="one-review")
    assert office.review(case_id, "refuse", key="one-review") == first, "同一次审核重发，不写两次"
    with pytest.raises(ZhipaiError) as late:
        office.review(case_id, "accept")
    assert refusal(late) == "E7992" and "banzhang" in late.value.message
    assert [one["kind"] for one in office.log()] == ["dispatch", "case"]


def test_what_has_moved_on_cannot_be_accepted(office: Office, filed: Callable[..., Any], snapshot: Snapshot) -> None:
    case_id = office.ask()
    step = Step("o-1", "paidan", "dispatcher", "派错了", uuid.uuid4().hex)
    undo(office.engine, step, decision_id=office.decision_id, software="test", request_id="r", at=NOW)
    with pytest.raises(ZhipaiError) as gone:
        office.review(case_id)
    assert refusal(gone) == "E7995"
    with pytest.raises(ZhipaiError) as nowhere:
        office.ask("extension", facts={"extension_workdays": 3})
    assert refusal(nowhere) == "E7990"
    office.review(case_id, "refuse")
    assert office.row().status == "open"


@pytest.mark.parametrize(
    ("code", "kind", "more"),
    [
        ("E7993", "return", {"facts": {"return_approved": True}}),
        ("E7993", "return", {"facts": {"return_count_same_unit": 0}}),
        ("E7993", "extension", {"facts": {"duty_basis_given": True}}),
        ("E3202", "return", {"facts": {"no_such_fact": True}}),
        ("E3203", "extension", {"facts": {"extension_workdays": "很久"}}),
        ("E7997", "return", {"reason": " 退 "}),
        ("E7997", "closure", {}),
        ("E7997", "extension", {"materials": (Material(""),)}),
        ("E7997", "extension", {"materials": (Material("照片", kind="material_of_gold"),)}),
        ("E1101", "return", {"suggested_unit": "没有这个局"}),
    ],
)
def test_what_may_not_be_asked_is_refused_and_leaves_nothing(
    office: Office, code: str, kind: str, more: dict[str, Any]
) -> None:
    with pytest.raises(ZhipaiError) as error:
        office.ask(kind, **more)
    assert refusal(error) == code
    with reading(office.engine) as connection:
        assert list_cases(connection, CaseFilter(""), scope=Scope.everything()) == []


def test_the_same_request_twice_is_one_and_another_of_its_kind_waits(office: Office) -> None:
    case_id = office.ask(key="same-request")
    assert office.ask(key="same-request") == case_id
    with pytest.raises(ZhipaiError) as key:
        office.ask("suspension", key="same-request")
    with pytest.raises(ZhipaiError) as second:
        office.ask()
    assert (refusal(key), refusal(second)) == ("E6403", "E7994")
    assert office.ask("suspension") != case_id, "另一种申请可以同时提"


def test_an_extension_moves_the_deadline_by_working_days(office: Office) -> None:
    before = datetime.fromisoformat(office.row().due_at)
    first = office.ask("extension", facts={"extension_workdays": 5})
    assert office.case(first)["facts"]["extension_count"] == 0
    office.review(first)
    after = datetime.fromisoformat(office.row().due_at)
    assert timedelta(days=5) <= after - before <= timedelta(days=12), "五个工作日，跨一个或两个周末"
    assert office.row().status == "dispatched"
    second = office.ask("extension", facts={"extension_workdays": 2})
    assert office.case(second)["facts"]["extension_count"] == 1
    office.review(second)
    assert datetime.fromisoformat(office.row().due_at) > after


def test_materials_not_listed_are_missing_and_the_reviewer_may_add_what_he_verified(office: Office) -> None:
    case_id = office.ask("exclusion", materials=(Material("情况说明.docx", kind="material_statement"),))
    case = office.case(case_id)
    states = {one["name"]: one["state"] for one in case["ruling"]["checklist"]}
    assert states["material_statement"] == "given" and states["material_contact_record"] == "missing"
    record = office.review(case_id, facts={"material_contact_record": True, "materials_reviewed": True})
    assert record["verified"] == {"material_contact_record": True, "materials_reviewed": True}
    assert record["ruling"]["facts"]["material_contact_record"] is True
    assert office.case(case_id)["facts"]["material_contact_record"] is False, "单位说的仍是单位说的"


def test_what_the_unit_wrote_is_not_in_the_log_and_can_be_erased(office: Office) -> None:
    case_id = office.ask(reason=f"来电人{PHONE}说找错了单位，请改派", materials=(Material(f"{PHONE}通话记录"),))
    add_reply(office.engine, "o-1", f"已到现场，联系{PHONE}", actor="danwei", at=NOW)
    assert PHONE not in json.dumps(office.case(case_id), ensure_ascii=False)
    office.review(case_id, "refuse")
    assert "找错了单位" not in json.dumps(office.log(), ensure_ascii=False)
    with reading(office.engine) as connection:
        assert "已到现场" in replies_of(connection, "o-1")[0]["text"]
    eraser = Eraser("bz-1", "本人要求", "security_admin")
    erase(office.engine, Selection(("o-1",), with_text=True), eraser, software="test", at=NOW)
    case = office.case(case_id)
    assert (case["reason"], case["materials"], case["erased"]) == ("", [], True)
    with reading(office.engine) as connection:
        assert replies_of(connection, "o-1")[0]["text"] == ""


def test_lists_show_what_lies_in_the_scope_and_page_through(
    office: Office, filed: Callable[..., Any], send: Callable[..., str]
) -> None:
    for number in range(5):
        proposal = filed(f"{SMOKE}{number}", order_id=f"p-{number}", at=NOW + timedelta(minutes=number))
        send(proposal, unit=office.unit, at=NOW + timedelta(minutes=number))
    office.ask("return")
    mine, other = Scope.of(units=[office.unit]), Scope.of(units=["别的局"])
    with reading(office.engine) as connection:
        first = unit_orders(connection, scope=mine, most=4)
        rest = unit_orders(connection, scope=mine, after=f"{first[-1].row.due_at}|{first[-1].row.order_id}")
        shown = [one.row.order_id for one in (*first, *rest)]
        assert sorted(shown) == ["o-1", "p-0", "p-1", "p-2", "p-3", "p-4"] and len(first) == 4
        assert [one.pending for one in (*first, *rest) if one.row.order_id == "o-1"] == [("return",)]
        assert unit_orders(connection, scope=other) == []
        assert len(list_cases(connection, CaseFilter(), scope=mine)) == 1
        assert list_cases(connection, CaseFilter(), scope=other) == []
        assert may_see(connection, "o-1", mine) and not may_see(connection, "o-1", other)


# Over HTTP, with accounts


@pytest.fixture
def town(desk: Settings, snapshot: Snapshot) -> Iterator[Town]:
    engine = make_engine(desk.url)
    now = clock.now(desk.time_zone)
    put(engine, "danwei", "unit", at=now, units=["云汀市城市管理局"])
    put(engine, "bieju", "unit", at=now, units=["云汀市民政局"])
    put(engine, "banzhang", "shift_lead", at=now)
    put(engine, "paidan", "dispatcher", at=now)
    with TestClient(create_app(desk), raise_server_exceptions=False) as client:
        yield Town(client, desk, engine)
    engine.dispose()


def test_a_unit_asks_and_a_shift_lead_decides_over_http(town: Town) -> None:
    paidan, danwei, bieju, banzhang = (
        Browser(town, name, PASSWORD) for name in ("paidan", "danwei", "bieju", "banzhang")
    )
    proposal = paidan.send("POST", "/v1/orders", json={"text": SMOKE, "order_id": "h-1"}).json()
    decision = {
        "proposal_id": proposal["proposal_id"],
        "action": "override",
        "unit": "云汀市城市管理局",
        "reason": "职责",
    }
    if proposal["units"][0]["unit"] == "云汀市城市管理局":
        decision["action"] = "accept"
    sent = paidan.http.post(
        "/v1/decisions", json=decision, headers={"X-CSRF-Token": paidan.csrf, "Idempotency-Key": "h-1-dispatch"}
    )
    assert sent.status_code == 201, sent.text

    def post(browser: Browser, path: str, body: dict[str, Any], key: str) -> Any:
        return browser.http.post(path, json=body, headers={"X-CSRF-Token": browser.csrf, "Idempotency-Key": key})

    wanted = {"order_id": "h-1", "kind": "return", "reason": "不属于本单位职责"}
    assert post(bieju, "/v1/cases", wanted, "key-other-unit").json()["code"] == "E6521"
    assert post(banzhang, "/v1/cases", wanted, "key-shift-lead").json()["code"] == "E6521"
    case = post(danwei, "/v1/cases", wanted, "key-of-unit")
    assert case.status_code == 201, case.text
    assert post(danwei, "/v1/cases", wanted, "key-of-unit").status_code == 200
    case_id = case.json()["case_id"]
    assert bieju.http.get("/v1/cases").json()["cases"] == []
    assert bieju.http.get(f"/v1/cases/{case_id}").json()["code"] == "E6521"
    assert [one["case_id"] for one in danwei.http.get("/v1/cases").json()["cases"]] == [case_id]
    verdict = {"choice": "accept", "reason": "核对了职责清单", "revision": 1}
    assert post(danwei, f"/v1/cases/{case_id}/decision", verdict, "key-own").json()["code"] == "E6521"
    decided = post(banzhang, f"/v1/cases/{case_id}/decision", verdict, "key-lead")
    assert decided.status_code == 201 and decided.json()["outcome"] == "accepted", decided.text
    assert paidan.http.get("/v1/orders", params={"status": "returned"}).json()["orders"][0]["order_id"] == "h-1"
    assert post(banzhang, "/v1/cases/c-none/decision", verdict, "key-none").json()["code"] == "E7991"
