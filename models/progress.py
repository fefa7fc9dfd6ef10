"""How a long step tells how far it is, without knowing whether anyone watches."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then with the Chinese name of the step, what is done and what there is to do."""

    def __call__(self, step: str, done: int, total: int, /) -> None: ...


def silent(step: str, done: int, total: int, /) -> None:
    """A :class:`Progress` that tells nobody."""
