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

#: One by one over HTTP, and in the file. The file is larger, as files are: its worker processes take 2 s to start.
SINGLE, FILE = 300, 4000


def run() -> list[Row]:
    texts = city_texts(FILE)
    with own_home() as home:
        with zhipai(home) as service:
            service.post("/v1/triage", {"text": texts[0]})
            started = time.perf_counter()
            for text in texts[:SINGLE]:
                service.post("/v1/triage", {"text": text})
            single = SINGLE / (time.perf_counter() - started)
        batch = _batch_rate(home, texts)
    ratio = batch / single
    return [
        Row(
            "整份文件 ÷ 逐条 HTTP（条/秒）", f"{ratio:.2f} 倍（{batch:.0f} / {single:.0f} 条/秒）", "≥ 3 倍", ratio >= 3
        )
    ]


def _batch_rate(home: Path, texts: list[str]) -> float:
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
