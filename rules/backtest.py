"""Backtest (回测): what a pack says about many orders, and what would change against another pack or a log.

Counts only: memory does not grow with the number of orders. Tallies of parts add up in the order of the parts, so that
the outcome does not depend on how the orders were shared out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from intake.errors import register
from rules.evaluate import rules_in_force
from rules.fact_dictionary import Facts
from rules.generated import GeneratedRules
from rules.pack import RulePack
from rules.rule import Rule
from rules.vocabulary import State

register(
    "E3401",
    "回测缺少受理时刻",
    "列映射没有 received_at（受理时间），不能按受理时刻回测。请补上这一列，或改用 --as-of。",
)
register(
    "E3402",
    "对照写法不对",
    "对照“{spec}”写法不对：{problem}。写成 规则编号或事实名=列名:值，例如 out_of_city=处置单位:除海口外的市县。",
)

#: States as small numbers: those of :class:`rules.generated.GeneratedRules`, and one for a rule that is not there.
PASS, HIT, UNKNOWN, ABSENT = range(4)
STATES = ("pass", "hit", "not_evaluated", "absent")
_CODES = {name: code for code, name in enumerate(STATES)}
DIMENSIONS = ("unit", "district", "month")
#: Distinct values of a dimension that are told apart; what comes later is counted together.
MAX_VALUES = 2000
OTHER = "（其他）"
EXAMPLES = 5
#: Distinct outcomes that are kept worked out.
MAX_OUTCOMES = 50_000
#: What may happen to a rule on one order, as (old, new) says. Only these are worth an example.
CHANGES = {"gained": "新命中", "lost": "不再命中", "verify": "新增需核实"}


@dataclass(frozen=True, slots=True)
class Case:
    """One order as the backtest sees it: checked facts, the instant at which rules are read, and what it is counted by.

    ``logged`` are the spoken states of a logged proposal (rule id → hit or not_evaluated), None where an old pack or
    nothing is compared with; ``flags`` say for each :class:`Truth` whether the column had the value.
    """

    facts: Facts
    as_of: datetime
    unit: str = ""
    district: str = ""
    month: str = ""
    logged: Mapping[str, State] | None = None
    flags: tuple[bool, ...] = ()


@dataclass
class Tally:
    """Counts over some orders.

    Parameters
    ----------
    rules : dict
        Rule id → 16 counts, of old state × 4 + new state.
    totals : list of int
        Orders: spoken to by the old, by the new; with a gained, with a lost hit; with either; with more to verify.
    cells : dict
        Dimension (and ``clause``) → value → orders, then as ``totals`` without the last.
    pairs : dict
        Unit → rule id → gained, lost.
    truths : dict
        Name → true and false positives, false and true negatives, and unknown where the column says yes and no.
    examples : dict
        ``rule|change`` → numbers of the first orders.
    """

    evaluated: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    totals: list[int] = field(default_factory=lambda: [0] * 6)
    rules: dict[str, list[int]] = field(default_factory=dict)
    cells: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    pairs: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    truths: dict[str, list[int]] = field(default_factory=dict)
    examples: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add the tally of the orders that come next."""
        self.evaluated += other.evaluated
        for code, count in other.skipped.items():
            self.skipped[code] = self.skipped.get(code, 0) + count
        self.totals = [a + b for a, b in zip(self.totals, other.totals, strict=True)]
        _add_all(self.rules, other.rules)
        _add_all(self.truths, other.truths)
        for dimension, values in other.cells.items():
            _add_all(self.cells.setdefault(dimension, {}), values, limit=MAX_VALUES)
        for unit, rules in other.pairs.items():
            name = unit if unit in self.pairs or len(self.pairs) < MAX_VALUES else OTHER
            _add_all(self.pairs.setdefault(name, {}), rules)
        for cell, numbers in other.examples.items():
            held = self.examples.setdefault(cell, [])
            held += numbers[: EXAMPLES - len(held)]

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


def _add_all(mine: dict[str, list[int]], theirs: Mapping[str, Sequence[int]], *, limit: int = 0) -> None:
    for name, counts in theirs.items():
        if limit and name not in mine and len(mine) >= limit:
            name = OTHER
        before = mine.get(name)
        mine[name] = list(counts) if before is None else [a + b for a, b in zip(before, counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Truth:
    """A column that says what a rule or fact should have said: ``subject`` against ``column`` holding one of ``values``.

    ``*`` stands for any value that is not empty, ``重复`` for one that an earlier row had.
    """

    name: str
    subject: str
    column: str
    values: tuple[str, ...]


class Compiled:
    """The rules of one pack that are in force at an instant, compiled; the same set is compiled once."""

    def __init__(self, pack: RulePack, gates: Sequence[str]):
        self.pack, self.gates = pack, tuple(gates)
        self._by_day: dict[date, GeneratedRules] = {}
        self._by_rules: dict[tuple[Rule, ...], GeneratedRules] = {}

    def at(self, as_of: datetime) -> GeneratedRules:
        day = as_of.astimezone(self.pack.zone).date()
        found = self._by_day.get(day)
        if found is None:
            rules = tuple(rule for gate in self.gates for rule in rules_in_force(self.pack, as_of=as_of, gate=gate))
            if rules not in self._by_rules:
                self._by_rules[rules] = GeneratedRules(rules)
            found = self._by_day[day] = self._by_rules[rules]
        return found


class Comparison:
    """Counts what the new pack says, and what changes against the old pack or against the log.

    Parameters
    ----------
    old : RulePack or None
        None: nothing to compare with, unless the cases carry what was logged.
    gates : sequence of str
        The gates that are asked.
    """

    def __init__(self, new: RulePack, old: RulePack | None, *, gates: Sequence[str], truths: Sequence[Truth] = ()):
        self._new = Compiled(new, gates)
        self._old = Compiled(old, gates) if old is not None else None
        self._truths = tuple(truths)
        self._effects: dict[str, str] = {}
        self._clauses: dict[str, str] = {}
        for pack in (old, new):
            for rule in pack.rules if pack is not None else ():
                self._effects[rule.id], self._clauses[rule.id] = rule.effect, rule.clause
        self._deltas: dict[object, _Delta] = {}

    def count(self, cases: Iterable[tuple[int, Case]]) -> Tally:
        """The tally of numbered cases."""
        tally = Tally()
        seen: Counter[tuple[_Delta, str, str, str]] = Counter()
        sightings: Counter[_Delta] = Counter()
        for number, case in cases:
            delta = self._delta(case)
            seen[delta, case.unit, case.district, case.month] += 1
            tally.evaluated += 1
            sightings[delta] += 1
            # Each sighting adds to every cell of the outcome: after a few of them all its cells are full.
            if sightings[delta] <= EXAMPLES:
                for cell in delta.cells:
                    held = tally.examples.setdefault(cell, [])
                    if len(held) < EXAMPLES:
                        held.append(number)
            for truth, flag in zip(self._truths, case.flags, strict=True):
                said = delta.states.get(truth.subject)
                answer = {HIT: True, PASS: False}.get(said) if said is not None else case.facts.get(truth.subject)
                counts = tally.truths.setdefault(truth.name, [0] * 6)
                counts[
                    (4 if flag else 5) if answer is None else (0 if flag else 1) if answer else (2 if flag else 3)
                ] += 1
        for delta, count in sightings.items():
            delta.spread(tally, count)
        for (delta, *values), count in seen.items():
            delta.spread_cells(tally, dict(zip(DIMENSIONS, values, strict=True)), count)
        return tally

    def _delta(self, case: Case) -> _Delta:
        generated = self._new.at(case.as_of)
        codes = generated.codes(case.facts)
        old: GeneratedRules | None = None
        old_codes: tuple[int, ...] = ()
        logged = None
        if self._old is not None:
            old = self._old.at(case.as_of)
            old_codes = old.codes(case.facts)
        elif case.logged is not None:
            logged = frozenset(case.logged.items())
        # Many orders come out alike: what follows from the states is worked out once for each outcome.
        key = (id(generated), codes, id(old), old_codes, logged)
        found = self._deltas.get(key)
        if found is None:
            if len(self._deltas) >= MAX_OUTCOMES:
                self._deltas.clear()
            states = dict(zip(generated.ids, codes, strict=True))
            before: dict[str, int] | None = None
            if old is not None:
                before = dict(zip(old.ids, old_codes, strict=True))
            elif logged is not None:
                # A log lists what was spoken; what it does not list passed or was not there.
                before = dict.fromkeys(states, PASS) | {name: _CODES[state] for name, state in sorted(logged)}
            found = self._deltas[key] = _Delta(states, before, self._effects, self._clauses)
        return found


class _Delta:
    """What follows from one outcome: the states of the new pack and of the old, for every order that has them."""

    def __init__(
        self,
        new: Mapping[str, int],
        old: Mapping[str, int] | None,
        effects: Mapping[str, str],
        clauses: Mapping[str, str],
    ):
        before = old if old is not None else {}
        names = list(dict.fromkeys([*new, *before]))
        self.states = {name: new.get(name, ABSENT) for name in names}
        self.pairs = [(name, before.get(name, ABSENT), self.states[name]) for name in names]
        hit_old = {name for name, was, _ in self.pairs if was == HIT}
        hit_new = {name for name, _, now in self.pairs if now == HIT}
        compared = old is not None
        self.gained = sorted(hit_new - hit_old) if compared else []
        self.lost = sorted(hit_old - hit_new) if compared else []
        verify = [name for name, was, now in self.pairs if now == UNKNOWN and (was != UNKNOWN or not compared)]
        shown = {"gained": self.gained if compared else sorted(hit_new), "lost": self.lost, "verify": verify}
        self.cells = [f"{name}|{change}" for change, rules in shown.items() for name in rules]

        # "No obstacle found" is said about nearly every order: it is no remark on it.
        def remarks(rules: Iterable[str]) -> bool:
            return any(effects.get(name) != "allow" for name in rules)

        gained, lost = remarks(self.gained), remarks(self.lost)
        self.flags = [remarks(hit_old), remarks(hit_new), gained, lost, gained or lost]
        self.verify = bool(verify)
        of_old, of_new = ({clauses.get(name, "") for name in hits} for hits in (hit_old, hit_new))
        self.clauses = {
            clause: [
                clause in of_old,
                clause in of_new,
                compared and clause in of_new - of_old,
                compared and clause in of_old - of_new,
                compared and clause in of_old ^ of_new,
            ]
            for clause in sorted(of_old | of_new)
        }

    def spread(self, tally: Tally, count: int) -> None:
        """Add ``count`` orders that came out so to what a tally says of all orders."""
        for name, was, now in self.pairs:
            tally.rules.setdefault(name, [0] * 16)[was * 4 + now] += count
        for index, flag in enumerate([*self.flags, self.verify]):
            tally.totals[index] += flag * count
        self._count_cells(tally, "clause", self.clauses, count)

    def spread_cells(self, tally: Tally, values: Mapping[str, str], count: int) -> None:
        """Add ``count`` orders that came out so to the cells of these values."""
        for dimension, value in values.items():
            self._count_cells(tally, dimension, {value: self.flags}, count)
        moved = {name: [count, 0] for name in self.gained} | {name: [0, count] for name in self.lost}
        if moved:
            _add_all(tally.pairs.setdefault(values["unit"], {}), moved)

    @staticmethod
    def _count_cells(tally: Tally, dimension: str, found: Mapping[str, Sequence[bool]], count: int) -> None:
        counted = {value: [count, *(flag * count for flag in flags)] for value, flags in found.items()}
        _add_all(tally.cells.setdefault(dimension, {}), counted)
