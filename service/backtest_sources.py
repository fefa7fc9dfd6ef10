"""Where the orders of a backtest come from: a file through a column mapping, or the decision log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, func, select

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from intake.order import WorkOrder
from intake.readers import Row, read_columns, read_orders
from intake.unit import UnitDirectory
from rules.backtest import Truth
from rules.vocabulary import State
from service.backtest_facts import Item
from service.db.engine import reading
from service.db.tables import DECISIONS, PROPOSALS, WORK_ORDERS
from service.db.tables_privacy import PERSONAL_DATA
from service.privacy.fields import together

register("E3403", "没有受理时间", "这张工单没有受理时间，按受理时刻回测时不能判断。")
register("E6551", "工单原文已删除", "这张工单的个人信息已按规定删除，没有原文可以重新判断。")

#: Decisions that are read from the database at a time.
PAGE = 500

#: An order, or the code of what is wrong with the row.
Entry = Item | str


class Source(Protocol):
    """Hands out orders one by one, in the same order every time."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> dict[str, str]: ...
    @property
    def directory(self) -> UnitDirectory | None: ...
    def entries(self, as_of: datetime | None) -> Iterator[Entry]: ...


@dataclass
class OrderFile:
    """A file of historic orders. ``columns`` None: recognised by their names."""

    path: Path
    columns: Mapping | None
    sheet: str | None = None
    truths: Sequence[Truth] = ()
    mapping: Mapping = field(init=False)
    directory: UnitDirectory | None = field(init=False)

    def __post_init__(self) -> None:
        names = read_columns(self.path, sheet=self.sheet)
        self.mapping = self.columns or Mapping.guess(dict.fromkeys(names))
        self.directory = self.mapping.directory_for(self.path)
        for truth in self.truths:
            if truth.column not in names:
                raise ZhipaiError("E3402", {"spec": truth.name, "problem": f"文件里没有列“{truth.column}”"})

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def identity(self) -> dict[str, str]:
        """Content hashes of the file and of what says how it is read."""
        with self.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        mapping = hashlib.sha256(repr((self.mapping, self.sheet)).encode()).hexdigest()
        return {"file": content, "mapping": mapping, "directory": self.directory.id if self.directory else ""}

    def entries(self, as_of: datetime | None) -> Iterator[Entry]:
        """The orders; rules are read at ``as_of``, or where it is None at 受理时间 (rows without one are E3403)."""
        seen: list[set[bytes]] = [set() for _ in self.truths]
        for row in read_orders(self.path, self.mapping, sheet=self.sheet):
            flags = tuple(_flag(truth, row, before) for truth, before in zip(self.truths, seen, strict=True))
            if row.order is None:
                yield row.error.code if row.error else "E1001"
                continue
            moment = as_of or row.order.received_at
            if moment is None:
                yield "E3403"
                continue
            units = (row.order.unit,) if row.order.unit else ()
            yield Item(row.number, row.order, moment, units, flags=flags)


def _flag(truth: Truth, row: Row, before: set[bytes]) -> bool:
    value = row.raw.get(truth.column, "").strip()
    if "重复" in truth.values:
        # A short hash of each value: 8 bytes an order are kept, and only where this is asked for.
        key = hashlib.blake2b(value.encode("utf-8", "ignore"), digest_size=8).digest()
        repeated = bool(value) and key in before
        before.add(key)
        return repeated
    return value in truth.values or ("*" in truth.values and value != "")


@dataclass
class DecisionLog:
    """The orders on which people decided, as they were filed, with what the logged proposal said."""

    engine: Engine
    gates: Sequence[str]
    since: datetime | None = None
    until: datetime | None = None
    directory: UnitDirectory | None = None
    last: int = field(init=False)

    def __post_init__(self) -> None:
        # What is decided while the backtest runs is left out.
        with reading(self.engine) as connection:
            self.last = connection.execute(select(func.max(DECISIONS.c.sequence))).scalar() or 0

    name = "决定记录"

    @property
    def identity(self) -> dict[str, str]:
        span = f"{self.since} {self.until}"
        return {"log": f"{self.last} {span}", "directory": self.directory.id if self.directory else ""}

    def entries(self, as_of: datetime | None) -> Iterator[Entry]:
        """The orders by sequence; rules are read at ``as_of``, or where it is None at the instant of the proposal."""
        sequence = 0
        while rows := self._page(sequence):
            for row in rows:
                sequence = row.sequence
                decided = datetime.fromisoformat(row.created_at)
                if (self.since and decided < self.since) or (self.until and decided >= self.until):
                    continue
                if row.fields is None:
                    yield "E6551"
                    continue
                proposal = json.loads(row.proposal)
                proposed_at = datetime.fromisoformat(proposal["as_of"])
                original = together(row.original, json.loads(row.fields))
                order = _order(original, unit=row.unit, proposed_at=proposed_at)
                units = tuple(unit["unit"] for unit in proposal["units"])
                moment = as_of or proposed_at
                yield Item(row.sequence, order, moment, units, logged=self._logged(proposal))

    def _logged(self, proposal: dict[str, Any]) -> dict[str, State]:
        return {
            verdict["rule_id"]: verdict["state"]
            for verdict in proposal["verdicts"]
            if verdict["gate"] in self.gates and verdict["state"] != "pass"
        }

    def _page(self, after: int) -> Sequence[Any]:
        query = (
            select(
                DECISIONS.c.sequence,
                DECISIONS.c.unit,
                DECISIONS.c.created_at,
                WORK_ORDERS.c.original,
                PROPOSALS.c.proposal,
                PERSONAL_DATA.c.fields,
            )
            .join(WORK_ORDERS, WORK_ORDERS.c.order_id == DECISIONS.c.order_id)
            .join(PROPOSALS, PROPOSALS.c.proposal_id == DECISIONS.c.proposal_id)
            .outerjoin(
                PERSONAL_DATA,
                (PERSONAL_DATA.c.kind == "filed") & (PERSONAL_DATA.c.owner == WORK_ORDERS.c.order_id),
            )
            .where(DECISIONS.c.sequence > after, DECISIONS.c.sequence <= self.last)
            .order_by(DECISIONS.c.sequence)
            .limit(PAGE)
        )
        with reading(self.engine) as connection:
            return connection.execute(query).all()


def _order(row: dict[str, Any], *, unit: str, proposed_at: datetime) -> WorkOrder:
    """A stored order with the unit that was decided on; as in triage, an order without 受理时间 came in when it was
    proposed on."""
    received = datetime.fromisoformat(row["received_at"]) if row.get("received_at") else proposed_at
    return WorkOrder(**(row | {"received_at": received, "related": tuple(row.get("related") or ()), "unit": unit}))
