"""Somebody who did not ask decides on a case: record, event, queue and case in one transaction, or nothing."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, insert, select, update

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from rules import RuleEngine, RulePack, WorkCalendar
from service import order_life
from service.access.names import said
from service.cases import ACCEPTED, PENDING, REFUSED, STATUSES
from service.cases_effects import Decided, event_of, take_effect
from service.cases_facts import check_verified, rule_case, standing_of
from service.db.engine import reading, writing
from service.db.tables import OUTBOX
from service.db.tables_queue import CASES
from service.log import Recorded, append_record, standing_record

register("E7991", "没有这个申请", "没有编号为“{case_id}”的申请。请核对编号。", status=404)
register("E7992", "申请已经审核", "这个申请已由{who}审核（{what}）。您的这一次没有写入。", status=409)
register(
    "E7995",
    "工单已不在该单位",
    "工单“{order_id}”已不在{unit}（已撤销、退回或改派），不能同意这个申请；可以不同意，并写明原因。",
    status=409,
)
register("E7996", "不能审核自己的申请", "这个申请是您自己提出的，不能由您审核。请换一位审核人。", status=403)
Choice = Literal["accept", "refuse"]
KIND = "case"


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody decides on a case. ``facts``: what he verified himself, which go before what the unit said.
    ``revision``: the state of the case that was shown; None where the caller does not know it."""

    case_id: str
    choice: Choice
    reason: str
    actor: str
    role: str
    key: str
    facts: Mapping[str, object] = field(default_factory=dict)
    revision: int | None = None

    def digest(self) -> str:
        content: list[Any] = [self.case_id, self.choice, self.actor, mask_pii(self.reason).text, dict(self.facts)]
        return hashlib.sha256(canonical_json(content)).hexdigest()


def ruling_with(
    case: Mapping[str, Any], facts: Mapping[str, object], rules: RuleEngine | RulePack, calendar: WorkCalendar
) -> dict[str, Any]:
    """What the rules of the day of the request say with what the reviewer verified. Without that it is what they said.

    Raises
    ------
    ZhipaiError
        E7993 for a fact that nobody fills in, E3202, E3203 for one that does not fit the dictionary.
    """
    if not facts:
        return dict(case["ruling"])
    check_verified(case["kind"], facts)
    asked = datetime.fromisoformat(case["asked_at"])
    given = {name: value for name, value in case["facts"].items() if name not in case["ruling"]["derived"]}
    return rule_case(
        case["kind"], {**given, **facts}, rules, calendar, order_id=case["order_id"], as_of=asked, all_rules=True
    )


def review(
    engine: Engine,
    asked: Review,
    *,
    rules: RuleEngine | RulePack,
    calendar: WorkCalendar,
    software: str,
    request_id: str,
    at: datetime,
) -> Recorded:
    """Accept or refuse.

    An accepted return puts the order back into the queue (退回待派); an accepted extension moves its deadline. The other
    two change nothing but their own state: what they mean for figures is for those who read the log.

    Parameters
    ----------
    rules, calendar
        Those in force when the case was asked for.

    Raises
    ------
    ZhipaiError
        E7991 no such case, E7992 decided already, E7995 the order is with another unit by now, E7996 one's own request,
        E7953 no reason, E7952 the case or the order changed, E6403 the key; E6001–E6004 database.
    """
    if len(asked.reason.strip()) < order_life.LEAST_REASON:
        raise ZhipaiError("E7953", {"what": "审核"}, where="/reason")
    with reading(engine) as connection:
        row = require_case(connection, asked.case_id)
    ruling = ruling_with(dict(row._mapping), asked.facts, rules, calendar)
    with writing(engine) as connection:
        digest = asked.digest()
        standing = standing_record(connection, key=asked.key, digest=digest)
        if standing is not None:
            return standing
        case = require_case(connection, asked.case_id)
        _check(connection, case, asked)
        decision_id, content = _record(connection, case, asked, ruling, digest, software, request_id, at)
        _mark(connection, case, asked, decision_id, at)
        decided = Decided(asked.choice == "accept", asked.actor, asked.role, asked.reason, asked.key, decision_id, at)
        take_effect(connection, case, decided, rules=rules, calendar=calendar, software=software, request_id=request_id)
        connection.execute(
            insert(OUTBOX).values(
                event_id=f"e-{uuid.uuid4().hex}",
                decision_id=decision_id,
                event=event_of(case, decided),
                created_at=at.isoformat(),
            )
        )
        connection.commit()
    return Recorded(content, repeated=False)


def require_case(connection: Connection, case_id: str) -> Row[Any]:
    """The row of a case; E7991."""
    row = connection.execute(select(CASES).where(CASES.c.case_id == case_id)).first()
    if row is None:
        raise ZhipaiError("E7991", {"case_id": case_id[:80]})
    return row


def _check(connection: Connection, case: Row[Any], asked: Review) -> None:
    if case.status != PENDING:
        who = said(connection, case.decided_by)
        raise ZhipaiError("E7992", {"who": who, "what": STATUSES[case.status]})
    if asked.actor.strip() == case.asked_by.strip():
        raise ZhipaiError("E7996")
    if asked.revision is not None and asked.revision != case.revision:
        raise ZhipaiError("E7952", {"what": STATUSES[case.status]})
    now = standing_of(connection, case.order_id)
    if asked.choice == "accept" and (now is None or now.unit != case.unit):
        raise ZhipaiError("E7995", {"order_id": case.order_id, "unit": case.unit})


def _record(
    connection: Connection,
    case: Row[Any],
    asked: Review,
    ruling: Mapping[str, Any],
    digest: str,
    software: str,
    request_id: str,
    at: datetime,
) -> tuple[str, bytes]:
    """The record. What the unit wrote is not in it, only the salted commitment to that."""
    return append_record(
        connection,
        kind=KIND,
        body={
            "case_id": case.case_id,
            "case_kind": case.kind,
            "order_id": case.order_id,
            "unit": case.unit,
            "actor": asked.actor,
            "role": asked.role,
            "choice": asked.choice,
            "outcome": ACCEPTED if asked.choice == "accept" else REFUSED,
            "reason": mask_pii(asked.reason.strip()).text,
            "asked": {
                "by": case.asked_by,
                "at": case.asked_at,
                "suggested_unit": case.suggested_unit,
                "written": case.commitment,
            },
            "as_of": case.asked_at,
            "snapshot": dict(ruling["snapshot"]),
            "ruling": {
                name: ruling[name]
                for name in ("ruling_id", "gate", "answer", "decided_by", "undetermined", "facts", "derived")
            },
            "verified": dict(asked.facts),
            "verdicts": ruling["verdicts"],
            "software": software,
            "request_id": request_id,
        },
        key=asked.key,
        digest=digest,
        at=at,
        columns={"order_id": case.order_id},
    )


def _mark(connection: Connection, case: Row[Any], asked: Review, decision_id: str, at: datetime) -> None:
    done = connection.execute(
        update(CASES)
        .where(CASES.c.case_id == case.case_id, CASES.c.revision == case.revision)
        .values(
            status=ACCEPTED if asked.choice == "accept" else REFUSED,
            revision=case.revision + 1,
            decided_by=asked.actor,
            decided_at=at.isoformat(),
            decision_id=decision_id,
        )
    )
    if done.rowcount != 1:
        raise ZhipaiError("E7952", {"what": "有人抢先一步"})
