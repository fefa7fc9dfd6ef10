"""``python -m benchmarks [name …]``: run the benchmarks and print one table. ``make bench`` runs all."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from benchmarks import (
    audit_export,
    audit_log,
    batch,
    http_latency,
    kb_scale,
    many_rows,
    peer,
    peer_quality,
    postgres_log,
    privacy,
    rule_backtest,
    rule_engines,
    triage_cpu,
    workbench,
)

ALL = {
    "triage_cpu": triage_cpu,
    "http_latency": http_latency,
    "batch": batch,
    "many_rows": many_rows,
    "rule_engines": rule_engines,
    "rule_backtest": rule_backtest,
    "peer": peer,
    "peer_quality": peer_quality,
    "kb_scale": kb_scale,
    "audit_log": audit_log,
    "postgres_log": postgres_log,
    "audit_export": audit_export,
    "privacy": privacy,
    "workbench": workbench,
}


def main() -> None:
    names = sys.argv[1:] or list(ALL)
    table = Table(title="智派 · 速度与内存（同一次运行内的比值）", title_justify="left")
    for heading in ("项目", "量到的", "目标", "结果"):
        table.add_column(heading)
    for name in names:
        print(f"… {name}", file=sys.stderr, flush=True)
        for row in ALL[name].run():
            table.add_row(row.what, row.figure, row.goal, {True: "达到", False: "未达到", None: "—"}[row.reached])
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
