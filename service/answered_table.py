"""A copy of somebody's table with our columns beside the user's own: streamed, whole or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from intake.errors import ZhipaiError
from intake.readers import Row
from models.progress import Progress
from service.table_writer import open_writer


class Outcome(Protocol):
    """What a row got, if it got anything."""

    @property
    def abstained(self) -> bool: ...


T = TypeVar("T", bound=Outcome)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows there were, were answered, were abstained on, and failed."""

    rows: int
    done: int
    abstained: int
    failed: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def write_answered(
    out: Path,
    answered: Iterable[tuple[Row, T | ZhipaiError]],
    *,
    theirs: Sequence[str],
    ours: Sequence[str],
    cells: Callable[[T], list[str]],
    progress: Progress,
    step: str,
    every: int,
) -> Counts:
    """Write every row with its outcome; memory does not grow with the table.

    Parameters
    ----------
    theirs, ours : sequence of str
        The user's columns and ours, of which the last says why a row has no answer. A table that went through before
        keeps one set of our columns: the new one.
    cells : callable
        The cells of an outcome, as many as ``ours``.
    every : int
        Rows between two reports of progress.
    """
    kept = [name for name in theirs if name not in ours]
    total = done = abstained = failed = 0
    writer = open_writer(out, [*kept, *ours])
    try:
        for row, outcome in answered:
            total += 1
            if isinstance(outcome, ZhipaiError):
                failed += 1
                told = [""] * (len(ours) - 1) + [str(outcome)]
            else:
                done += 1
                abstained += outcome.abstained
                told = cells(outcome)
            writer.write([*(row.raw.get(name, "") for name in kept), *told])
            if total % every == 0:
                progress(step, total, 0)
        writer.commit()
    finally:
        writer.close()
    progress(step, total, total)
    return Counts(total, done, abstained, failed)
