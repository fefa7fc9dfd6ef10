"""``python -m benchmarks rule_engines``: evaluations a second of the three evaluators and of two peers, on the same rules.

One evaluation is one set of facts against all the rules of a pack. Ours tell three states; the peers tell hits only,
and their hits are compared with ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from benchmarks.common import Row
from benchmarks.rule_peers import PEERS, peer_rates
from benchmarks.rule_sets import GATE, facts, sized_cases, sized_pack
from rules import RuleEngine, RulePack, evaluate, load_pack
from rules.evaluate import rules_in_force
from rules.fact_dictionary import Value, fact_dictionary
from rules.generated import GeneratedRules
from service.triage import TRIAGE_GATES

SIZES = (20, 100, 500)
PACK = "weifang"
AS_OF = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
#: The generated evaluator, at 100 rules, in one process.
GOAL, GOAL_SIZE = 200_000, 100
ROUNDS = 25


def rate(work: Callable[[Mapping[str, Value]], object], rows: Sequence[Mapping[str, Value]]) -> float:
    """Evaluations a second, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for row in rows:
            work(row)
        best = min(best, time.perf_counter() - start)
    return len(rows) / best


def run() -> list[Row]:
    rows = sized_cases(facts())
    lines = [_real_pack()]
    for size in SIZES:
        pack = sized_pack(size)
        rules = rules_in_force(pack, as_of=AS_OF, gate=GATE)
        generated = GeneratedRules(rules)
        fast = rate(generated.codes, rows)
        hits = sum(code == 1 for row in rows for code in generated.codes(row))
        name = f"规则 {size} 条"
        reached = fast >= GOAL if size == GOAL_SIZE else None
        lines += [
            Row(f"{name}：生成的 Python", f"{fast:,.0f} 次/秒（平均命中 {hits / len(rows):.1f} 条）")
            if reached is None
            else Row(f"{name}：生成的 Python", f"{fast:,.0f} 次/秒", f"≥ {GOAL:,} 次/秒", reached),
            Row(f"{name}：参考求值器，连同判定", _reference(pack, rows, fast)),
            Row(f"{name}：在线（durable＋参考互校）", _online(pack, rows[:20])),
        ]
        wanted = [[code == 1 for code in generated.codes(row)] for row in rows]
        for peer, said in peer_rates([rule.when for rule in rules], rows, wanted).items():
            figure = said if isinstance(said, str) else f"{said:,.0f} 次/秒，生成的 Python 为其 {fast / said:.1f} 倍"
            lines.append(Row(f"{name}：{PEERS[peer]}（只求命中）", figure))
    return lines


def _real_pack() -> Row:
    """A pack that comes with 智派, at the gates of triage."""
    pack = load_pack(PACK)
    rules = [rule for gate in TRIAGE_GATES for rule in rules_in_force(pack, as_of=AS_OF, gate=gate)]
    names = {name for rule in rules for name in rule.reads}
    chosen = [fact for fact in fact_dictionary() if fact.name in names and fact.type != "instant"]
    speed = rate(GeneratedRules(rules).codes, sized_cases(chosen))
    return Row(f"规则包 {PACK}，受理和派单 {len(rules)} 条、事实 {len(names)} 个：生成的 Python", f"{speed:,.0f} 次/秒")


def _reference(pack: RulePack, rows: Sequence[Mapping[str, Value]], fast: float) -> str:
    speed = rate(lambda row: evaluate(pack, row, as_of=AS_OF), rows[:20])
    return f"{speed:,.0f} 次/秒，生成的 Python 为其 {fast / speed:.0f} 倍"


def _online(pack: RulePack, rows: Sequence[Mapping[str, Value]]) -> str:
    engine = RuleEngine(pack)
    try:
        speed = rate(lambda row: engine.evaluate(row, as_of=AS_OF), rows)
        return f"{speed:,.0f} 次/秒（{engine.kind}，不一致 {engine.disagreement_count}，故障 {engine.fault_count}）"
    finally:
        engine.close()


if __name__ == "__main__":
    for line in run():
        print(f"{line.what}　{line.figure}")
