"""From a folder of YAML files to the parts of a pack, collecting every problem on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.calendar import CalendarSettings
from rules.clause import Clause, parse_document
from rules.fact_dictionary import FactDictionary, fact_dictionary
from rules.limit import Limit, check_overlaps, parse_limit
from rules.problems import Mark, Problem
from rules.rule import Rule, parse_rule
from rules.yaml_reader import Fields, Node, read_yaml

PACK_NAME = r"[a-z][a-z0-9-]*"
MANIFEST, CLAUSES, LIMITS = "pack.yaml", "clauses.yaml", "limits.yaml"
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass
class Reading:
    """A pack while it is read: the parts of its parents, then its own on top."""

    folder: Path
    root: Path
    dictionary: FactDictionary
    problems: list[Problem]
    lineage: list[str] = field(default_factory=list)
    rules: dict[str, Rule] = field(default_factory=dict)
    clauses: dict[str, Clause] = field(default_factory=dict)
    clause_marks: dict[str, Mark] = field(default_factory=dict)
    clause_owners: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    title: str = ""
    jurisdiction: str = ""


def read_parts(name_or_path: str | Path, *, root: Path) -> tuple[Reading | None, list[Problem]]:
    """Read the parts of a pack and what is wrong with them; None when a manifest cannot be used at all."""
    problems: list[Problem] = []
    folder = find_folder(name_or_path, root)
    if folder is None:
        name = Path(name_or_path).name
        params = {"name": name, "problem": "没有这个文件夹，或其中没有 pack.yaml"}
        return None, [Problem("E3014", Mark(name, 1, 1), params)]
    reading = Reading(folder, root, fact_dictionary(), problems)
    if not _read_folder(folder, reading, visiting=()):
        return None, problems
    check_overlaps(list(reading.limits.values()), problems)
    return reading, problems


def find_folder(name_or_path: str | Path, root: Path) -> Path | None:
    """The folder of a pack: a name is looked up under ``root`` first, then taken as a path."""
    name = str(name_or_path)
    candidates = [root / name] if re.fullmatch(PACK_NAME, name) else []
    for folder in [*candidates, Path(name)]:
        if (folder / MANIFEST).is_file():
            return folder.resolve()
    return None


def _read_folder(folder: Path, reading: Reading, visiting: tuple[str, ...]) -> bool:
    """Read one folder, its parent first. Returns whether the manifest could be used."""
    problems = reading.problems
    node = read_yaml(folder / MANIFEST, f"{folder.name}/{MANIFEST}", problems)
    if node is None:
        return False
    fields = Fields(
        node,
        "规则包",
        problems,
        allowed=("name", "title", "jurisdiction", "extends", "time_zone", "calendar"),
    )
    name = fields.text("name", pattern=PACK_NAME, example="weifang")
    title, jurisdiction = fields.text("title"), fields.text("jurisdiction")
    extends = fields.text("extends", required=False)
    if not fields.ok:
        return False
    if extends and not _read_parent(extends, folder, fields.mark("extends"), reading, (*visiting, name)):
        return False
    reading.lineage.insert(0, name)
    reading.title, reading.jurisdiction = title, jurisdiction
    reading.calendar = _read_calendar(fields, reading.calendar, problems)
    _read_clauses(folder, name, reading)
    _check_calendar_clauses(fields, reading)
    _read_limits(folder, name, reading)
    for path in sorted(folder.glob("*.yml")):
        mark = Mark(f"{folder.name}/{path.name}", 1, 1)
        problems.append(Problem("E3001", mark, {"problem": "扩展名是 .yml，规则包只认 .yaml"}))
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in (MANIFEST, CLAUSES, LIMITS):
            _read_rules(path, name, reading)
    return True


def _read_parent(name: str, folder: Path, mark: Mark, reading: Reading, visiting: tuple[str, ...]) -> bool:
    problem = ""
    parent = find_folder(name, reading.root) or find_folder(folder.parent / name, reading.root)
    if not re.fullmatch(PACK_NAME, name) or parent is None:
        problem = "没有这个文件夹，或其中没有 pack.yaml"
    elif name in visiting:
        problem = f"extends 绕成了圈：{' → '.join((*visiting, name))}"
    if problem or parent is None:
        reading.problems.append(Problem("E3014", mark, {"name": name, "problem": problem}))
        return False
    return _read_folder(parent, reading, visiting)


def _list(folder: Path, file: str, reading: Reading) -> list[Node]:
    """The items of a file that holds one list; a file that is absent holds none."""
    path, shown = folder / file, f"{folder.name}/{file}"
    if not path.is_file():
        return []
    node = read_yaml(path, shown, reading.problems)
    if node is None:
        return []
    if not isinstance(node.value, list):
        params = {"key": shown, "wanted": "列表（每项前写一个减号和空格）", "found": node.kind}
        reading.problems.append(Problem("E3003", node.mark, params))
        return []
    return node.value


def _read_clauses(folder: Path, name: str, reading: Reading) -> None:
    for document in _list(folder, CLAUSES, reading):
        for clause, node in parse_document(document, reading.problems):
            first = reading.clause_marks.setdefault(clause.id, node.mark)
            if first is not node.mark:
                params = {"what": "条款", "id": clause.id, "first": first}
                reading.problems.append(Problem("E3011", node.mark, params))
            reading.clauses[clause.id] = clause
            reading.clause_owners[clause.id] = name


def _read_limits(folder: Path, name: str, reading: Reading) -> None:
    for node in _list(folder, LIMITS, reading):
        limit = parse_limit(node, pack=name, clauses=reading.clauses, problems=reading.problems)
        if limit is None:
            continue
        before = reading.limits.get(limit.id)
        if before is not None and before.pack == name:
            params = {"what": "时限", "id": limit.id, "first": before.mark}
            reading.problems.append(Problem("E3011", node.mark, params))
        reading.limits[limit.id] = limit


def _read_rules(path: Path, name: str, reading: Reading) -> None:
    for node in _list(path.parent, path.name, reading):
        rule = parse_rule(
            node, pack=name, dictionary=reading.dictionary, clauses=reading.clauses, problems=reading.problems
        )
        if rule is None:
            continue
        if rule.id in reading.rules:
            params = {"what": "规则", "id": rule.id, "first": reading.rules[rule.id].mark}
            reading.problems.append(Problem("E3011", node.mark, params))
        reading.rules[rule.id] = rule


def _read_calendar(fields: Fields, inherited: CalendarSettings, problems: list[Problem]) -> CalendarSettings:
    """The pack's own settings over the inherited ones: days add up, the rest replaces."""
    zone = fields.text("time_zone", required=False, default=inherited.time_zone)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(Problem("E3020", fields.mark("time_zone"), {"problem": f"没有时区“{zone}”"}))
        zone = inherited.time_zone
    node = fields.get("calendar")
    if node is None:
        return replace(inherited, time_zone=zone)
    inner = Fields(
        node,
        "日历",
        problems,
        allowed=("holidays", "workdays", "office_hours", "covers_to", "clauses"),
    )
    return CalendarSettings(
        holidays={**inherited.holidays, **_days(inner, "holidays", problems)},
        workdays={**inherited.workdays, **_days(inner, "workdays", problems)},
        office_hours=_office_hours(inner, problems) or inherited.office_hours,
        covers_to=inner.day("covers_to") or inherited.covers_to,
        clauses=(*inherited.clauses, *inner.texts("clauses")),
        time_zone=zone,
    )


def _check_calendar_clauses(fields: Fields, reading: Reading) -> None:
    calendar = fields.get("calendar")
    cited = calendar.value.get("clauses") if calendar and isinstance(calendar.value, dict) else None
    for item in cited.value if cited and isinstance(cited.value, list) else ():
        if item.value not in reading.clauses:
            reading.problems.append(Problem("E3009", item.mark, {"clause": item.value}))


def _days(fields: Fields, key: str, problems: list[Problem]) -> dict[date, str]:
    """``[{day: 2026-08-15, name: 那达慕}]`` as a mapping."""
    days: dict[date, str] = {}
    for item in fields.items(key):
        inner = Fields(item, "放假或上班的日子", problems, allowed=("day", "name"))
        day, name = inner.day("day", required=True), inner.text("name")
        if day is not None and inner.ok:
            days[day] = name
    return days


def _office_hours(fields: Fields, problems: list[Problem]) -> tuple[tuple[time, time], ...]:
    """``[["08:30", "12:00"], ["13:30", "17:30"]]``: each opening before its closing, one after the other."""
    spans: list[tuple[time, time]] = []
    for item in fields.items("office_hours"):
        parts = [part.value for part in item.value] if isinstance(item.value, list) else []
        if len(parts) != 2 or not all(isinstance(part, str) and _HOUR.fullmatch(part) for part in parts):
            problems.append(Problem("E3020", item.mark, {"problem": '办公时间写成 ["08:30", "12:00"]'}))
            return ()
        opening, closing = (time.fromisoformat(str(part)) for part in parts)
        if closing <= opening or (spans and opening < spans[-1][1]):
            problems.append(Problem("E3020", item.mark, {"problem": "办公时间应由早到晚，不能重叠"}))
            return ()
        spans.append((opening, closing))
    return tuple(spans)
