"""Batch triage of a file against the same orders one by one over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import Row, city_texts, own_home
from benchmarks.server import zhipai
from service.settings import settings

#: One by one over HTTP, and in the file. The file is larger, as files are: its worker processes take 2 s to start.
SINGLE, FILE = 300, 4000
#: Calls before the clock starts.
WARM = 20


def run() -> list[Row]:
    """Beside the service as ``make serve`` starts it, where each of its processes has its share of the cores; and beside
    a single process, which encodes a long text on two."""
    texts = city_texts(FILE)
    with own_home() as home:
        file = _file_rate(home, texts)
        single = {workers: _single_rate(home, texts[:SINGLE], workers) for workers in (settings().workers, 1)}
    return [
        Row(
            f"整份文件 ÷ 逐条 HTTP（条/秒），{workers} 个服务进程",
            f"{file / rate:.2f} 倍（{file:.0f} / {rate:.0f} 条/秒）",
            "≥ 3 倍",
            file >= 3 * rate,
        )
        for workers, rate in single.items()
    ]


def _single_rate(home: Path, texts: list[str], workers: int) -> float:
    """Proposals a second, one after the other, of a service of so many processes."""
    with zhipai(home, workers=workers) as service:
        for text in texts[:WARM]:
            service.post("/v1/triage", {"text": text})
        started = time.perf_counter()
        for text in texts:
            service.post("/v1/triage", {"text": text})
        return len(texts) / (time.perf_counter() - started)


def _file_rate(home: Path, texts: list[str]) -> float:
    """Rows a second of ``zhipai triage --file``, loading taken off by timing two sizes."""
    seconds = []
    for count in (1, len(texts)):
        source, out = home / "in.jsonl", home / "out.jsonl"
        source.write_text("".join(json.dumps({"诉求内容": text}) + "\n" for text in texts[:count]), encoding="utf-8")
        command = [sys.executable, "-m", "service", "triage", "--file", str(source), "--out", str(out), "--json"]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=_environment(home))
        seconds.append(time.perf_counter() - started)
    return (len(texts) - 1) / (seconds[1] - seconds[0])


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ZHIPAI_HOME": str(home)}
