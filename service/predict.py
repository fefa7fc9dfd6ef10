"""Rank the units for every order of a file: streamed in and out, the user's own columns kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.prepare import Prepared, prepare
from intake.readers import Row, read_columns, read_orders
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from models.ranking import Ranking
from service.answered_table import Counts, write_answered
from service.ranking import rank_prepared

#: Orders that are in memory at a time.
CHUNK = 256
TOP = 5
STEP = "逐条排序"
OUR_COLUMNS = (
    *(name for place in range(1, TOP + 1) for name in (f"单位{place}", f"概率{place}")), "候选范围", "疑难", "错误",
)  # fmt: skip


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
) -> Counts:
    """Write a copy of a file with the ranked units and their probabilities beside the user's own columns.

    A row that cannot be ranked keeps its place and says why in the column 错误. The result appears under its name only
    when it is complete. Memory does not grow with the file.
    """
    theirs = list(dict.fromkeys(read_columns(source)))
    rows = read_orders(source, mapping or Mapping.guess(theirs))
    return write_answered(
        out,
        _ranked(rows, ranker, encoder, gazetteer, as_of),
        theirs=theirs,
        ours=OUR_COLUMNS,
        cells=_cells,
        progress=progress,
        step=STEP,
        every=CHUNK,
    )


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


def _cells(outcome: Ranking) -> list[str]:
    units: list[str] = []
    for one in outcome.units[:TOP]:
        units += [one.unit, f"{one.probability:.4f}"]
    units += [""] * (2 * TOP - len(units))
    return [*units, "；".join(outcome.coverage_set), outcome.abstain_reason if outcome.abstained else "", ""]
