"""Replay (回放): what a decision was taken on, computed again from the order and the snapshots of that day.

The answer is "the same bytes", or a list of what differs, with the reason as far as it is known. What was erased or lost
since is told, and everything that does not need it is still computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.order import WorkOrder
from service.db.engine import reading
from service.db.tables import DECISIONS, PROPOSALS, WORK_ORDERS
from service.privacy.fields import WITHHELD, together
from service.privacy.store import filed_orders, is_open, opened
from service.replay_diff import TOLERANCE, Difference, changed_context, changes, differences
from service.replay_parts import Finder, Found, Missing
from service.replay_steps import all_verdicts, verdicts_by_values, without_ranking
from service.snapshot import Snapshot
from service.snapshot_parts import context_of, gazetteer_id
from service.triage import propose

register(
    "E6552",
    "这种决定没有建议",
    "决定“{decision_id}”的种类是“{kind}”，不是根据一条建议作出的，没有可以回放的内容。只能回放派单类的决定。",
)

register("E6553", "工单文字已删除", "工单“{order_id}”的文字已按规定删除，不能再问“今天会怎样”。")

#: Outcomes → what a person reads.
OUTCOMES = {
    "identical": "逐字节相同",
    "within_tolerance": "在容差内",
    "partial": "能重算的部分相同",
    "different": "有不同",
}
ERASED_TEXT = "工单文字（含脱敏后的）已按规定删除，单位、条目、要素和时限不能重算；规则判定按记录里读到的事实重算"
ERASED_ORIGINAL = "工单原文已按规定删除，按脱敏后的文字重算；masked_paths 只能由原文算出，没有重算"


@dataclass(frozen=True)
class Subject:
    """A proposal as it was shown, and whatever still stands of the order it was made for.

    ``proposal`` lacks its text where that was erased (``readable`` False). ``order``: as filed, else masked, else None.
    """

    proposal_id: str
    order_id: str
    decision_id: str
    proposal: dict[str, Any]
    context: Mapping[str, Any] | None
    created_at: datetime
    order: WorkOrder | None
    original: bool
    readable: bool
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Replay:
    """What a replay found. ``skipped``: JSON pointers of what was not computed again, ``notes`` say why."""

    subject: Subject
    differences: tuple[Difference, ...]
    missing: tuple[Missing, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    environment: tuple[str, ...]

    @property
    def outcome(self) -> str:
        if self.subject.broken or any(not one.within for one in self.differences):
            return "different"
        if self.missing or self.skipped:
            return "partial"
        return "within_tolerance" if self.differences else "identical"

    def as_dict(self) -> dict[str, Any]:
        return {
            "proposal_id": self.subject.proposal_id,
            "decision_id": self.subject.decision_id,
            "order_id": self.subject.order_id,
            "as_of": self.subject.proposal["as_of"],
            "outcome": self.outcome,
            "says": OUTCOMES[self.outcome],
            "differences": [one.as_dict() for one in self.differences],
            "missing": [one.as_dict() for one in self.missing],
            "skipped": list(self.skipped),
            "notes": [*self.subject.broken, *self.notes],
            "environment": list(self.environment),
            "snapshot": self.subject.proposal["snapshot"],
        }


def subject_of_decision(engine: Engine, decision_id: str) -> Subject:
    """What a decision was taken on, from its record; E6404 for an unknown one, E6552 for one without a proposal."""
    with reading(engine) as connection:
        row = connection.execute(
            select(DECISIONS.c.record, DECISIONS.c.kind).where(DECISIONS.c.decision_id == decision_id)
        ).first()
    if row is None:
        raise ZhipaiError("E6404", {"decision_id": decision_id[:80]})
    record = json.loads(row.record)
    if not isinstance(record.get("proposal"), dict):
        raise ZhipaiError("E6552", {"decision_id": decision_id, "kind": row.kind})
    return _subject(engine, record["proposal"], decision_id=decision_id, context=record.get("context"))


def subject_of_proposal(engine: Engine, proposal_id: str) -> Subject:
    """A stored proposal on which nobody need have decided; E6301 for an unknown one."""
    columns = PROPOSALS.c.proposal, PROPOSALS.c.context
    with reading(engine) as connection:
        row = connection.execute(select(*columns).where(PROPOSALS.c.proposal_id == proposal_id)).first()
    if row is None:
        raise ZhipaiError("E6301", {"proposal_id": proposal_id[:80]})
    return _subject(engine, json.loads(row.proposal), context=json.loads(row.context or "null"))


def _subject(
    engine: Engine, stored: dict[str, Any], *, context: Mapping[str, Any] | None, decision_id: str = ""
) -> Subject:
    proposal_id, order_id = stored["proposal_id"], stored["order"]["order_id"]
    broken: list[str] = []
    with reading(engine) as connection:
        created = connection.execute(
            select(PROPOSALS.c.created_at).where(PROPOSALS.c.proposal_id == proposal_id)
        ).scalar_one()
        shown = opened(connection, "shown", [proposal_id]).get(proposal_id)
        filed = opened(connection, "filed", [order_id]).get(order_id)
        original = filed_orders(connection, [order_id]).get(order_id)
        commitment = connection.execute(
            select(WORK_ORDERS.c.commitment).where(WORK_ORDERS.c.order_id == order_id)
        ).scalar()
    withheld = stored.get(WITHHELD)
    if withheld and shown and not is_open(withheld["commitment"], proposal_id, shown):
        broken.append("建议的文字与记录里的承诺值不符：个人信息表被改动过")
    if filed and not is_open((withheld or {}).get("order_as_filed") or commitment, order_id, filed):
        broken.append("工单原文与记录里的承诺值不符：个人信息表被改动过")
    proposal = together(stored, shown.fields if withheld and shown else {})
    readable = withheld is None or shown is not None
    order = _order(original) if original else _order(proposal["order"]) if readable else None
    return Subject(
        proposal_id=proposal_id,
        order_id=order_id,
        decision_id=decision_id,
        proposal=proposal,
        context=context,
        created_at=datetime.fromisoformat(created),
        order=order,
        original=original is not None,
        readable=readable,
        broken=tuple(broken),
    )


def _order(row: Mapping[str, Any]) -> WorkOrder:
    values = {name: value for name, value in row.items() if name != "masked_paths"}
    received = values.pop("received_at", None)
    values["related"] = tuple(values.get("related") or ())
    return WorkOrder(**values, received_at=datetime.fromisoformat(received) if received else None)


def replay(subject: Subject, finder: Finder, *, tolerance: float = TOLERANCE) -> Replay:
    """Compute a proposal again under the snapshots it names."""
    proposal = subject.proposal
    as_of = datetime.fromisoformat(proposal["as_of"])
    found = finder.find(proposal["snapshot"], as_of=as_of, created_at=subject.created_at, context=subject.context)
    snapshot = found.snapshot()
    notes: list[str] = []
    if subject.order is None:
        now = verdicts_by_values(proposal, found.rules, as_of)
        notes.append(ERASED_TEXT)
    elif snapshot is None:
        now = without_ranking(subject.order, proposal, found, as_of)
    else:
        asked = all_verdicts(proposal)
        now = propose(subject.order, as_of=as_of, snapshot=snapshot, all_verdicts=asked).as_dict()
    skipped = _all_but(proposal, now)
    if subject.order is not None and not subject.original:
        skipped.append("/order/masked_paths")
        notes.append(ERASED_ORIGINAL)
    then = {name: proposal[name] for name in now}
    if "order" in now and not subject.original:
        now["order"] = now["order"] | {"masked_paths": then["order"]["masked_paths"]}
    environment = changed_context(subject.context, _context(finder, subject.context, found))
    told: list[Difference] = []
    if canonical_json(then) != canonical_json(now):
        told = [_explained(one, environment) for one in differences(then, now, tolerance=tolerance)]
    return Replay(
        subject=subject,
        differences=tuple(told),
        missing=tuple(found.missing),
        skipped=tuple(skipped),
        notes=tuple(notes),
        environment=tuple(environment),
    )


def what_if(subject: Subject, snapshot: Snapshot, *, as_of: datetime) -> dict[str, Any]:
    """What the proposal would be under another snapshot and instant, as a diff of units, verdicts and deadlines.

    Raises
    ------
    ZhipaiError
        E6553 where the text of the order was erased.
    """
    if subject.order is None:
        raise ZhipaiError("E6553", {"order_id": subject.order_id})
    now = propose(subject.order, as_of=as_of, snapshot=snapshot, all_verdicts=all_verdicts(subject.proposal)).as_dict()
    return {
        "as_of": now["as_of"],
        "snapshot": now["snapshot"],
        "changed_snapshot": sorted(
            name for name, value in now["snapshot"].items() if subject.proposal["snapshot"][name] != value
        ),
        "changes": changes(subject.proposal, now),
        "proposal": now,
    }


def _all_but(proposal: Mapping[str, Any], computed: Iterable[str]) -> list[str]:
    given = {"proposal_id", "as_of", "snapshot", "order"}
    return sorted(f"/{name}" for name in proposal if name not in computed and name not in given)


def _context(finder: Finder, then: Mapping[str, Any] | None, found: Found) -> dict[str, Any]:
    """Where the replay runs. The gazetteer of that day was used where it was found."""
    gazetteer = gazetteer_id(finder.settings) if found.gazetteer is None else (then or {}).get("gazetteer", "")
    return context_of(finder.encoder.id, gazetteer)


def _explained(one: Difference, environment: list[str]) -> Difference:
    if environment:
        return replace(one, why="当时与现在的环境不同：" + "；".join(environment))
    if one.within:
        return replace(one, why="末位不同，在容差内")
    return replace(one, why="原因不明：快照与环境都相同。请连同这份结果报给维护者")
