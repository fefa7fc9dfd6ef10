"""Triage of a whole file: the user's own columns come back untouched, ours stand beside them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.readers import Row, read_columns, read_orders
from models.progress import Progress
from service.answered_table import Counts, write_answered
from service.pool import Here, Pool, Processes
from service.proposal import Proposal
from service.settings import Settings

#: Orders that go to a worker at a time.
CHUNK = 32
#: Up to this many rows, starting worker processes costs more than it saves.
SMALL = 150
STEP = "逐条研判"
OUR_COLUMNS = (
    "建议单位1", "概率1", "建议单位2", "概率2", "建议单位3", "概率3", "疑难", "规则提示", "办结到期", "知识条目", "要素缺失", "错误",
)  # fmt: skip


def triage_file(
    path: Path,
    out: Path,
    *,
    columns: Mapping | None,
    sheet: str | None,
    as_of: datetime,
    settings: Settings,
    progress: Progress,
) -> Counts:
    """Propose for every row of a file and write a copy of it with our columns beside the user's own.

    A row that cannot be triaged keeps its place and says why in the column 错误. The result appears under its name
    only when it is complete. A file of more than :data:`SMALL` rows is shared out among worker processes; the
    proposals are the same.
    """
    theirs = list(dict.fromkeys(read_columns(path, sheet=sheet)))
    rows = read_orders(path, columns or Mapping.guess(theirs), sheet=sheet)
    first = list(islice(rows, SMALL + 1))
    rows = chain(first, rows)
    with (Here if len(first) <= SMALL else Processes).opened(settings, as_of) as pool:
        return write_answered(
            out,
            _propose(rows, pool, as_of=as_of, ahead=2 * settings.workers),
            theirs=theirs,
            ours=OUR_COLUMNS,
            cells=_cells,
            progress=progress,
            step=STEP,
            every=CHUNK,
        )


def _propose(
    rows: Iterator[Row], pool: Pool, *, as_of: datetime, ahead: int
) -> Iterator[tuple[Row, Proposal | ZhipaiError]]:
    """Rows in their order, each with its proposal or the error that says why there is none.

    At most ``ahead`` chunks are under way, which bounds memory whatever the size of the file.
    """
    waiting: deque[tuple[list[Row], Future[list[Proposal]]]] = deque()

    def finished() -> Iterator[tuple[Row, Proposal | ZhipaiError]]:
        chunk, future = waiting.popleft()
        proposals = iter(future.result())
        for row in chunk:
            yield row, next(proposals) if row.order else row.error or ZhipaiError("E1001", where=row.place)

    while chunk := list(islice(rows, CHUNK)):
        waiting.append((chunk, pool.submit([row.order for row in chunk if row.order], as_of)))
        if len(waiting) > ahead:
            yield from finished()
    while waiting:
        yield from finished()


def _cells(outcome: Proposal) -> list[str]:
    units: list[str] = []
    for unit in outcome.units[:3]:
        units += [unit["unit"], f"{unit['probability']:.3f}"]
    units += [""] * (6 - len(units))
    hits = [
        verdict["title"] for verdict in outcome.verdicts if verdict["state"] == "hit" and verdict["effect"] != "allow"
    ]
    resolve = next((one for one in outcome.deadlines if one["stage"] == "resolve" and not one["track"]), None)
    due = "" if resolve is None else (resolve["due_at"] or f"无法判断：{resolve['cause']}")
    return [
        *units,
        outcome.abstain_reason if outcome.abstained else "",
        "；".join(hits),
        due[:16].replace("T", " ") if due[:1].isdigit() else due,
        "；".join(f"{entry['id']} {entry['title']}" for entry in outcome.entries[:2]),
        "、".join(outcome.elements.get("missing") or []),
        "",
    ]
