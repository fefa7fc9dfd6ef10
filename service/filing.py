"""Filing: an order becomes a stored proposal and a line in the queue, one by one or a whole file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from intake.order import WorkOrder, check_order
from intake.readers import Row, read_columns, read_orders
from models.progress import Progress
from service import order_queue
from service.db.engine import writing
from service.orders import store_proposal, with_order_id
from service.proposal import Proposal
from service.snapshot import Snapshot
from service.triage import BATCH, propose, propose_many

register(
    "E7957",
    "工单没有编号",
    "这一行没有工单编号。整份登记要有编号，才能在中断之后再次导入而不重复；请在文件或列对应关系里给出“工单编号”。",
)


@dataclass(frozen=True, slots=True)
class Filed:
    """A filed order. ``repeated``: it stood in the queue already, and nothing was written."""

    proposal: Proposal
    repeated: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """Rows of a file: read, filed, already there, refused; ``problems`` are the first refusals, with their places."""

    rows: int
    filed: int
    repeated: int
    failed: int
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__} | {"problems": list(self.problems)}


#: Problems of a file that are told.
TOLD = 20


def file_order(engine: Engine, order: WorkOrder, *, snapshot: Snapshot, actor: str, at: datetime) -> Filed:
    """Propose for a new order, store it and put it into the queue as 待派.

    The proposal is stored first: a filing that was cut off in between is completed by filing the same order again.
    A number that stands in the queue already with the same content is a repeat; its first proposal stays.

    Raises
    ------
    ZhipaiError
        E1001–E1004 for the order, E6302 for a number that stands for another order, E6001–E6004 for the database.
    """
    order = with_order_id(order)
    proposal = propose(order, as_of=at, snapshot=snapshot)
    return Filed(proposal, repeated=not _store(engine, order, proposal, snapshot, actor=actor, at=at))


def _store(
    engine: Engine, order: WorkOrder, proposal: Proposal, snapshot: Snapshot, *, actor: str, at: datetime
) -> bool:
    store_proposal(engine, order, proposal, at=at, snapshot=snapshot)
    with writing(engine) as connection:
        new = order_queue.put(connection, proposal, actor=actor, at=at)
        connection.commit()
    return new


def propose_again(
    engine: Engine, order: WorkOrder, row: order_queue.Row, *, snapshot: Snapshot, actor: str, at: datetime
) -> Proposal:
    """A proposal for an order that waits, by what is in force now; E7951 and E7952 if it does not wait as it was shown."""
    proposal = propose(order, as_of=at, snapshot=snapshot)
    store_proposal(engine, order, proposal, at=at, snapshot=snapshot)
    with writing(engine) as connection:
        order_queue.check_waiting(connection, row, revision=None, at=at)
        order_queue.put_proposal(connection, row, proposal, actor=actor, at=at)
        connection.commit()
    return proposal


def import_orders(
    path: Path,
    engine: Engine,
    *,
    columns: Mapping | None,
    sheet: str | None,
    snapshot: Snapshot,
    actor: str,
    at: datetime,
    progress: Progress,
) -> Imported:
    """File every row of a file, some at a time; what is filed stays filed if a later row fails or the import is cut off.

    Importing the same file again files what is missing. Rows without a number get one from the software, so that a second
    import of such a file would file them twice: they are refused.
    """
    theirs = list(dict.fromkeys(read_columns(path, sheet=sheet)))
    rows = read_orders(path, columns or Mapping.guess(theirs), sheet=sheet)
    total = filed = repeated = 0
    problems: list[str] = []
    failed = 0

    def fails(error: ZhipaiError) -> None:
        nonlocal failed
        failed += 1
        if len(problems) < TOLD:
            problems.append(str(error))

    while part := list(islice(rows, BATCH)):
        total += len(part)
        orders = []
        for row in part:
            try:
                orders.append(_whole(row))
            except ZhipaiError as error:
                fails(error)
        for order, proposal in zip(orders, _proposals(orders, snapshot, at), strict=True):
            try:
                new = _store(engine, order, proposal, snapshot, actor=actor, at=at)
            except ZhipaiError as error:
                if error.status >= 500:
                    raise
                fails(error)
                continue
            filed += new
            repeated += not new
        progress("登记工单", total, total)
    return Imported(total, filed, repeated, failed, tuple(problems))


def _whole(row: Row) -> WorkOrder:
    if row.order is None:
        raise row.error or ZhipaiError("E1001", where=row.place)
    if not row.order.order_id:
        raise ZhipaiError("E7957", where=row.place)
    return check_order(row.order, where=row.place)


def _proposals(orders: list[WorkOrder], snapshot: Snapshot, at: datetime) -> Iterator[Proposal]:
    return propose_many(orders, as_of=at, snapshot=snapshot) if orders else iter(())
