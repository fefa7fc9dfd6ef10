"""Which units the ranker may name, and what the directory says of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from intake.errors import ZhipaiError, register
from intake.unit import Unit, UnitDirectory

register(
    "E2101",
    "单位不在名录",
    "模型能派的单位里有 {count} 个不在单位名录中：{units}。请把它们补进名录（撤并的写明 successor），或用新名录重新训练。",
)

CITY = "市级"
#: At most this many names in a message.
SHOWN = 10


@dataclass(frozen=True)
class Candidates:
    """Units in a fixed order, by which every array of the ranker is laid out.

    Parameters
    ----------
    names, functions, districts : tuple of str
        One entry for each unit. Units of one function, or of one district, share what is learned about it.
    is_street : tuple of bool
        Whether the unit is a street office or a town (街镇).
    """

    names: tuple[str, ...]
    functions: tuple[str, ...]
    districts: tuple[str, ...]
    is_street: tuple[bool, ...]

    @classmethod
    def choose(cls, labels: Iterable[str], directory: UnitDirectory) -> Candidates:
        """The units that orders went to, and all units still in force.

        A unit without a historic order is reached through its duties, its function and its district.

        Raises
        ------
        ZhipaiError
            E2101 when a label is in the directory under no date.
        """
        latest = latest_units(directory)
        trained = set(labels)
        require_known(trained, directory)
        others = {unit.name for unit in latest.values() if unit.effective_to is None}
        return cls.of(sorted(trained | others), directory)

    @classmethod
    def of(cls, names: Iterable[str], directory: UnitDirectory) -> Candidates:
        latest = latest_units(directory)
        units = [latest[name] for name in names]
        return cls(
            names=tuple(unit.name for unit in units),
            functions=tuple(unit.function for unit in units),
            districts=tuple(unit.district for unit in units),
            is_street=tuple(unit.level == "街镇" for unit in units),
        )

    def __len__(self) -> int:
        return len(self.names)

    def district_match(self, district: str) -> np.ndarray:
        """+1 for a unit of this district, -1 for one of another, 0 for the city's; all 0 when it is not known."""
        if district == CITY or district not in self._districts:
            return self._nothing
        return np.where(self._of_city, np.float32(0), np.where(self._districts == district, 1, -1)).astype(np.float32)

    def street_match(self, street: str) -> np.ndarray:
        """+1 for the office of this street or town, -1 for another's, 0 for all other units."""
        if not street or not self._streets:
            return self._nothing
        match = self._nothing.copy()
        for number in self._streets:
            match[number] = 1 if street in self.names[number] else -1
        return match

    @cached_property
    def _nothing(self) -> np.ndarray:
        return np.zeros(len(self), np.float32)

    @cached_property
    def _districts(self) -> np.ndarray:
        return np.array(self.districts)

    @cached_property
    def _of_city(self) -> np.ndarray:
        return self._districts == CITY

    @cached_property
    def _streets(self) -> tuple[int, ...]:
        return tuple(number for number, local in enumerate(self.is_street) if local)


def latest_units(directory: UnitDirectory) -> dict[str, Unit]:
    """Name -> its latest entry. The directory is ordered by name and first day."""
    return {unit.name: unit for unit in directory.units}


def require_known(names: Iterable[str], directory: UnitDirectory) -> None:
    """Raise E2101 with the names that the directory has under no date."""
    known = {unit.name for unit in directory.units}
    missing = sorted(set(names) - known)
    if missing:
        shown = "、".join(missing[:SHOWN]) + ("等" if len(missing) > SHOWN else "")
        raise ZhipaiError("E2101", {"count": len(missing), "units": shown})
