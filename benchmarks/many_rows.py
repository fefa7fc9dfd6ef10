"""``python -m benchmarks many_rows``: a file of 1,000,000 orders through the reader of training, and what memory that takes.

The rows are orders of the bundled city, each with a number of its own; ``ZHIPAI_BENCH_ROWS`` makes the file shorter. Each
size is read in a process of its own. Training itself is not run: it never sees more than the bound.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.common import Row
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.readers import read_orders
from service.settings import ROOT
from training.dataset import Counts, training_set

ROWS = int(os.environ.get("ZHIPAI_BENCH_ROWS", "1000000"))
#: Orders that are kept in this measurement, and how much more memory ten times the file may take.
KEPT, MOST = 20_000, 1.1
MAPPING = {"columns": {"text": "text", "order_id": "id", "unit": "unit"}}


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        found = []
        for rows in (ROWS // 10, ROWS):
            path = Path(folder) / f"{rows}.csv"
            _write(path, rows)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found.append(pool.submit(_read, path).result())
            path.unlink()
    (_, small, _), (counts, large, seconds) = found
    return [
        Row(
            f"{counts.read:,} 行工单读成训练集，留最新的 {KEPT:,} 条：内存峰值",
            f"{large:,.0f} MB（{ROWS // 10:,} 行时 {small:,.0f} MB；较早的 {counts.older:,} 条没有用）",
            f"≤ {MOST} 倍",
            large <= MOST * small,
        ),
        Row("同上，用时", f"{seconds:,.0f} 秒（{counts.read / seconds:,.0f} 行/秒）"),
    ]


def _write(path: Path, rows: int) -> None:
    lines = (ROOT / "datasets" / "city" / "orders.jsonl").read_text(encoding="utf-8").splitlines()
    orders = [json.loads(line) for line in lines]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text", "unit"))
        for number in range(rows):
            order = orders[number % len(orders)]
            writer.writerow((f"B{number}", f"{order['text']}（{number}）", order["unit"]))


def _read(path: Path) -> tuple[Counts, float, float]:
    """Where the rows went, peak memory in MB, seconds."""
    started = time.perf_counter()
    rows = read_orders(path, Mapping.from_dict(MAPPING))
    counts = training_set(rows, gazetteer=Gazetteer.empty(), directory=None, most=KEPT).counts
    return counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - started
