"""What a responsible unit (承办单位) is, and the directory of units with their dates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import yaml

from intake.errors import ZhipaiError, register

register("E1101", "单位不在名录", "单位“{unit}”在 {as_of} 不在单位名录中。{hint}")
register("E1102", "单位名录有误", "单位名录第 {number} 个单位：{problem}。请改正后重新导入。")
register("E1103", "单位名录读不出", "单位名录“{path}”读不出来：{problem}。", exit_code=3)

#: What a unit without a first day gets: it was always there.
FOUNDED = date(1949, 10, 1)
LEVELS = ("市", "区", "街镇", "企业")


@dataclass(frozen=True, slots=True)
class Unit:
    """A responsible unit (承办单位) with the days on which it is in force.

    ``effective_to`` is exclusive: the first day on which the unit no longer exists. ``function`` is the name without
    its place, the same for the city's and the districts' bureaus (职能归一), so unit ≈ function × district.
    """

    name: str
    parent: str = ""
    level: str = "市"
    function: str = ""
    district: str = "市级"
    duties: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    effective_from: date = FOUNDED
    effective_to: date | None = None
    successor: str = ""

    def in_force(self, as_of: datetime | date) -> bool:
        day = as_of.date() if isinstance(as_of, datetime) else as_of
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


def _day(value: object) -> date | None:
    if value in (None, ""):
        return None
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def unit_from_dict(row: dict, *, number: int = 1) -> Unit:
    """Build a unit from a mapping as it stands in YAML or JSON; E1102 names the row and the field."""
    name = str(row.get("name") or "").strip()
    if not name:
        raise ZhipaiError("E1102", {"number": number, "problem": "缺少名称（name）"})
    level = row.get("level") or "市"
    if level not in LEVELS:
        raise ZhipaiError("E1102", {"number": number, "problem": f"层级“{level}”不在 {'、'.join(LEVELS)} 之中"})
    try:
        start, end = _day(row.get("effective_from")), _day(row.get("effective_to"))
    except ValueError as error:
        problem = f"日期写法不对（{error}），应为 2024-01-31"
        raise ZhipaiError("E1102", {"number": number, "problem": problem}) from error
    if start and end and end <= start:
        raise ZhipaiError("E1102", {"number": number, "problem": "失效日期不晚于生效日期"})
    return Unit(
        name=name,
        parent=row.get("parent") or "",
        level=level,
        function=row.get("function") or name,
        district=row.get("district") or "市级",
        duties=tuple(row.get("duties") or ()),
        aliases=tuple(row.get("aliases") or ()),
        effective_from=start or FOUNDED,
        effective_to=end,
        successor=row.get("successor") or "",
    )


class UnitDirectory:
    """The units a city has had, addressable by name and day. Immutable; ``id`` is its content hash."""

    def __init__(self, units: Iterable[Unit]):
        self.units: tuple[Unit, ...] = tuple(sorted(units, key=lambda unit: (unit.name, unit.effective_from)))
        self._by_name: dict[str, list[Unit]] = {}
        for unit in self.units:
            self._by_name.setdefault(unit.name, []).append(unit)

    @cached_property
    def id(self) -> str:
        """``units-`` and the first 16 hex digits of the SHA-256 of the canonical rows."""
        return "units-" + hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        rows = [asdict(unit) for unit in self.units]
        return json.dumps(rows, ensure_ascii=False, sort_keys=True, default=str, separators=(",", ":"))

    @classmethod
    def from_rows(cls, rows: Iterable[dict]) -> UnitDirectory:
        return cls(unit_from_dict(row, number=number) for number, row in enumerate(rows, start=1))

    @classmethod
    def from_file(cls, path: Path) -> UnitDirectory:
        """Read a YAML or JSON list of units."""
        try:
            text = path.read_text(encoding="utf-8")
            rows = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
            raise ZhipaiError("E1103", {"path": path.name, "problem": type(error).__name__}) from error
        if not isinstance(rows, list):
            raise ZhipaiError("E1103", {"path": path.name, "problem": "最外层应是一个列表"})
        return cls.from_rows(rows)

    def in_force(self, as_of: datetime | date) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.in_force(as_of))

    def get(self, name: str, as_of: datetime | date) -> Unit | None:
        """The unit of exactly this name that is in force, or None."""
        for unit in self._by_name.get(name, ()):
            if unit.in_force(as_of):
                return unit
        return None

    def forward(self, name: str, as_of: datetime | date) -> Unit | None:
        """Like :meth:`get`, but a unit that has ended is followed to its successor (更名、合并)."""
        seen: set[str] = set()
        while name and name not in seen:
            seen.add(name)
            unit = self.get(name, as_of)
            if unit is not None:
                return unit
            name = next((unit.successor for unit in reversed(self._by_name.get(name, [])) if unit.successor), "")
        return None

    def require(self, name: str, as_of: datetime | date) -> Unit:
        """Like :meth:`get`, but raise E1101 with the likely reason."""
        unit = self.get(name, as_of)
        if unit is not None:
            return unit
        successor = self.forward(name, as_of)
        if successor is not None:
            hint = f"它已并入或更名为“{successor.name}”，请改用新名称。"
        elif name in self._by_name:
            hint = "它当日尚未成立或已经撤销，请核对日期。"
        else:
            hint = "请从单位名录中选择全称。"
        day = as_of.date() if isinstance(as_of, datetime) else as_of
        raise ZhipaiError("E1101", {"unit": name, "as_of": day.isoformat(), "hint": hint})
