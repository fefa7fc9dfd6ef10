"""From a folder of YAML files to the parts of a pack, collecting every problem on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from rules.ast import leaves
from rules.calendar import CalendarSettings
from rules.calendar_settings import read_calendar
from rules.clause import Clause, parse_document
from rules.fact_dictionary import FactDictionary, fact_dictionary
from rules.limit import Limit, check_overlaps, parse_limit
from rules.overrides import apply_overrides
from rules.parameter import Parameter, parse_parameter
from rules.problems import Mark, Problem
from rules.rule import Rule, parse_rule
from rules.vocabulary import MAY_BLOCK
from rules.yaml_reader import Fields, Node, read_yaml

PACK_NAME = r"[a-z][a-z0-9-]*"
MANIFEST, CLAUSES, LIMITS = "pack.yaml", "clauses.yaml", "limits.yaml"
PARAMETERS, OVERRIDES = "parameters.yaml", "overrides.yaml"
#: Every other YAML file of a pack holds rules.
NO_RULES = (MANIFEST, CLAUSES, LIMITS, PARAMETERS, OVERRIDES)


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
    parameters: dict[str, Parameter] = field(default_factory=dict)
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    title: str = ""
    jurisdiction: str = ""
    folders: set[Path] = field(default_factory=set)


def read_parts(
    name_or_path: str | Path, *, root: Path, overrides: Path | None = None
) -> tuple[Reading | None, list[Problem]]:
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
    if overrides is not None:
        _read_overrides(overrides, overrides.name, "user", reading)
    check_overlaps(list(reading.limits.values()), problems)
    _check_parameters(reading)
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
    """Read one folder, its parents first, each once. Returns whether the manifest could be used."""
    if folder in reading.folders:
        return True
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
    parents = _parents(fields)
    if not fields.ok:
        return False
    if not all(_read_parent(parent, folder, mark, reading, (*visiting, name)) for parent, mark in parents):
        return False
    reading.folders.add(folder)
    reading.lineage.insert(0, name)
    reading.title, reading.jurisdiction = title, jurisdiction
    reading.calendar = read_calendar(fields, reading.calendar, problems)
    _read_clauses(folder, name, reading)
    _check_calendar_clauses(fields, reading)
    _read_limits(folder, name, reading)
    _read_parameters(folder, name, reading)
    if (folder / OVERRIDES).is_file():
        _read_overrides(folder / OVERRIDES, f"{folder.name}/{OVERRIDES}", f"user-{name}", reading)
    for path in sorted(folder.glob("*.yml")):
        mark = Mark(f"{folder.name}/{path.name}", 1, 1)
        problems.append(Problem("E3001", mark, {"problem": "扩展名是 .yml，规则包只认 .yaml"}))
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in NO_RULES:
            _read_rules(path, name, reading)
    return True


def _parents(fields: Fields) -> list[tuple[str, Mark]]:
    """``extends`` is one name or a list of names."""
    found = fields.get("extends")
    if found is not None and isinstance(found.value, list):
        items = found.value
        names = fields.texts("extends")
        return list(zip(names, [item.mark for item in items], strict=True)) if len(names) == len(items) else []
    name = fields.text("extends", required=False)
    return [(name, fields.mark("extends"))] if name else []


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


def _read_parameters(folder: Path, name: str, reading: Reading) -> None:
    for node in _list(folder, PARAMETERS, reading):
        parameter = parse_parameter(node, pack=name, clauses=reading.clauses, problems=reading.problems)
        if parameter is None:
            continue
        before = reading.parameters.get(parameter.id)
        if before is not None and before.pack == name:
            params = {"what": "参数", "id": parameter.id, "first": before.mark}
            reading.problems.append(Problem("E3011", node.mark, params))
        elif before is not None and before.type != parameter.type:
            problem = f"type 是 {parameter.type}，上级“{before.pack}”的是 {before.type}"
            params = {"parameter": parameter.id, "problem": problem, "hint": "请与上级的 type 一致。"}
            reading.problems.append(Problem("E3022", node.mark, params))
        reading.parameters[parameter.id] = parameter


def _read_overrides(path: Path, shown: str, document: str, reading: Reading) -> None:
    node = read_yaml(path, shown, reading.problems)
    if node is not None:
        for clause, mark in apply_overrides(node, document, reading.parameters, reading.limits, reading.problems):
            reading.clauses[clause.id] = clause
            reading.clause_marks[clause.id] = mark
            reading.clause_owners[clause.id] = document


def _check_parameters(reading: Reading) -> None:
    """What only the finished pack shows: values that a fact cannot have, and a rule that blocks by a weak value."""
    for rule in reading.rules.values():
        for leaf in leaves(rule.when):
            parameter, fact = reading.parameters.get(leaf.parameter), reading.dictionary.get(leaf.fact)
            if parameter is None or fact is None:
                continue
            for value in parameter.values:
                if fact.literal(value.value) is None:
                    params = {"fact": fact.name, "wanted": fact.wanted, "value": value.value}
                    reading.problems.append(Problem("E3008", parameter.mark, params))
                confidence = reading.clauses[value.clause].confidence
                if rule.severity == "block" and confidence not in MAY_BLOCK:
                    params = {"clause": value.clause, "confidence": confidence, "rule": rule.id}
                    reading.problems.append(Problem("E3012", parameter.mark, params))


def _read_rules(path: Path, name: str, reading: Reading) -> None:
    for node in _list(path.parent, path.name, reading):
        rule = parse_rule(
            node,
            pack=name,
            dictionary=reading.dictionary,
            clauses=reading.clauses,
            problems=reading.problems,
            parameters=reading.parameters,
        )
        if rule is None:
            continue
        if rule.id in reading.rules:
            params = {"what": "规则", "id": rule.id, "first": reading.rules[rule.id].mark}
            reading.problems.append(Problem("E3011", node.mark, params))
        reading.rules[rule.id] = rule


def _check_calendar_clauses(fields: Fields, reading: Reading) -> None:
    calendar = fields.get("calendar")
    cited = calendar.value.get("clauses") if calendar and isinstance(calendar.value, dict) else None
    for item in cited.value if cited and isinstance(cited.value, list) else ():
        if item.value not in reading.clauses:
            reading.problems.append(Problem("E3009", item.mark, {"clause": item.value}))
