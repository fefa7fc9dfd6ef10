"""The decision log as labels for training: what stands of it, joined with returns (退单), written as JSONL.

Returns are those asked for here, and those that another system exported.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from service.cases import ACCEPTED, PENDING, REFUSED
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.db.tables_privacy import PERSONAL_DATA
from service.db.tables_queue import CASES
from service.privacy.fields import WITHHELD, together
from service.privacy.store import opened
from training.feedback import Dispatch, Label, Outcome, Return, labels, outcome_of

register(
    "E6321",
    "退单文件有误",
    "退单文件“{path}”{problem}。它应是 CSV，有这几列：工单编号、单位、退回时间、理由、结果（同意、驳回、待定）。",
)
COLUMNS = ("工单编号", "单位", "退回时间", "理由", "结果")
#: Rows of the log read at a time.
PART = 500
_OUTCOMES: dict[str, Outcome] = {PENDING: "open", ACCEPTED: "agreed", REFUSED: "refused"}


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """Orders that were decided, those with a label by basis, and those that the suggestion got right."""

    orders: int
    labelled: int
    accepted: int
    overridden: int
    return_refused: int
    open: int

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def write_feedback(engine: Engine, out: Path, *, returns: Path | None = None, time_zone: str) -> FeedbackSummary:
    """Write one line an order; the file appears when it is complete.

    Parameters
    ----------
    returns : Path, optional
        Returns exported by the system in which units send orders back (columns :data:`COLUMNS`).
    time_zone : str
        Of instants in ``returns`` that have none.

    Raises
    ------
    ZhipaiError
        E6321 and E5202 for a bad file of returns; E6004 for the database.
    """
    sent_back = [*read_cases(engine), *(read_returns(returns, time_zone=time_zone) if returns else ())]
    found = labels(read_dispatches(engine), sent_back, taken_back=read_taken_back(engine))
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            for label in found:
                file.write(json.dumps(label.as_row(), ensure_ascii=False) + "\n")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return _summary(found)


def _summary(found: list[Label]) -> FeedbackSummary:
    counts = Counter(label.basis for label in found)
    return FeedbackSummary(
        orders=len(found),
        labelled=sum(bool(label.label) for label in found),
        accepted=counts["accepted"],
        overridden=counts["overridden"],
        return_refused=counts["return_refused"],
        open=counts["open"],
    )


def read_dispatches(engine: Engine) -> Iterator[Dispatch]:
    """Every dispatch in the log whose order still has its (masked) text."""
    shown = (PERSONAL_DATA.c.kind == "shown") & (PERSONAL_DATA.c.owner == DECISIONS.c.proposal_id)
    with reading(engine) as connection:
        found = connection.execution_options(yield_per=PART).execute(
            select(DECISIONS.c.record, PERSONAL_DATA.c.fields)
            .outerjoin(PERSONAL_DATA, shown)
            .where(DECISIONS.c.kind == "dispatch")
            .order_by(DECISIONS.c.sequence)
        )
        for row in found:
            record = json.loads(row.record)
            proposal = record["proposal"]
            if WITHHELD in proposal:
                if row.fields is None:
                    continue
                proposal = together(proposal, json.loads(row.fields))
            first: dict[str, Any] = next(iter(proposal["units"]), {})
            yield Dispatch(
                decision_id=record["decision_id"],
                order_id=record["order_id"],
                at=datetime.fromisoformat(record["decided_at"]),
                unit=record["unit"],
                reason=record["reason"],
                proposed=first.get("unit", ""),
                probability=first.get("probability", 0.0),
                model=record["snapshot"]["model"],
                order=proposal["order"],
            )


def read_taken_back(engine: Engine) -> frozenset[str]:
    """Ids of the decisions that were taken back (撤销) or whose order came back with consent (退回待派)."""
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind.in_(("undo", "reopen")))
    with reading(engine) as connection:
        return frozenset(json.loads(record)["undoes"] for record in connection.execute(query).scalars())


def read_cases(engine: Engine) -> list[Return]:
    """The returns that units asked for here; without the reason where it was erased."""
    query = select(CASES.c.case_id, CASES.c.order_id, CASES.c.unit, CASES.c.asked_at, CASES.c.status)
    with reading(engine) as connection:
        rows = connection.execute(query.where(CASES.c.kind == "return").order_by(CASES.c.asked_at)).all()
        written = opened(connection, "shown", [row.case_id for row in rows])
    return [
        Return(
            order_id=row.order_id,
            unit=row.unit,
            at=datetime.fromisoformat(row.asked_at),
            reason=str(written[row.case_id].fields.get("/reason", "")) if row.case_id in written else "",
            outcome=_OUTCOMES[row.status],
        )
        for row in rows
    ]


def read_returns(path: Path, *, time_zone: str) -> Iterator[Return]:
    """The returns of a CSV file, their reasons masked; E6321, E5202."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
            if missing:
                raise ZhipaiError("E6321", {"path": path.name, "problem": f"没有列“{'、'.join(missing)}”"})
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ZhipaiError("E6321", {"path": path.name, "problem": f"读不出来（{type(error).__name__}）"}) from error
    for number, row in enumerate(rows, start=2):
        try:
            at = datetime.fromisoformat((row["退回时间"] or "").strip().replace("/", "-"))
        except ValueError as error:
            problem = f"第 {number} 行的退回时间看不懂，应写成 2026-05-01 09:30"
            raise ZhipaiError("E6321", {"path": path.name, "problem": problem}) from error
        order_id = (row["工单编号"] or "").strip()
        yield Return(
            order_id=order_id,
            unit=(row["单位"] or "").strip(),
            at=at if at.tzinfo else at.replace(tzinfo=ZoneInfo(time_zone)),
            reason=mask_pii((row["理由"] or "").strip()).text,
            outcome=outcome_of(row["结果"] or "", order_id),
        )
