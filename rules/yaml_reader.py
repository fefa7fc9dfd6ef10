"""YAML with places: every value knows its file, line and column, so that every message can name them.

The dialect is smaller than YAML's, because YAML guesses: ``no`` is a word here, ``08:30`` is a word, ``010`` is a word;
only ``true``/``false``, plain integers and decimals are anything else. A key that is written twice and an alias
(``*name``) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import yaml

from rules.problems import Mark, Problem

Scalar = str | bool | int | float | None
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNREADABLE = {UnicodeDecodeError: "不是 UTF-8 编码", FileNotFoundError: "没有这个文件", RecursionError: "层级过深"}
_KINDS = {str: "文字", bool: "true/false", int: "整数", float: "小数", list: "列表", dict: "映射", type(None): "空"}


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML value with its place. Items of lists and mappings are nodes again."""

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What stands here, in Chinese."""
        return _KINDS[type(self.value)]


Parsed = tuple[Node | None, tuple[Problem, ...]]


def read_yaml(path: Path, name: str, problems: list[Problem]) -> Node | None:
    """Read one file; ``name`` is how messages call it. What is wrong is added to ``problems``."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = _UNREADABLE.get(type(error), type(error).__name__)
        problems.append(Problem("E3001", Mark(name, 1, 1), {"problem": problem}))
        return None
    node, found = _parsed(text, name)
    problems += found
    return node


# Most of the time that a pack takes to read is the parsing of its parents, which other packs inherit and which seldom
# change. As many files as come with the software are kept (about 12 MB for all of them); nobody changes a node.
@lru_cache(maxsize=256)
def _parsed(text: str, name: str) -> Parsed:
    """A text as nodes, and what is wrong with it."""
    start = Mark(name, 1, 1)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(name, place.line + 1, place.column + 1) if place else start
        return None, (Problem("E3001", mark, {"problem": "不是正确的 YAML"}),)
    except (yaml.YAMLError, RecursionError) as error:
        problem = _UNREADABLE.get(type(error), type(error).__name__)
        return None, (Problem("E3001", start, {"problem": problem}),)
    if root is None:
        return None, (Problem("E3001", start, {"problem": "文件是空的"}),)
    problems: list[Problem] = []
    node = _convert(root, name, set(), problems)
    return (None if any(one.code == "E3001" for one in problems) else node), tuple(problems)


def _convert(node: yaml.Node, name: str, seen: set[int], problems: list[Problem]) -> Node:
    mark = Mark(name, node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in seen:
        problems.append(Problem("E3001", mark, {"problem": "用了引用（*别名），请把内容写全"}))
        return Node(None, mark)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return Node([_convert(item, name, seen, problems) for item in node.value], mark)
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = Mark(name, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in values:
                problems.append(Problem("E3017", place, {"key": key}))
            values[key] = _convert(value_node, name, seen, problems)
            keys[key] = place
        return Node(values, mark, keys)
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return Node(_scalar(node.value) if plain else str(node.value), mark)


def _scalar(text: str) -> Scalar:
    """What a plain word means: nothing, true or false, a number, or the word."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _key_hint(key: str, names: tuple[str, ...]) -> str:
    if "：" in key:
        return "冒号要用半角，后面空一格。"
    near = get_close_matches(key, names, n=1)
    return f"是不是“{near[0]}”？" if near else f"这里可以写：{'、'.join(names)}。"


class Fields:
    """Typed access to the keys of one mapping. Each accessor reports what is wrong and returns a usable default."""

    def __init__(self, node: Node, what: str, problems: list[Problem], *, allowed: Iterable[str]):
        self.node, self.what, self.problems = node, what, problems
        self._before = len(problems)
        self.values: dict[str, Node] = {}
        if not isinstance(node.value, dict):
            hint = "带键的映射（键和冒号要用半角，冒号后空一格）"
            self._report("E3003", node.mark, key=what, wanted=hint, found=node.kind)
            return
        names = tuple(allowed)
        for key, value in node.value.items():
            if key in names:
                self.values[key] = value
                continue
            self._report("E3002", node.keys[key], what=what, key=key, hint=_key_hint(key, names))

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong since this mapping was opened."""
        return len(self.problems) == self._before

    def _report(self, code: str, mark: Mark, **params: object) -> None:
        self.problems.append(Problem(code, mark, params))

    def mark(self, key: str) -> Mark:
        """The place of the value of ``key``, or of the mapping when it is absent."""
        return self.values[key].mark if key in self.values else self.node.mark

    def get(self, key: str, *, required: bool = False) -> Node | None:
        """The value as it is; an empty value counts as absent."""
        found = self.values.get(key)
        if found is not None and found.value is not None:
            return found
        # Beside a key that is not known, one that is missing is most likely the same mistake.
        if required and isinstance(self.node.value, dict) and set(self.node.value) == set(self.values):
            self._report("E3004", found.mark if found else self.node.mark, what=self.what, key=key)
        return None

    def text(
        self,
        key: str,
        *,
        required: bool = True,
        default: str = "",
        choices: Iterable[str] = (),
        pattern: str = "",
        example: str = "",
    ) -> str:
        found = self.get(key, required=required)
        if found is None:
            return default
        if not isinstance(found.value, str):
            self._report("E3003", found.mark, key=key, wanted="文字", found=found.kind)
            return default
        value, allowed = found.value.strip(), tuple(choices)
        if allowed and value not in allowed:
            self._report("E3005", found.mark, key=key, value=value, choices="、".join(allowed))
        if pattern and not re.fullmatch(pattern, value):
            self._report("E3015", found.mark, value=value, what=self.what, example=example)
        return value

    def integer(self, key: str, *, required: bool = True, default: int = 0) -> int:
        found = self.get(key, required=required)
        if found is None:
            return default
        if type(found.value) is not int:
            self._report("E3003", found.mark, key=key, wanted="整数", found=found.kind)
            return default
        return found.value

    def day(self, key: str, *, required: bool = False) -> date | None:
        found = self.get(key, required=required)
        if found is None:
            return None
        return self.read_day(found, key)

    def read_day(self, node: Node, key: str) -> date | None:
        """A date like 2024-01-31, or a reported problem."""
        if not isinstance(node.value, str) or not _DATE.fullmatch(node.value):
            self._report("E3010", node.mark, key=key, problem=f"“{node.value}”不是这种写法")
            return None
        try:
            return date.fromisoformat(node.value)
        except ValueError:
            self._report("E3010", node.mark, key=key, problem=f"没有“{node.value}”这一天")
            return None

    def items(self, key: str, *, required: bool = False) -> list[Node]:
        found = self.get(key, required=required)
        if found is None:
            return []
        if not isinstance(found.value, list):
            self._report("E3003", found.mark, key=key, wanted="列表", found=found.kind)
            return []
        return found.value

    def texts(self, key: str, *, choices: Iterable[str] = ()) -> tuple[str, ...]:
        """A list of words."""
        allowed = tuple(choices)
        words: list[str] = []
        for item in self.items(key):
            if not isinstance(item.value, str):
                self._report("E3003", item.mark, key=key, wanted="文字", found=item.kind)
            elif allowed and item.value not in allowed:
                self._report("E3005", item.mark, key=key, value=item.value, choices="、".join(allowed))
            else:
                words.append(item.value)
        return tuple(words)

    def span(self) -> tuple[date | None, date | None]:
        """``effective_from`` and ``effective_to``, the latter exclusive; an empty span is reported."""
        start, end = self.day("effective_from"), self.day("effective_to")
        if start and end and end <= start:
            self._report("E3010", self.mark("effective_to"), key="effective_to", problem="失效日期不晚于生效日期")
        return start, end
