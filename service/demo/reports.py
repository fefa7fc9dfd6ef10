"""Reports of the demo, each made by the command that makes it anywhere else, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from intake.errors import ZhipaiError, register
from models.progress import Progress
from service import kb_jobs
from service.demo.place import environment
from service.settings import Settings
from service.training import CITY_MAPPING

register(
    "E7965",
    "演示的报告没有做成",
    "{what}没有做成：{problem}。其余的演示数据已经写好；请运行 make demo AGAIN=1 重建。",
    exit_code=3,
)

LOOK_SECONDS = 0.2
STEP = "做报告"


def begin_backtest(settings: Settings, orders: Path) -> subprocess.Popen[bytes]:
    """Start the backtest that goes with the publication of the rules."""
    out = settings.home / "backtest" / "publication"
    out.mkdir(parents=True)
    return _command(
        settings, "rules", "backtest", "--pack", settings.pack, "--orders", str(orders),
        "--mapping", str(CITY_MAPPING), "--workers", "1", "--out", str(out),
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes], what: str) -> None:
    """Wait for a command; E7965 if it failed."""
    _, said = process.communicate()
    if process.returncode != 0:
        lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.startswith("出错")]
        raise ZhipaiError("E7965", {"what": what, "problem": lines[-1] if lines else "命令没有做完"})


def backtest_file(settings: Settings) -> Path:
    return settings.home / "backtest" / "publication" / "backtest.json"


def final_reports(settings: Settings, *, reference: Path, month: Path, entries: int, progress: Progress) -> None:
    """Drift of the month, and what the knowledge base has and lacks. E7965."""
    folder = settings.home / "drift"
    folder.mkdir()
    progress(STEP, 0, 3)
    drift = _command(
        settings, "drift", "--reference", str(reference), "--orders", str(month),
        "--mapping", str(CITY_MAPPING), "--out", str(folder / "month.html"),
    )  # fmt: skip
    jobs: tuple[kb_jobs.Job, ...] = ("check", "gaps")
    titles = {"check": "知识库检查", "gaps": "知识缺口报告"}
    for done, job in enumerate(jobs, start=1):
        kb_jobs.start(settings, job, entries=entries)
        found = kb_jobs.standing(settings, job)
        while found.report is None and not found.problem:
            time.sleep(LOOK_SECONDS)
            found = kb_jobs.standing(settings, job)
        if found.problem:
            raise ZhipaiError("E7965", {"what": titles[job], "problem": found.problem})
        progress(STEP, done, 3)
    finish(drift, "漂移报告")
    progress(STEP, 3, 3)


def _command(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", *arguments],
        env={**os.environ, **environment(settings.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
