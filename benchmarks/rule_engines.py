"""``python -m benchmarks.rule_engines``: evaluations a second of the three evaluators, at the size of one city's pack."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from benchmarks.common import Row
from rules import RuleEngine, evaluate, load_pack
from rules.evaluate import rules_in_force
from rules.fact_dictionary import fact_dictionary
from rules.generated import GeneratedRules

PACK = "weifang"
CASES = 500


def cases() -> list[dict[str, object]]:
    """Facts as they come up in triage and later: most are known, few are true."""
    source = random.Random(7)
    rows: list[dict[str, object]] = []
    for _ in range(CASES):
        row: dict[str, object] = {}
        for fact in fact_dictionary():
            if source.random() < 0.8:
                values = {"bool": [True] + [False] * 6, "int": range(12), "str": list(fact.values) or ["某单位"]}
                row[fact.name] = source.choice(list(values[fact.type]))
        rows.append(row)
    return rows


def rate(work: Callable[[dict[str, object]], object], rows: Sequence[dict[str, object]]) -> float:
    """Evaluations a second, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for row in rows:
            work(row)
        best = min(best, time.perf_counter() - start)
    return len(rows) / best


def run() -> list[Row]:
    pack, as_of = load_pack(PACK), datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
    rules = rules_in_force(pack, as_of=as_of)
    rows, dictionary = cases(), fact_dictionary()
    engine = RuleEngine(pack)
    generated = GeneratedRules(rules)
    reference = rate(lambda row: evaluate(pack, row, as_of=as_of), rows)
    states = rate(lambda row: generated.states(dictionary.check(row)), rows)
    online = rate(lambda row: engine.evaluate(row, as_of=as_of), rows)
    triage = rate(lambda row: engine.evaluate(row, as_of=as_of, gate="acceptance"), rows)
    trusted = f"不一致 {engine.disagreement_count}，故障 {engine.fault_count}"
    engine.close()
    size = f"{len(rules)} 条规则"
    return [
        Row(f"规则：参考求值器，全部关口，{size}", f"{reference:,.0f} 次/秒（连同判定）"),
        Row("规则：生成的 Python，只求状态", f"{states:,.0f} 次/秒，为参考的 {states / reference:.0f} 倍"),
        Row(f"规则：在线（{engine.kind}＋参考互校），全部关口", f"{online:,.0f} 次/秒，{trusted}"),
        Row("规则：在线，只有受理关口", f"{triage:,.0f} 次/秒"),
    ]


if __name__ == "__main__":
    for row in run():
        print(f"{row.what}　{row.figure}")
