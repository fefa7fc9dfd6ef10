"""What a unit asks for: 退单, 延期, 不纳入考核, 挂账. The rules answer at once; a person decides, and never the one who asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from intake.unit import UnitDirectory
from rules import RuleEngine, RulePack, WorkCalendar
from rules.fact_dictionary import fact_dictionary
from rules.ruling_gaps import MATERIAL
from service import order_queue
from service.cases_facts import CASE_KINDS, Standing, check_stated, counted_facts, rule_case, standing_of
from service.db.engine import reading, writing
from service.db.tables_queue import CASES
from service.privacy.commitments import seal
from service.privacy.store import put_away
from service.rulings import text_of

register(
    "E7990",
    "工单不在本单位",
    "工单“{order_id}”现在没有派给任何单位（可能已撤销、退回或改派），不能为它提出申请。请刷新后再看。",
    status=409,
)
register("E7994", "已有在审的申请", "这张工单的{kind}申请正在审核（{case_id}），结果出来之前不能再提。", status=409)
register("E7997", "申请内容不全", "{kind}申请{problem}。")

PENDING, ACCEPTED, REFUSED = "pending", "accepted", "refused"
STATUSES = {PENDING: "待审", ACCEPTED: "已同意", REFUSED: "不同意"}
LEAST_REASON, MOST_REASON, MOST_MATERIALS = 2, 4000, 30


@dataclass(frozen=True, slots=True)
class Material:
    """One piece of evidence: its name, where it lies in the unit's own system (may be empty), and which kind of material
    it is (a fact of :func:`service.cases_facts.material_facts`, or empty)."""

    name: str
    link: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a unit. ``facts`` are what it states (:func:`service.cases_facts.may_state`)."""

    order_id: str
    kind: str
    reason: str
    actor: str
    key: str
    facts: Mapping[str, object] = field(default_factory=dict)
    materials: tuple[Material, ...] = ()
    suggested_unit: str = ""

    @property
    def case_id(self) -> str:
        """The same request sent twice has the same number."""
        return "c-" + hashlib.sha256(f"{self.actor}\0{self.key}".encode()).hexdigest()[:32]


def answer_of_rules(
    engine: Engine,
    ask: Ask,
    rules: RuleEngine | RulePack,
    calendar: WorkCalendar,
    *,
    directory: UnitDirectory,
    at: datetime,
    all_rules: bool = False,
) -> dict[str, Any]:
    """What the rules would say to a request; nothing is written. Raises what :func:`submit` raises for its content."""
    with reading(engine) as connection:
        standing = _require_standing(connection, ask.order_id)
        facts = _facts(connection, standing, ask, directory=directory, at=at)
    text = text_of(engine, ask.order_id)
    return rule_case(
        ask.kind,
        facts,
        rules,
        calendar,
        order_id=ask.order_id,
        as_of=at,
        text=text,
        reason=ask.reason,
        all_rules=all_rules,
    )


def submit(
    engine: Engine,
    ask: Ask,
    rules: RuleEngine | RulePack,
    calendar: WorkCalendar,
    *,
    directory: UnitDirectory,
    at: datetime,
) -> tuple[str, bool]:
    """File a request with the answer of the rules, in one transaction.

    Parameters
    ----------
    rules, calendar
        Those in force at ``at``.
    directory : UnitDirectory
        In which the suggested unit has to be in force.

    Returns
    -------
    (str, bool)
        The number of the case, and whether it stood already (the same request sent again).

    Raises
    ------
    ZhipaiError
        E7990 the order is with no unit, E7993 a fact that is not the unit's to state, E7994 another such request waits,
        E7997 reason or materials, E1101 the suggested unit; E3202, E3203 facts; E6403 the key stands for another request.
    """
    _check(ask)
    with reading(engine) as connection:
        if (found := _repeated(connection, ask)) is not None:
            return found, True
    ruling = answer_of_rules(engine, ask, rules, calendar, directory=directory, at=at, all_rules=True)
    with writing(engine) as connection:
        if (found := _repeated(connection, ask)) is not None:
            return found, True
        standing = _require_standing(connection, ask.order_id)
        waiting = select(CASES.c.case_id).where(
            CASES.c.order_id == ask.order_id, CASES.c.kind == ask.kind, CASES.c.status == PENDING
        )
        if other := connection.execute(waiting.limit(1)).scalar():
            raise ZhipaiError("E7994", {"kind": CASE_KINDS[ask.kind], "case_id": other})
        sealed = seal(written(ask), owner=ask.case_id)
        put_away(connection, "shown", ask.case_id, ask.order_id, sealed, at=at)
        connection.execute(
            insert(CASES).values(
                case_id=ask.case_id,
                order_id=ask.order_id,
                kind=ask.kind,
                status=PENDING,
                revision=1,
                unit=standing.unit,
                asked_by=ask.actor,
                asked_at=at.isoformat(),
                commitment=sealed.commitment,
                answer=ruling["answer"],
                suggested_unit=ask.suggested_unit.strip(),
                facts=ruling["facts"],
                ruling=ruling,
                decided_by="",
                decided_at="",
                decision_id=None,
            )
        )
        order_queue.add_event(connection, ask.order_id, "case_asked", actor=ask.actor, at=at, unit=standing.unit)
        connection.commit()
    return ask.case_id, False


def written(ask: Ask) -> dict[str, Any]:
    """What the unit wrote, masked, by JSON pointer: it is put away like the text of an order, and can be erased."""
    rows = [
        {"name": mask_pii(one.name.strip()).text, "link": one.link.strip(), "kind": one.kind} for one in ask.materials
    ]
    found = {"/reason": mask_pii(ask.reason.strip()).text, "/materials": rows}
    return {path: value for path, value in found.items() if value}


def _repeated(connection: Connection, ask: Ask) -> str | None:
    query = select(CASES.c.order_id, CASES.c.kind).where(CASES.c.case_id == ask.case_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    if (row.order_id, row.kind) != (ask.order_id, ask.kind):
        raise ZhipaiError("E6403")
    return ask.case_id


def _require_standing(connection: Connection, order_id: str) -> Standing:
    standing = standing_of(connection, order_id)
    if standing is None:
        raise ZhipaiError("E7990", {"order_id": order_id[:80]})
    return standing


def _facts(
    connection: Connection, standing: Standing, ask: Ask, *, directory: UnitDirectory, at: datetime
) -> dict[str, object]:
    check_stated(ask.kind, ask.facts)
    if ask.suggested_unit.strip():
        directory.require(ask.suggested_unit.strip(), at)
    counted = counted_facts(
        connection,
        standing,
        ask.kind,
        suggested_unit=ask.suggested_unit.strip(),
        material_kinds=[one.kind for one in ask.materials],
        stated=ask.facts,
        at=at,
    )
    return {**ask.facts, **counted}


def _check(ask: Ask) -> None:
    """E7997 unless reason and materials are there and of a size."""

    def fails(problem: str, where: str) -> ZhipaiError:
        return ZhipaiError("E7997", {"kind": CASE_KINDS.get(ask.kind, ""), "problem": problem}, where=where)

    if ask.kind not in CASE_KINDS:
        raise fails(f"的种类只能是{'、'.join(CASE_KINDS)}", "/kind")
    if not LEAST_REASON <= len(ask.reason.strip()) <= MOST_REASON:
        raise fails(f"要写明理由（{LEAST_REASON} 至 {MOST_REASON} 个字）", "/reason")
    if len(ask.materials) > MOST_MATERIALS:
        raise fails(f"最多列 {MOST_MATERIALS} 件材料，其余请合并", "/materials")
    for number, one in enumerate(ask.materials):
        if not 1 <= len(one.name.strip()) <= 200 or len(one.link) > 500:
            raise fails(f"第 {number + 1} 件材料要有名称（200 字以内），位置 500 字以内", f"/materials/{number}")
        if one.kind and (not one.kind.startswith(MATERIAL) or fact_dictionary().get(one.kind) is None):
            raise fails(f"第 {number + 1} 件材料的种类不认识", f"/materials/{number}/kind")
