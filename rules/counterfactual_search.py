"""The search behind a counterfactual: which facts to change, and to what, so that a gate answers otherwise.

The answer turns in two ways only: a stronger rule comes to hit, or all rules that give the answer stop hitting. For the
first, the branches of each stronger rule say which facts are in the way; for the second, each rule that still hits rests
on facts of which one must change. Both ways are followed by size, so that what is found is smallest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from rules.answer import RANK, answer_of, decide, open_rules
from rules.ast import Leaf, leaves
from rules.evaluate import judge, state_of
from rules.fact_dictionary import DECIMALS, Fact, FactDictionary, Facts, Value
from rules.normal_form import branches
from rules.rule import Rule
from rules.vocabulary import State

#: Stands for any text that no rule of the gate names, where the fact has no closed list.
OTHER = "其他"
#: Facts that a person can look into come first; a hint from words comes last.
_SOURCES = ("person", "record", "ranking", "text")

Assignment = tuple[tuple[str, Value | None], ...]
#: Classes of the facts, whether the new answer is open, places of the facts, places of the values: worst first.
Preference = tuple[list[tuple[bool, int, bool]], bool, list[int], list[int]]


class _Exhausted(Exception):
    """The bound on evaluations is reached."""


class Search:
    """The gate under the given facts, and what can be tried on them.

    Attributes
    ----------
    answer, decided_by, states, answers
        What the rules say now; ``answers`` is what each gives if it hits.
    best : Assignment or None
        What was found so far and is told first.
    evaluations : int
        Assignments evaluated; ``exhausted`` once they reach the bound.
    """

    def __init__(self, rules: Sequence[Rule], facts: Facts, dictionary: FactDictionary, max_evaluations: int):
        self.rules, self.facts, self.dictionary = rules, facts, dictionary
        self.left = max_evaluations
        self.evaluations, self.exhausted = 0, False
        self.best: Assignment | None = None
        self._best_preference: Preference = ([], False, [], [])
        self.answers = {rule.id: answer_of(rule) for rule in rules}
        self.states: dict[str, State] = {rule.id: state_of(judge(rule.when, facts)) for rule in rules}
        self.answer, self.decided_by = decide(self.answers, self.states)
        self.requests = {f"{rule.gate}_requested" for rule in rules}
        self.by_id = {rule.id: rule for rule in rules}
        self.readers: dict[str, list[Rule]] = {}
        self.literals: dict[str, list[Leaf]] = {}
        for rule in rules:
            for leaf in leaves(rule.when):
                self.literals.setdefault(leaf.fact, []).append(leaf)
                readers = self.readers.setdefault(leaf.fact, [])
                if rule not in readers:
                    readers.append(rule)
        self.domains = {name: self._domain(name) for name in self.literals}
        order = sorted(self.literals, key=self._fact_order)
        self.order = {name: rank for rank, name in enumerate(order)}

    def run(self, max_changes: int) -> Assignment | None:
        """The smallest assignment under which the answer turns, of those of one size the first in order; or None."""
        for size in range(1, max_changes + 1):
            try:
                for found in self._of_size(size):
                    self._keep(found)
            except _Exhausted:
                self.exhausted = True
            if self.best is not None or self.exhausted:
                break
        return self.best

    def _class(self, name: str) -> tuple[bool, int, bool]:
        """How willingly a fact is named: small first."""
        fact = self.dictionary.get(name)
        return name in self.requests, _SOURCES.index(fact.source if fact else "text"), name not in self.facts

    def _fact_order(self, name: str) -> tuple[tuple[bool, int, bool], bool, int, str]:
        fact = self.dictionary.get(name)
        number = fact is not None and fact.type in ("int", "float")
        return self._class(name), not number, len(self.readers[name]), name

    def _domain(self, name: str) -> tuple[Value | None, ...]:
        """The values worth trying, nearest first: one for each way in which the rules can take the fact."""
        fact = self.dictionary.get(name)
        if fact is None or fact.type == "instant":
            return ()
        now = self.facts.get(name)
        values = [value for value in _candidates(fact, self.named(name)) if value != now]
        if now is not None and not isinstance(now, (bool, str)):
            values.sort(key=lambda value: (abs(value - now), value))  # type: ignore[operator]
        asked = any(leaf.op in ("present", "missing") for leaf in self.literals[name])
        return (*values, None) if asked and now is not None else tuple(values)

    def named(self, name: str) -> list[Value]:
        """The literals with which the rules compare the fact: numbers by size, words in the order of its closed list."""
        fact = self.dictionary.get(name)
        listed = {value: place for place, value in enumerate(fact.values)} if fact else {}
        named = {value for leaf in self.literals[name] for value in leaf.values}
        return sorted(named, key=lambda value: (listed.get(value, 0), value))  # type: ignore[arg-type]

    def _keep(self, found: Assignment) -> None:
        """Hold on to what is told first."""
        preference = self._preference(found)
        if self.best is None or preference < self._best_preference:
            self.best, self._best_preference = found, preference

    def _preference(self, found: Assignment) -> Preference:
        """Small for what is told first; the least preferred fact weighs most."""
        states = self._states(found)
        undetermined = bool(open_rules(self.answers, states, decide(self.answers, states)[0]))
        ranked = sorted(((self.order[name], self.domains[name].index(value)) for name, value in found), reverse=True)
        classes = sorted((self._class(name) for name, _ in found), reverse=True)
        return classes, undetermined, [rank for rank, _ in ranked], [place for _, place in ranked]

    def _of_size(self, size: int) -> Iterator[Assignment]:
        """Every assignment of that many facts under which the answer turns; raises where the bound is reached."""
        yield from self._raise(size)
        yield from self._lift(size, ())

    def _raise(self, size: int) -> Iterator[Assignment]:
        """A stronger rule comes to hit: the facts that are in the way of one of its branches change."""
        for rule in self.rules:
            if RANK[self.answers[rule.id]] >= RANK[self.answer]:
                continue
            for branch in branches(rule.when):
                wanted: dict[str, list[Leaf]] = {}
                for leaf in branch:
                    wanted.setdefault(leaf.fact, []).append(leaf)
                wrong = [name for name, group in wanted.items() if not _holds(group, self.facts)]
                if len(wrong) != size:
                    continue
                fitting = [
                    [(name, value) for value in self.domains[name] if _holds(wanted[name], {name: value})]
                    for name in wrong
                ]
                yield from (one for one in product(*(pairs[:1] for pairs in fitting)) if self._turned(one))

    def _lift(self, size: int, changed: Assignment) -> Iterator[Assignment]:
        """The rules that give the answer stop hitting: of each that still hits, one fact on which it rests changes."""
        states = self._states(changed)
        deciding = [rule_id for rule_id in self.decided_by if states[rule_id] == "hit"]
        # Those that came to hit by the changes so far have to go as well.
        deciding += [
            rule_id
            for rule_id, state in states.items()
            if state == "hit" and self.answers[rule_id] == self.answer and rule_id not in self.decided_by
        ]
        if not deciding or self.answer == "silent":
            return
        names = {name for name, _ in changed}
        facts = self.facts_under(changed)
        for name in self._supports(self.by_id[deciding[0]], facts):
            if name in names:
                continue
            for value in self.domains[name]:
                longer = (*changed, (name, value))
                if len(longer) == size:
                    if self._turned(longer):
                        yield longer
                else:
                    self._spend()
                    yield from self._lift(size, longer)

    @staticmethod
    def _supports(rule: Rule, facts: Facts) -> list[str]:
        """The facts of the comparisons that hold: unless one of them changes, the rule goes on hitting."""
        return list(dict.fromkeys(leaf.fact for leaf in leaves(rule.when) if judge(leaf, facts).outcome is True))

    def _spend(self) -> None:
        if self.left <= 0:
            raise _Exhausted
        self.left -= 1
        self.evaluations += 1

    def _turned(self, changed: Assignment) -> bool:
        self._spend()
        return decide(self.answers, self._states(changed))[0] != self.answer

    def facts_under(self, changed: Assignment) -> dict[str, Value]:
        facts = dict(self.facts)
        for name, value in changed:
            if value is None:
                facts.pop(name, None)
            else:
                facts[name] = value
        return facts

    def _states(self, changed: Assignment) -> dict[str, State]:
        """The states under the changes; only rules that read a changed fact can differ."""
        facts = self.facts_under(changed)
        states = dict(self.states)
        for rule in {rule.id: rule for name, _ in changed for rule in self.readers[name]}.values():
            states[rule.id] = state_of(judge(rule.when, facts))
        return states


def _candidates(fact: Fact, named: Sequence[Value]) -> list[Value]:
    """One value for every way in which comparisons with the named literals can come out."""
    values: list[Value]
    if fact.type == "bool":
        values = [True, False]
    elif fact.type == "str":
        outside = [value for value in fact.values if value not in named]
        other = outside[:1] if fact.values else [_unnamed(named)]
        values = [*named, *other]
    else:
        step = 1 if fact.type == "int" else 10.0**-DECIMALS
        near = [value + shift for value in named for shift in (0, -step, step)] or [0]  # type: ignore[operator]
        values = near if fact.type == "int" else [round(value, DECIMALS) for value in near]
    fitting = [literal for value in values if (literal := fact.literal(value)) is not None]
    return list(dict.fromkeys(fitting))


def _unnamed(named: Sequence[Value]) -> str:
    """A text that is none of the literals."""
    text = OTHER
    while text in named:
        text += "值"
    return text


def _holds(group: Sequence[Leaf], facts: Mapping[str, Value | None]) -> bool:
    known = {name: value for name, value in facts.items() if value is not None}
    return all(judge(leaf, known).outcome is True for leaf in group)
