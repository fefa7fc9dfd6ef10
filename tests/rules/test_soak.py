"""The online engine under load: four threads, rules replaced while they work, nothing lost, memory flat.

The full run (``make test-slow``) is 200,000 evaluations; every run of the tests does a short one.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from rules import RuleEngine, RulePack, durable, evaluate, load_pack
from rules.fact_dictionary import fact_dictionary

pytestmark = pytest.mark.skipif(not durable.available(), reason="没有安装 durable_rules")

THREADS, VERSIONS, GATE = 4, 4, "return"
#: More versions than idle compiled packs are kept, so that every reload frees one and compiles one.
assert VERSIONS > durable._Cache.IDLE + 1
RELOAD_EVERY = 50
MAX_GROWTH = 20 * 2**20


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> list[RulePack]:
    """One pack as it changes over time: what the user fills in is another value each time."""
    folder: Path = tmp_path_factory.mktemp("soak")
    packs = []
    for number in range(1, VERSIONS + 1):
        path = folder / f"{number}.yaml"
        value = f"{{amount: {number}, unit: 工作日, source: 规程, effective_from: 2024-01-01}}"
        path.write_text(f"limits: {{return_window: {value}}}", encoding="utf-8")
        packs.append(load_pack("weifang", overrides=path))
    assert len({pack.content_hash for pack in packs}) == VERSIONS
    return packs


def cases() -> list[dict[str, object]]:
    """Facts of the gate: all known and true, all known and false, half of them missing, none."""
    names = [fact.name for fact in fact_dictionary() if fact.type == "bool" and GATE in (fact.gates or (GATE,))]
    return [dict.fromkeys(names, True), dict.fromkeys(names, False), dict.fromkeys(names[::2], True), {}]


@pytest.mark.parametrize(
    "count", [pytest.param(4_000, id="short"), pytest.param(200_000, id="full", marks=pytest.mark.slow)]
)
def test_threads_and_reloads_lose_nothing_and_memory_stays_flat(versions, as_of, count):
    facts = cases()
    expected = {pack.id: [evaluate(pack, one, as_of=as_of, gate=GATE) for one in facts] for pack in versions}
    serving = [RuleEngine(versions[0])]

    def work(thread: int, rounds: int) -> tuple[int, int]:
        """How many evaluations were right, and how many by both engines without disagreement."""
        right = both = 0
        for number in range(rounds):
            if thread == 0 and number % RELOAD_EVERY == 0:
                # As the service does: the new engine first, then the swap; the old one goes when nobody holds it.
                serving[0] = RuleEngine(versions[number // RELOAD_EVERY % VERSIONS])
            engine, case = serving[0], (number + thread) % len(facts)
            found = engine.evaluate(facts[case], as_of=as_of, gate=GATE)
            right += found.verdicts == expected[engine.pack.id][case]
            both += found.engine == "durable" and not found.disagreements
        return right, both

    def run(rounds: int) -> tuple[int, int]:
        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(work, range(THREADS), [rounds] * THREADS))
        return sum(right for right, _ in results), sum(both for _, both in results)

    def held() -> int:
        """Memory of this process, without what is free and was not given back: tests before left much of that."""
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        return psutil.Process().memory_info().rss

    run(2 * VERSIONS * RELOAD_EVERY)  # until as many compiled packs have lived side by side as ever will
    rounds = count // THREADS
    growth = []
    # What leaks grows every time; what other tests of this process left running grows now and then.
    while len(growth) < 5 and (not growth or growth[-1] >= MAX_GROWTH):
        before = held()
        assert run(rounds) == (rounds * THREADS, rounds * THREADS)
        growth.append(held() - before)
    assert min(growth) < MAX_GROWTH, growth
    serving.clear()
    gc.collect()
    live = [
        compiled for compiled, _ in durable._CACHE._packs.values() if any(g._handles for g in compiled._gates.values())
    ]
    assert len(live) <= durable._Cache.IDLE + sum(users for _, users in durable._CACHE._packs.values())
