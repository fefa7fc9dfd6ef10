"""Triage of a whole file: the user's own columns come back untouched, ours stand beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.readers import Row, read_columns, read_orders
from models.progress import Progress
from service.proposal import Proposal
from service.snapshot import Snapshot
from service.table_writer import open_writer
from service.triage import propose_many

CHUNK = 256
OUR_COLUMNS = (
    "建议单位1", "概率1", "建议单位2", "概率2", "建议单位3", "概率3", "疑难", "规则提示", "办结到期", "知识条目", "要素缺失", "错误",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How many rows there were, got a proposal, were abstained on, and failed."""

    rows: int
    done: int
    abstained: int
    failed: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def triage_file(
    path: Path,
    out: Path,
    *,
    columns: Mapping | None,
    sheet: str | None,
    as_of: datetime,
    snapshot: Snapshot,
    progress: Progress,
) -> BatchSummary:
    """Propose for every row of a file and write a copy of it with our columns beside the user's own.

    A row that cannot be triaged keeps its place and says why in the column 错误. The result appears under its name
    only when it is complete.
    """
    theirs = list(dict.fromkeys(read_columns(path, sheet=sheet)))
    rows = read_orders(path, columns or Mapping.guess(theirs), sheet=sheet)
    total = done = abstained = failed = 0
    writer = open_writer(out, [*theirs, *OUR_COLUMNS])
    try:
        while chunk := list(islice(rows, CHUNK)):
            for row, outcome in _propose_chunk(chunk, as_of=as_of, snapshot=snapshot):
                total += 1
                if isinstance(outcome, Proposal):
                    done += 1
                    abstained += outcome.abstained
                else:
                    failed += 1
                writer.write([*(row.raw.get(name, "") for name in theirs), *_cells(outcome)])
            progress("逐条研判", total, 0)
        writer.commit()
    finally:
        writer.close()
    progress("逐条研判", total, total)
    return BatchSummary(rows=total, done=done, abstained=abstained, failed=failed)


def _propose_chunk(
    chunk: list[Row], *, as_of: datetime, snapshot: Snapshot
) -> Iterator[tuple[Row, Proposal | ZhipaiError]]:
    """Rows in their order, each with its proposal or the error that says why there is none."""
    proposals = propose_many([row.order for row in chunk if row.order], as_of=as_of, snapshot=snapshot)
    for row in chunk:
        yield row, next(proposals) if row.order else row.error or ZhipaiError("E1001", where=row.place)


def _cells(outcome: Proposal | ZhipaiError) -> list[str]:
    if isinstance(outcome, ZhipaiError):
        return [""] * (len(OUR_COLUMNS) - 1) + [str(outcome)]
    units: list[str] = []
    for unit in outcome.units[:3]:
        units += [unit["unit"], f"{unit['probability']:.3f}"]
    units += [""] * (6 - len(units))
    hits = [verdict["title"] for verdict in outcome.verdicts if verdict["state"] == "hit"]
    resolve = next((one for one in outcome.deadlines if one["stage"] == "resolve"), None)
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
