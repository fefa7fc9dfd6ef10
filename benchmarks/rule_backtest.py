"""``python -m benchmarks rule_backtest``: orders a second of a backtest, with facts derived and with facts kept."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.common import Row
from intake.mapping import Mapping
from intake.prepare import prepare
from rules import load_pack
from service.backtest import run_backtest
from service.backtest_facts import Item, derive
from service.backtest_sources import OrderFile
from service.backtest_state import Outcome, Plan
from service.settings import ROOT, settings
from service.snapshot import load_gazetteer
from service.triage import TRIAGE_GATES

AS_OF = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
NEW, OLD = "jinan", "national"
ORDERS = 1000


def run() -> list[Row]:
    file = _orders()
    gazetteer = load_gazetteer(settings())
    items = [one for one in islice(file.entries(AS_OF), ORDERS) if isinstance(one, Item)]
    derive(items[0], gazetteer, file.directory)
    started = time.perf_counter()
    for item in items:
        prepare(item.order, gazetteer)
    preparing = time.perf_counter() - started
    started = time.perf_counter()
    for item in items:
        derive(item, gazetteer, file.directory)
    deriving = time.perf_counter() - started
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        plan = Plan(
            new=load_pack(NEW),
            old=load_pack(OLD),
            gates=TRIAGE_GATES,
            as_of=AS_OF,
            moment=AS_OF.isoformat(),
            gazetteer=gazetteer,
            workers=os.cpu_count() or 1,
            cache=Path(folder) / "facts",
        )
        first, second = (_run(plan, file, Path(folder) / "checkpoint.json") for _ in range(2))
    evaluated, speed = second.tally.evaluated, second.speed
    return [
        Row("回测：整理一条工单的文字（脱敏、去提示、要素）", f"{len(items) / preparing:,.0f} 条/秒，一个进程"),
        Row("回测：从工单推断事实，连同整理", f"{len(items) / deriving:,.0f} 条/秒，一个进程"),
        Row("回测：求值并计数，事实已有", f"{speed.evaluations / speed.counting:,.0f} 次/秒，一个进程（两个规则包）"),
        Row(f"回测：{evaluated:,} 条真实或示范工单，第一次", f"{evaluated / first.speed.wall:,.0f} 条/秒"),
        Row("回测：同一批工单再来一次，事实取自缓存", f"{evaluated / speed.wall:,.0f} 条/秒（{plan.workers} 个进程）"),
    ]


def _run(plan: Plan, file: OrderFile, checkpoint: Path) -> Outcome:
    return run_backtest(plan, file, checkpoint=checkpoint, resume=False, progress=lambda step, done, total: None)


def _orders() -> OrderFile:
    """Real orders, if they are on this machine; else those of the bundled city."""
    folder = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data")) / "haikou_12345_orders"
    mappings = ROOT / "datasets" / "mappings"
    if folder.is_dir():
        return OrderFile(folder / "orders.csv", Mapping.from_file(mappings / "haikou.yaml"))
    return OrderFile(ROOT / "datasets" / "city" / "orders.jsonl", Mapping.from_file(mappings / "city.yaml"))


if __name__ == "__main__":
    for line in run():
        print(f"{line.what}　{line.figure}")
