"""What a rule pack (规则包) is: the dated rules, clauses, limits and calendar of one jurisdiction, with a content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rules.calendar import CalendarSettings
from rules.clause import Clause
from rules.limit import Limit
from rules.load import read_parts
from rules.problems import Mark, Problem
from rules.rule import Rule
from rules.words import word_lists

PACKS = Path(__file__).with_name("packs")


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
        Dated parameters; a pack's own limit replaces an inherited one of the same id.
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
            "calendar": self.calendar.to_data(),
            "basis": list(self.basis),
        }


def read_pack(name_or_path: str | Path, *, root: Path | None = None) -> tuple[RulePack | None, list[Problem]]:
    """Read a pack and everything that is wrong with it; None when it cannot be used at all. Raises nothing."""
    reading, problems = read_parts(name_or_path, root=root or PACKS)
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
        calendar=reading.calendar,
        basis=(reading.dictionary.id, word_lists().id),
        clause_owners=reading.clause_owners,
        clause_marks=reading.clause_marks,
        folder=reading.folder,
    )
    return pack, problems


def load_pack(name_or_path: str | Path, *, root: Path | None = None) -> RulePack:
    """Load a pack by name (a folder under ``root``, by default the packs that come with 智派) or by its folder.

    Raises
    ------
    ZhipaiError
        E3001–E3020: the first problem in the order of reading (parents, then manifest, clauses, limits, rules), so
        that a cause comes before its consequences. :func:`rules.lint.lint` lists all of them.
    """
    pack, problems = read_pack(name_or_path, root=root)
    if pack is None or problems:
        files = [problem.mark.file for problem in problems]
        raise min(problems, key=lambda problem: (files.index(problem.mark.file), problem.mark)).error()
    return pack
