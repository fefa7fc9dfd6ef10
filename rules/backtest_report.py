"""The report of a backtest as plain data: what stands in the JSON, the workbook, the page and on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intake.errors import CATALOGUE
from rules.backtest import ABSENT, CHANGES, DIMENSIONS, HIT, STATES, UNKNOWN, Tally
from rules.pack import RulePack
from rules.rule import Rule
from rules.vocabulary import EFFECTS, GATES, SEVERITIES

#: Keys of the counts of a cell, in the order of :class:`rules.backtest.Tally`.
CELL = ("orders", "old", "new", "gained", "lost", "changed")
STATE_NAMES = {"hit": "命中", "pass": "未命中", "not_evaluated": "需核实", "absent": "没有这条规则"}


def build_report(
    tally: Tally,
    *,
    new: RulePack,
    old: RulePack | None,
    logged: bool,
    gates: Sequence[str],
    as_of: str,
    source: Mapping[str, Any],
    rows: int,
    shown: Mapping[str, Mapping[str, Any]],
    causes: Mapping[str, str],
) -> dict[str, Any]:
    """The report.

    Parameters
    ----------
    logged : bool
        The comparison is with what was logged, not with ``old``.
    as_of : str
        The instant at which rules were read, in words where every order had its own.
    rows : int
        Rows read, with those that could not be judged.
    shown, causes : mapping
        Examples by number of the order, and why a rule could not be evaluated, by ``rule|verify|number``.

    Returns
    -------
    dict
        Plain JSON; lists are in the order in which they are shown, the largest change first.
    """
    index = {rule.id: rule for pack in (old, new) if pack is not None for rule in pack.rules}
    compared = logged or old is not None
    return {
        "pack": _pack(new),
        "against": {"id": "决定记录", "title": "当时记下的判定", "rules": None} if logged else old and _pack(old),
        "compared": compared,
        "gates": [{"gate": gate, "title": GATES[gate]} for gate in gates],
        "as_of": as_of,
        "source": dict(source),
        "totals": _totals(tally, rows),
        "skipped": [
            {"code": code, "title": CATALOGUE[code][0], "orders": count}
            for code, count in sorted(tally.skipped.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "rules": _rules(tally, index, new, old),
        "clauses": _clauses(tally, new, old),
        **{f"{name}s": _cells(tally.cells.get(name, {}), by_name=name == "month") for name in DIMENSIONS},
        "unit_rules": _pairs(tally, index),
        "truths": [_truth(name, counts) for name, counts in tally.truths.items()],
        "examples": _examples(tally, index, shown, causes, compared=compared),
    }


def _pack(pack: RulePack) -> dict[str, Any]:
    return {"id": pack.id, "title": pack.title, "rules": len(pack.rules), "content_hash": pack.content_hash}


def _totals(tally: Tally, rows: int) -> dict[str, int]:
    names = ("old", "new", "gained", "lost", "changed", "verify")
    return {"rows": rows, "evaluated": tally.evaluated, **dict(zip(names, tally.totals, strict=True))}


def _rules(tally: Tally, index: Mapping[str, Rule], new: RulePack, old: RulePack | None) -> list[dict[str, Any]]:
    """One row for each rule that was asked, in either pack."""
    rows = []
    for name, counts in tally.rules.items():
        rule = index.get(name)
        clause = (new.clauses.get(rule.clause) or (old and old.clauses.get(rule.clause))) if rule else None
        before = {state: sum(counts[code * 4 : code * 4 + 4]) for code, state in enumerate(STATES)}
        after = {state: sum(counts[code::4]) for code, state in enumerate(STATES)}
        both = counts[HIT * 4 + HIT]
        rows.append(
            {
                "rule": name,
                "title": rule.title if rule else "只在决定记录里",
                "gate": GATES[rule.gate] if rule else "",
                "effect": EFFECTS[rule.effect] if rule else "",
                "severity": SEVERITIES[rule.severity] if rule else "",
                "clause": rule.clause if rule else "",
                "basis": f"{clause.document}{clause.article}（{clause.confidence}）" if clause else "",
                "old": before,
                "new": after,
                "gained": after["hit"] - both,
                "lost": before["hit"] - both,
                "verify": after["not_evaluated"] - counts[UNKNOWN * 4 + UNKNOWN],
                "only": "new" if before["absent"] == sum(counts) else "old" if after["absent"] == sum(counts) else "",
                "moves": [
                    {"old": STATES[number // 4], "new": STATES[number % 4], "orders": count}
                    for number, count in enumerate(counts)
                    if count and number // 4 != number % 4 and {number // 4, number % 4} != {ABSENT, 0}
                ],
            }
        )
    return sorted(rows, key=lambda row: (-row["gained"] - row["lost"], -row["verify"], -row["new"]["hit"], row["rule"]))


def _clauses(tally: Tally, new: RulePack, old: RulePack | None) -> list[dict[str, Any]]:
    rows = []
    for row in _cells(tally.cells.get("clause", {})):
        clause = new.clauses.get(row["name"]) or (old.clauses.get(row["name"]) if old else None)
        said = {"document": "", "article": "", "confidence": "", "summary": ""}
        if clause is not None:
            said = {key: getattr(clause, key) for key in said}
        rows.append({"clause": row["name"], **said, **{key: row[key] for key in CELL}})
    return rows


def _cells(values: Mapping[str, Sequence[int]], *, by_name: bool = False) -> list[dict[str, Any]]:
    rows = [{"name": name, **dict(zip(CELL, counts, strict=True))} for name, counts in values.items()]
    if by_name:
        return sorted(rows, key=lambda row: row["name"])
    return sorted(rows, key=lambda row: (-row["changed"], -row["new"], -row["orders"], row["name"]))


def _pairs(tally: Tally, index: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """Which rules moved at which unit."""
    rows = [
        {"unit": unit, "rule": name, "title": index[name].title if name in index else "", "gained": up, "lost": down}
        for unit, rules in tally.pairs.items()
        for name, (up, down) in rules.items()
    ]
    return sorted(rows, key=lambda row: (-row["gained"] - row["lost"], row["unit"], row["rule"]))


def _truth(name: str, counts: Sequence[int]) -> dict[str, Any]:
    """How often the rule said what the column says. Shares are None where they would divide by nothing."""
    true_hit, false_hit, missed, rejected, unknown_yes, unknown_no = counts
    said, real = true_hit + false_hit, true_hit + missed + unknown_yes
    return {
        "name": name,
        "n": sum(counts),
        "positives": real,
        "true_hits": true_hit,
        "false_hits": false_hit,
        "missed": missed,
        "rejected": rejected,
        "unknown": unknown_yes + unknown_no,
        "precision": round(true_hit / said, 4) if said else None,
        "recall": round(true_hit / real, 4) if real else None,
    }


def _examples(
    tally: Tally,
    index: Mapping[str, Rule],
    shown: Mapping[str, Mapping[str, Any]],
    causes: Mapping[str, str],
    *,
    compared: bool,
) -> list[dict[str, Any]]:
    """By rule and change, at most five orders each, masked."""
    groups = []
    for cell, numbers in tally.examples.items():
        name, change = cell.rsplit("|", 1)
        title = CHANGES[change] if compared else {"gained": "命中", "verify": "需核实"}.get(change, "")
        orders = [
            {"number": number, **shown[str(number)], "cause": causes.get(f"{cell}|{number}", "")} for number in numbers
        ]
        rule = index.get(name)
        groups.append(
            {"rule": name, "title": rule.title if rule else "", "change": change, "says": title, "orders": orders}
        )
    ranks = {change: number for number, change in enumerate(CHANGES)}
    return sorted(groups, key=lambda group: (ranks[group["change"]], group["rule"]))
