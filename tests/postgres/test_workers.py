"""Four processes write to one log at once: one sequence, no gap, no fork, whatever becomes of one of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.postgres.conftest import Log

WORKER = Path(__file__).with_name("worker.py")


def work(root: Path, log: Log, shares: Sequence[list[dict]], *, kill_at: int = -1) -> list[list[str]]:
    """One process for each share, all at once; the first dies at ``kill_at``. What each acknowledged."""
    running = [
        subprocess.Popen(
            [sys.executable, str(WORKER), log.url, str(kill_at if number == 0 else -1)],
            cwd=root, env={"PYTHONPATH": str(root), "PATH": ""}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number, _ in enumerate(shares)
    ]  # fmt: skip
    for process, share in zip(running, shares, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps(share))
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=300) for process in running]
    for number, process in enumerate(running):
        expected = -signal.SIGKILL if kill_at >= 0 and number == 0 else 0
        assert process.returncode == expected, said[number][1]
    return [out.split() for out, _ in said]


def test_four_workers_make_one_sequence(root: Path, log: Log) -> None:
    requests = log.proposals(100)
    acknowledged = work(root, log, [requests[number::4] for number in range(4)])
    assert sorted(one for share in acknowledged for one in share) == sorted(log.decided())
    assert len(log.decided()) == 100


def test_the_same_requests_in_four_workers_are_recorded_once_each(root: Path, log: Log) -> None:
    acknowledged = work(root, log, [log.proposals(25)] * 4)
    assert len(log.decided()) == 25
    assert all(share == acknowledged[0] for share in acknowledged), "谁先谁后，得到的都是同一条决定"


# Before the first statement, with the write lock held, with half of what is written on its way, and before the commit.
@pytest.mark.parametrize("kill_at", [0, 3, 6, 9])
def test_a_killed_worker_holds_nobody_up_and_leaves_no_half(root: Path, log: Log, kill_at: int) -> None:
    requests = log.proposals(40)
    shares = [requests[number::4] for number in range(4)]
    acknowledged = work(root, log, shares, kill_at=kill_at)
    assert len(acknowledged[0]) == 5 and all(len(share) == 10 for share in acknowledged[1:])
    assert log.decided() == {one for share in acknowledged for one in share}
    again = work(root, log, [shares[0]])
    assert again[0][:5] == acknowledged[0], "重发的，已记过的不再记"
    assert len(log.decided()) == 40
