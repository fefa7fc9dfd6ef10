"""Rank the units for every order of a file: streamed in and out, the user's own columns kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.prepare import Prepared, prepare
from intake.readers import Row, read_columns, read_orders
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from models.ranking import Ranking
from service.ranking import rank_prepared
from service.table_writer import open_writer

#: Orders that are in memory at a time.
CHUNK = 256
TOP = 5
STEP = "逐条排序"
OUR_COLUMNS = (
    *(name for place in range(1, TOP + 1) for name in (f"单位{place}", f"概率{place}")), "候选范围", "疑难", "错误",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predicted:
    """How many rows there were, were ranked, were abstained on, and failed."""

    rows: int
    done: int
    abstained: int
    failed: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def predict_file(
    ranker: UnitRanker,
    encoder: Encoder,
    source: Path,
    out: Path,
    *,
    mapping: Mapping | None,
    gazetteer: Gazetteer,
    as_of: datetime,
    progress: Progress,
) -> Predicted:
    """Write a copy of a file with the ranked units and their probabilities beside the user's own columns.

    A row that cannot be ranked keeps its place and says why in the column 错误. The result appears under its name only
    when it is complete. Memory does not grow with the file.
    """
    theirs = list(dict.fromkeys(read_columns(source)))
    rows = read_orders(source, mapping or Mapping.guess(theirs))
    # A file that is ranked twice (its result ranked again) keeps one set of our columns: the new one.
    kept = [name for name in theirs if name not in OUR_COLUMNS]
    total = done = abstained = failed = 0
    writer = open_writer(out, [*kept, *OUR_COLUMNS])
    try:
        for row, outcome in _ranked(rows, ranker, encoder, gazetteer, as_of):
            total += 1
            if isinstance(outcome, Ranking):
                done += 1
                abstained += outcome.abstained
            else:
                failed += 1
            writer.write([*(row.raw.get(name, "") for name in kept), *_cells(outcome)])
            if total % CHUNK == 0:
                progress(STEP, total, 0)
        writer.commit()
    finally:
        writer.close()
    progress(STEP, total, total)
    return Predicted(total, done, abstained, failed)


def _ranked(
    rows: Iterator[Row], ranker: UnitRanker, encoder: Encoder, gazetteer: Gazetteer, as_of: datetime
) -> Iterator[tuple[Row, Ranking | ZhipaiError]]:
    """Each row with its ranking, or with the error that says why there is none."""
    while chunk := list(islice(rows, CHUNK)):
        prepared = [_prepared(row, gazetteer) for row in chunk]
        good = [one for one in prepared if isinstance(one, Prepared)]
        vectors = encoder.encode([one.text for one in good])
        rankings = iter(rank_prepared(ranker, good, vectors, as_of=as_of, top=TOP))
        for row, one in zip(chunk, prepared, strict=True):
            yield row, next(rankings) if isinstance(one, Prepared) else one


def _prepared(row: Row, gazetteer: Gazetteer) -> Prepared | ZhipaiError:
    if row.order is None:
        return row.error or ZhipaiError("E1001", where=row.place)
    found = prepare(row.order, gazetteer)
    # Nothing but a dispatch hint: there is no text to rank by.
    return found if found.text else ZhipaiError("E1001", where=row.place)


def _cells(outcome: Ranking | ZhipaiError) -> list[str]:
    if isinstance(outcome, ZhipaiError):
        return [""] * (len(OUR_COLUMNS) - 1) + [str(outcome)]
    units: list[str] = []
    for one in outcome.units[:TOP]:
        units += [one.unit, f"{one.probability:.4f}"]
    units += [""] * (2 * TOP - len(units))
    return [*units, "；".join(outcome.coverage_set), outcome.abstain_reason if outcome.abstained else "", ""]
