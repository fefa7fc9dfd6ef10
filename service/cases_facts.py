"""The facts of a case: what the unit may say, what only the office may say, and what the service counts for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from intake.errors import ZhipaiError, register
from rules import RuleEngine, RulePack, WorkCalendar, compute_deadlines
from rules.evaluate import rules_in_force
from rules.fact_dictionary import Fact, fact_dictionary
from rules.ruling_gaps import MATERIAL
from rules.vocabulary import KINDS
from service import order_queue
from service.db.tables import ROUTINGS
from service.db.tables_queue import CASES
from service.privacy.store import filed_orders
from service.rulings import RulingRequest, make_ruling

register(
    "E7993",
    "这个事实不在这里填写",
    "“{label}”（{name}）不在这里填写：{why}。请去掉这一项。",
)

#: Kind of a case → the gate that judges it (they have the same names), and the instant of the request.
CASE_KINDS = {"return": "退单", "extension": "延期", "exclusion": "不纳入考核", "suspension": "挂账"}
#: What the office that reviews knows or decides. A unit that says so would be judge in its own matter.
OFFICE = frozenset({
    "return_approved", "return_rejected", "return_review_overdue", "return_rate_abnormal", "return_to_city_requested",
    "return_to_city_reviewed", "ruling_made", "ruling_recorded", "designated_by_ruling", "coordination_failed",
    "office_coordination_failed", "consultation_done", "service_fault_count", "extension_approved",
    "exclusion_approved", "exclusion_accuracy_checked", "exclusion_reason_proved", "materials_reviewed",
    "materials_missing", "suspended", "suspension_counted", "days_since_review",
})  # fmt: skip
#: What follows from the order, its dispatches and earlier cases, or from the form itself.
COUNTED = frozenset({
    "return_requested", "return_requested_at", "return_in_window", "return_count_same_unit", "handling_unit_count",
    "suggested_unit_given", "extension_requested", "extension_requested_at", "extension_in_time", "extension_count",
    "extension_reason_given", "extension_new_due_stated", "exclusion_requested", "exclusion_requested_at",
    "exclusion_refused_before", "suspension_requested", "suspension_requested_at", "suspension_in_time",
    "responsible_unit_named", "dispatched_at", "due_at", "kind",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a dispatched order stands: with which unit, since when (aware), by which decision."""

    order_id: str
    unit: str
    since: datetime
    decision_id: str


def standing_of(connection: Connection, order_id: str) -> Standing | None:
    """With which unit an order is now; None if with none: never dispatched, or taken back, returned, refused since."""
    latest = (
        select(ROUTINGS.c.unit, ROUTINGS.c.created_at, ROUTINGS.c.decision_id)
        .where(ROUTINGS.c.order_id == order_id)
        .order_by(ROUTINGS.c.routing_id.desc())
        .limit(1)
    )
    found = connection.execute(latest).first()
    if found is None:
        return None
    row = order_queue.read_row(connection, order_id)
    # An order that was only asked about and then dispatched was never in the queue.
    if row is not None and (row.status != order_queue.DISPATCHED or row.decision_id != found.decision_id):
        return None
    return Standing(order_id, found.unit, datetime.fromisoformat(found.created_at), found.decision_id)


def may_state(fact: Fact, gate: str) -> bool:
    """Whether a unit may say this fact in its request."""
    here = not fact.gates or gate in fact.gates
    return (
        here
        and fact.source == "person"
        and fact.name not in OFFICE | COUNTED
        and fact.name[: len(MATERIAL)] != MATERIAL
    )


def may_verify(fact: Fact, gate: str) -> bool:
    """Whether the reviewer may fill in or correct this fact."""
    return (not fact.gates or gate in fact.gates) and fact.source == "person" and fact.name not in COUNTED


def asked_facts(pack: RulePack, gate: str, *, as_of: datetime) -> list[Fact]:
    """What the form of a request asks: the facts that the rules in force read and a unit may say."""
    read = _read(pack, gate, as_of)
    return [fact for fact in fact_dictionary() if fact.name in read and may_state(fact, gate)]


def verified_facts(pack: RulePack, gate: str, *, as_of: datetime) -> list[Fact]:
    """What the reviewer may fill in or correct: the facts that the rules in force read."""
    read = _read(pack, gate, as_of)
    return [fact for fact in fact_dictionary() if fact.name in read and may_verify(fact, gate)]


def _read(pack: RulePack, gate: str, as_of: datetime) -> set[str]:
    return {name for rule in rules_in_force(pack, as_of=as_of, gate=gate) for name in rule.reads}


def material_facts(gate: str) -> list[Fact]:
    """The kinds of material that a gate knows."""
    return [
        fact for fact in fact_dictionary() if fact.name.startswith(MATERIAL) and (not fact.gates or gate in fact.gates)
    ]


def check_stated(gate: str, facts: Mapping[str, object]) -> None:
    """E7993 for a fact that a unit may not say; what is no fact at all is the dictionary's to refuse."""
    for name in facts:
        fact = fact_dictionary().get(name)
        if fact is None or may_state(fact, gate):
            continue
        here = not fact.gates or gate in fact.gates
        why = "由审核的人核实" if name in OFFICE else "由系统按记录得出" if here else f"与{CASE_KINDS[gate]}无关"
        raise ZhipaiError("E7993", {"label": fact.short_name, "name": name, "why": why}, where=f"/facts/{name}")


def check_verified(gate: str, facts: Mapping[str, object]) -> None:
    """E7993 for a fact that the reviewer does not fill in."""
    for name in facts:
        fact = fact_dictionary().get(name)
        if fact is not None and not may_verify(fact, gate):
            why = "由系统按记录得出" if name in COUNTED else f"与{CASE_KINDS[gate]}无关，或不由人填写"
            raise ZhipaiError("E7993", {"label": fact.short_name, "name": name, "why": why}, where=f"/facts/{name}")


def counted_facts(
    connection: Connection,
    standing: Standing,
    gate: str,
    *,
    suggested_unit: str,
    material_kinds: Iterable[str],
    stated: Mapping[str, object],
    at: datetime,
    before: str = "",
) -> dict[str, Any]:
    """What the service knows of an order at the instant of a request (``before``: the case itself, not counted)."""
    order_id, unit = standing.order_id, standing.unit
    filed = filed_orders(connection, [order_id]).get(order_id, {})
    facts: dict[str, Any] = {
        f"{gate}_requested": True,
        f"{gate}_requested_at": at.isoformat(),
        "dispatched_at": standing.since.isoformat(),
    }
    if filed.get("order_type") in KINDS:
        facts["kind"] = filed["order_type"]
    given = set(material_kinds)
    # The list is the whole of what was handed in, so that what is not on it is missing, not unknown.
    facts |= {fact.name: fact.name in given for fact in material_facts(gate)}
    mine = select(func.count()).where(CASES.c.order_id == order_id, CASES.c.kind == gate, CASES.c.case_id != before)
    if gate == "return":
        units = select(func.count(ROUTINGS.c.unit.distinct())).where(ROUTINGS.c.order_id == order_id)
        facts["suggested_unit_given"] = bool(suggested_unit)
        facts["return_count_same_unit"] = 1 + connection.execute(mine.where(CASES.c.unit == unit)).scalar_one()
        facts["handling_unit_count"] = connection.execute(units).scalar_one()
    elif gate == "extension":
        facts["extension_reason_given"] = True
        facts["extension_new_due_stated"] = "extension_workdays" in stated
        facts["extension_count"] = connection.execute(mine.where(CASES.c.status == "accepted")).scalar_one()
    elif gate == "exclusion":
        facts["exclusion_refused_before"] = connection.execute(mine.where(CASES.c.status == "refused")).scalar_one() > 0
    else:
        facts["responsible_unit_named"] = True
    if gate in ("extension", "suspension") and (due := _extended_due(connection, order_id)):
        facts["due_at"] = due
    return facts


def _extended_due(connection: Connection, order_id: str) -> str:
    """When the order is due, if an extension was granted; empty otherwise: the rules then count for themselves."""
    granted = select(CASES.c.case_id).where(
        CASES.c.order_id == order_id, CASES.c.kind == "extension", CASES.c.status == "accepted"
    )
    if connection.execute(granted.limit(1)).first() is None:
        return ""
    row = order_queue.read_row(connection, order_id)
    return row.due if row is not None else ""


def rule_case(
    gate: str,
    facts: Mapping[str, object],
    rules: RuleEngine | RulePack,
    calendar: WorkCalendar,
    *,
    order_id: str,
    as_of: datetime,
    text: str = "",
    reason: str | None = None,
    all_rules: bool = False,
) -> dict[str, Any]:
    """What the rules of the day of the request say. E3202, E3203 for facts that do not fit the dictionary."""
    question = RulingRequest(
        gate,
        as_of,
        facts,
        return_reason=reason if gate == "return" else None,
        text=text,
        order_id=order_id,
        all_rules=all_rules,
    )
    return make_ruling(question, rules, calendar)


def deadlines_since(standing: Standing, pack: RulePack, calendar: WorkCalendar, *, kind: str) -> list[dict[str, Any]]:
    """The hotline's own deadlines of an order that is with a unit, counted from its dispatch."""
    found = compute_deadlines(
        pack, kind=kind if kind in KINDS else "", start=standing.since, as_of=standing.since, calendar=calendar
    )
    return [{name: value for name, value in one.as_dict().items() if name != "days"} for one in found]
