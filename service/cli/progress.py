"""Progress on the terminal; plain lines where there is none (a log, CI)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Steps:
    """Implements the ``(step, done, total)`` protocol of the other rooms.

    On a terminal every step is a bar; elsewhere a step is one line at its start and one at its end.
    """

    def __init__(self, console: Console):
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._ended: dict[str, bool] = {}
        self._bars: Progress | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._bars is not None:
            if step not in self._tasks:
                self._tasks[step] = self._bars.add_task(step, total=total or None)
            self._bars.update(self._tasks[step], completed=done, total=total or None)
            return
        # A step may come twice (train to measure, train for use): it is announced each time it begins anew.
        if step not in self._ended or (self._ended[step] and done < total):
            self._ended[step] = False
            self._console.print(f"  {step} ……", highlight=False)
        if done >= total > 0 and not self._ended[step]:
            self._ended[step] = True
            self._console.print(f"  {step}，完成（{total}）", highlight=False)


@contextmanager
def steps(*, quiet: bool = False) -> Iterator[Steps]:
    """Progress on stderr, so that stdout holds nothing but the answer."""
    console = Console(stderr=True, quiet=quiet)
    progress = Steps(console)
    if not console.is_terminal:
        yield progress
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("还需"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        progress._bars = bars
        yield progress
