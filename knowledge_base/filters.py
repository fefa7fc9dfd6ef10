"""Which entries may be found: in force on a day, in use, of a district, of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from knowledge_base.entry import IN_USE, KnowledgeEntry

NEVER = date.max.toordinal() + 1


@dataclass(frozen=True, slots=True)
class Where:
    """What is looked at: entries in force on ``day``, of a district or the whole city, of a unit, in a state.

    Empty text is every district, every unit, and the states in use (:data:`knowledge_base.entry.IN_USE`).
    """

    day: date
    district: str = ""
    unit: str = ""
    state: str = ""

    @property
    def states(self) -> tuple[str, ...]:
        return (self.state,) if self.state else tuple(sorted(IN_USE))


@dataclass(frozen=True)
class _Words:
    """Words as numbers, so that 200,000 of them are compared at once."""

    numbers: dict[str, int]
    values: np.ndarray

    def replaced(self, stay: np.ndarray, came: np.ndarray, words: Sequence[str]) -> _Words:
        numbers = dict(self.numbers)
        values = [numbers.setdefault(word, len(numbers)) for word in words]
        return _Words(numbers, _replaced(self.values, stay, came, np.array(values, np.int32)))

    def equal(self, word: str) -> np.ndarray:
        return self.values == self.numbers.get(word, -1)


def _replaced(old: np.ndarray, stay: np.ndarray, came: np.ndarray, new: np.ndarray) -> np.ndarray:
    values = np.empty(len(came), old.dtype)
    values[~came] = old[stay]
    values[came] = new
    return values


@dataclass(frozen=True)
class Columns:
    """The filtered fields of entries, by position."""

    state: _Words
    district: _Words
    unit: _Words
    begin: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, entries: Sequence[KnowledgeEntry]) -> Columns:
        words, days = _Words({}, np.empty(0, np.int32)), np.empty(0, np.int32)
        every = np.ones(len(entries), bool)
        return cls(words, words, words, days, days).replaced(np.empty(0, bool), every, entries)

    def replaced(self, stay: np.ndarray, came: np.ndarray, entries: Sequence[KnowledgeEntry]) -> Columns:
        """With only those that ``stay`` (a mask) and, where the mask ``came`` says, new ones, in their order."""
        begin = np.array([entry.effective_from.toordinal() for entry in entries], np.int32)
        end = np.array([entry.effective_to.toordinal() if entry.effective_to else NEVER for entry in entries], np.int32)
        return Columns(
            self.state.replaced(stay, came, [entry.state for entry in entries]),
            self.district.replaced(stay, came, [entry.district for entry in entries]),
            self.unit.replaced(stay, came, [entry.unit for entry in entries]),
            _replaced(self.begin, stay, came, begin),
            _replaced(self.end, stay, came, end),
        )

    def mask(self, where: Where) -> np.ndarray:
        """(entries,) whether each may be found."""
        number = where.day.toordinal()
        mask = (self.begin <= number) & (number < self.end)
        mask &= np.logical_or.reduce([self.state.equal(one) for one in where.states])
        if where.district:
            mask &= self.district.equal("") | self.district.equal(where.district)
        if where.unit:
            mask &= self.unit.equal(where.unit)
        return mask
