"""Folders that appear whole or not at all, and hashes of what is in them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _alive(pid: str) -> bool:
    return pid.isdecimal() and Path(f"/proc/{pid}").exists()


def _sweep(parent: Path, name: str) -> None:
    """Remove what processes that were killed left."""
    for left in parent.glob(f".{name}.building-*"):
        if not _alive(left.name.rpartition("-")[2]):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder under ``parent``, gone after the block; what killed processes left goes too."""
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent, name)
    folder = parent / f".{name}.building-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Give an empty folder beside ``target``; move it to ``target`` when the block ends without an exception.

    A reader of ``target`` sees the old content, or for an instant none, or the new; never a part. When another process
    has put the same folder there meanwhile, the last one stays.
    """
    with scratch(target.parent, target.name) as aside:
        yield aside
        _swap(aside, target)


def _swap(aside: Path, target: Path) -> None:
    """Move ``aside`` to ``target``. The lock makes two processes that finish together do it one after the other."""
    old = aside.with_name(aside.name.replace(".building-", ".old-"))
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            target.rename(old)
        aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
