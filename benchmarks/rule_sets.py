"""Packs of any size and facts to judge with them: random, seeded, shaped like the rules of a city."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rules import RulePack, load_pack
from rules.fact_dictionary import Fact, Value, fact_dictionary

GATE = "acceptance"
CASES = 500
_WORDS = [f"某单位{number}" for number in range(12)]
_MANIFEST = "name: bench\ntitle: 测速\njurisdiction: 测速\n"
_CLAUSES = (
    "- {id: bench-2020, document: 测速, source: T01, effective_from: 2020-01-01, clauses: "
    '[{id: "1", article: 第一条, confidence: 原文已读, summary: 测速。}]}\n'
)


#: Facts that the rules compare, by type. A pack with more of them takes longer: the first line of the benchmark is one
#: that comes with 智派.
SHARES = {"bool": 30, "int": 6, "str": 4}


@cache
def facts() -> list[Fact]:
    """The facts that the rules compare."""
    known = [fact for fact in fact_dictionary() if not fact.gates or GATE in fact.gates]
    return [fact for kind, count in SHARES.items() for fact in [one for one in known if one.type == kind][:count]]


def sized_pack(count: int) -> RulePack:
    """A pack of ``count`` rules: two to five comparisons AND-ed, a quarter of the rules with an OR of two in it.

    The first comparison is rare (a value of a list, or a flag), as in rules of a city: few rules hit one order.
    """
    source = random.Random(count)
    rows = []
    for number in range(count):
        parts = [_anchor(source), *(_leaf(source) for _ in range(source.randint(1, 4)))]
        if source.random() < 0.25:
            parts.append({"any": [_leaf(source), _leaf(source)]})
        rows.append(
            {
                "id": f"BEN-{number:03d}",
                "title": f"测速规则{number}",
                "gate": GATE,
                "when": {"all": parts},
                "verdict": "advise",
                "severity": "info",
                "disposition": {"action": "处置", "tell": "告知"},
                "clause": "bench-2020#1",
            }
        )
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        home = Path(folder)
        (home / "pack.yaml").write_text(_MANIFEST, encoding="utf-8")
        (home / "clauses.yaml").write_text(_CLAUSES, encoding="utf-8")
        # JSON is YAML.
        (home / "rules.yaml").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
        return load_pack(home)


def sized_cases(chosen: Sequence[Fact], count: int = CASES) -> list[dict[str, Value]]:
    """Checked facts as they come up in triage: most are known, few flags are up."""
    source, dictionary = random.Random(7), fact_dictionary()
    rows = []
    for _ in range(count):
        row = {fact.name: _value(fact, source) for fact in chosen if source.random() < 0.95}
        rows.append(dictionary.check(row))
    return rows


def _value(fact: Fact, source: random.Random) -> Value:
    if fact.type == "bool":
        return source.random() < 0.15
    if fact.type == "str":
        return source.choice(fact.values or _WORDS)
    return source.randrange(12) if fact.type == "int" else source.randrange(100) / 100


def _anchor(source: random.Random) -> dict[str, Any]:
    texts, flags = ([fact for fact in facts() if fact.type == kind] for kind in ("str", "bool"))
    if source.random() < 0.7:
        fact = source.choice(texts)
        return {"fact": fact.name, "is": source.choice(fact.values or _WORDS)}
    return {"fact": source.choice(flags).name, "is": True}


def _leaf(source: random.Random) -> dict[str, Any]:
    fact = source.choice(facts())
    if source.random() < 0.03:
        return {"fact": fact.name, source.choice(("present", "missing")): True}
    if fact.type == "bool":
        return {"fact": fact.name, "is": source.random() < 0.5}
    if fact.type == "int":
        return {"fact": fact.name, source.choice(("lt", "lte", "gt", "gte")): source.randrange(12)}
    values: Sequence[str] = fact.values or _WORDS
    if source.random() < 0.25 and len(values) > 3:
        return {"fact": fact.name, "in": source.sample(list(values), 3)}
    return {"fact": fact.name, source.choice(("is", "is", "is_not")): source.choice(list(values))}
