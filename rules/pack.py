"""What a rule pack (规则包) is: the dated rules, clauses, limits and calendar of one jurisdiction, with a content hash."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rules.calendar import CalendarSettings
from rules.clause import Clause
from rules.fact_dictionary import Value
from rules.limit import Limit
from rules.load import read_parts
from rules.parameter import Parameter, ParameterValue
from rules.problems import Mark, Problem
from rules.rule import Rule
from rules.words import word_lists

PACKS = Path(__file__).with_name("packs")


@dataclass(frozen=True)
class InForce:
    """What a pack says on a day: the rules in force, by priority and id, with the values of their parameters put in.

    ``values`` are those values, by id of the parameter, for all rules of the pack; one that is not filled is absent.
    """

    rules: tuple[Rule, ...]
    values: tuple[tuple[str, Value], ...]
    _gates: dict[str, tuple[Rule, ...]] = field(default_factory=dict, compare=False, repr=False)
    _reads: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def at(self, gate: str | None) -> tuple[Rule, ...]:
        """The rules of one gate, or all."""
        if gate is None:
            return self.rules
        found = self._gates.get(gate)
        if found is None:
            found = self._gates[gate] = tuple(rule for rule in self.rules if rule.gate == gate)
        return found

    def reads(self, gate: str) -> tuple[str, ...]:
        """The facts that the rules of a gate read, by name."""
        found = self._reads.get(gate)
        if found is None:
            found = self._reads[gate] = tuple(sorted({name for rule in self.at(gate) for name in rule.reads}))
        return found


@dataclass(frozen=True, slots=True)
class ToFill:
    """A parameter or limit without any value: what the user's organisation still has to fill.

    ``kind`` is ``parameter`` or ``limit``; ``note`` says why there is no value, ``place`` is file:line:column.
    """

    kind: str
    id: str
    title: str
    unit: str
    note: str
    pack: str
    place: str


@dataclass(frozen=True)
class RulePack:
    """A pack with everything it inherits. Immutable.

    Parameters
    ----------
    name, title, jurisdiction : str
        Name of the pack, its Chinese title, the place it speaks for.
    lineage : tuple of str
        This pack and those it extends, nearest first.
    rules : tuple of Rule
        In the order (priority, id).
    clauses : mapping
        By id.
    limits : tuple of Limit
        Dated limits; a pack's own limit replaces an inherited one of the same id.
    parameters : mapping
        By id, dated, named by rules; a pack's own parameter replaces an inherited one of the same id.
    folder : Path
        Where the pack was read; no part of its identity.
    clause_owners, clause_marks : mapping
        Which pack brought a clause, and where it stands.
    basis : tuple of str
        Content hashes of what gives the rules their meaning besides themselves: fact dictionary and word lists.
    """

    name: str
    title: str
    jurisdiction: str
    lineage: tuple[str, ...]
    rules: tuple[Rule, ...]
    clauses: Mapping[str, Clause]
    limits: tuple[Limit, ...]
    parameters: Mapping[str, Parameter]
    calendar: CalendarSettings
    basis: tuple[str, ...]
    clause_owners: Mapping[str, str]
    clause_marks: Mapping[str, Mark]
    folder: Path

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the meaning: the same on every machine, in every order of files, with any line ending."""
        text = json.dumps(self.to_data(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def id(self) -> str:
        """``weifang@`` and the first 12 hex digits of the content hash."""
        return f"{self.name}@{self.content_hash[:12]}"

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which the pack reads a day."""
        return ZoneInfo(self.calendar.time_zone)

    @cached_property
    def limit_facts(self) -> frozenset[str]:
        """The facts that the conditions of limits read."""
        return frozenset(name for limit in self.limits for name in limit.reads)

    @cached_property
    def change_days(self) -> tuple[date, ...]:
        """The days on which a rule begins or ends or a parameter changes. Between two of them all days are alike."""
        ends = {one.effective_to for one in self._dated if one.effective_to is not None}
        return tuple(sorted(ends | {one.effective_from for one in self._dated}))

    @cached_property
    def newest_day(self) -> date:
        """The day on which the newest rule or value of a parameter begins."""
        return max((one.effective_from for one in self._dated), default=date.min)

    @cached_property
    def _dated(self) -> tuple[Rule | ParameterValue, ...]:
        return (*self.rules, *(value for one in self.parameters.values() for value in one.values))

    @cached_property
    def _spans(self) -> dict[int, InForce]:
        return {}

    def in_force(self, day: date) -> InForce:
        """The rules in force on a day, resolved once for each stretch of days that are alike."""
        span = bisect_right(self.change_days, day)
        found = self._spans.get(span)
        if found is None:
            named = {name for rule in self.rules for name in rule.parameters}
            on_day = {name: value.value for name in sorted(named) if (value := self.parameter_on(name, day))}
            rules = tuple(rule.resolved(on_day) for rule in self.rules if rule.in_force(day))
            found = self._spans[span] = InForce(rules, tuple(on_day.items()))
        return found

    def parameter_on(self, parameter_id: str, day: date) -> ParameterValue | None:
        """The value of a parameter on a day; None where it is not filled or the pack has no such parameter."""
        parameter = self.parameters.get(parameter_id)
        return parameter.on(day) if parameter else None

    def to_fill(self) -> tuple[ToFill, ...]:
        """The parameters, then the limits, that have no value yet."""
        parameters = [one for one in self.parameters.values() if not one.values]
        limits = [one for one in self.limits if not one.values]
        return (
            *(ToFill("parameter", p.id, p.title, p.unit, p.note, p.pack, str(p.mark)) for p in parameters),
            *(ToFill("limit", one.id, one.title, "", one.note, one.pack, str(one.mark)) for one in limits),
        )

    def to_data(self) -> dict[str, Any]:
        """The pack as plain data in canonical order."""
        return {
            "name": self.name,
            "title": self.title,
            "jurisdiction": self.jurisdiction,
            "lineage": list(self.lineage),
            "rules": [rule.to_data() for rule in sorted(self.rules, key=lambda rule: rule.id)],
            "clauses": [self.clauses[key].as_dict() for key in sorted(self.clauses)],
            "limits": [limit.to_data() for limit in sorted(self.limits, key=lambda limit: limit.id)],
            "parameters": [self.parameters[key].to_data() for key in sorted(self.parameters)],
            "calendar": self.calendar.to_data(),
            "basis": list(self.basis),
        }


def read_pack(
    name_or_path: str | Path, *, root: Path | None = None, overrides: Path | None = None
) -> tuple[RulePack | None, list[Problem]]:
    """Read a pack and everything that is wrong with it; None when it cannot be used at all. Raises nothing."""
    reading, problems = read_parts(name_or_path, root=root or PACKS, overrides=overrides)
    if reading is None:
        return None, problems
    pack = RulePack(
        name=reading.lineage[0],
        title=reading.title,
        jurisdiction=reading.jurisdiction,
        lineage=tuple(reading.lineage),
        rules=tuple(sorted(reading.rules.values(), key=lambda rule: (rule.priority, rule.id))),
        clauses=reading.clauses,
        limits=tuple(reading.limits[key] for key in sorted(reading.limits)),
        parameters={key: reading.parameters[key] for key in sorted(reading.parameters)},
        calendar=reading.calendar,
        basis=(reading.dictionary.id, word_lists().id),
        clause_owners=reading.clause_owners,
        clause_marks=reading.clause_marks,
        folder=reading.folder,
    )
    return pack, problems


def load_pack(name_or_path: str | Path, *, root: Path | None = None, overrides: Path | None = None) -> RulePack:
    """Load a pack by name (a folder under ``root``, by default the packs that come with 智派) or by its folder.

    Parameters
    ----------
    overrides : Path or None
        A file with the values of the user's organisation (:mod:`rules.overrides`), which go before all others.

    Raises
    ------
    ZhipaiError
        E3001–E3024: the first problem in the order of reading (parents, then manifest, clauses, limits, parameters,
        overrides, rules), so that a cause comes before its consequences. :func:`rules.lint.lint` lists all of them.
    """
    pack, problems = read_pack(name_or_path, root=root, overrides=overrides)
    if pack is None or problems:
        files = [problem.mark.file for problem in problems]
        raise min(problems, key=lambda problem: (files.index(problem.mark.file), problem.mark)).error()
    return pack
