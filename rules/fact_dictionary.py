"""The fact dictionary: every fact a rule may read, with its type; and the one place where values are made comparable.

All evaluators get the facts from :meth:`FactDictionary.check`, so that none of them can differ over a type or a rounding.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path

import yaml

from intake.errors import ZhipaiError
from rules.vocabulary import GATES

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ASIDE = re.compile(r"（[^（）]*）")
#: Names durable_rules uses for itself: fact id, session id, and the marker field of the lowering.
RESERVED = ("id", "sid", "k")
SOURCES = {"text": "由正文推断", "record": "工单上已有", "ranking": "由单位建议得出", "person": "由人填写"}
TYPES = {"bool": "是否", "str": "文字", "int": "整数", "float": "小数", "instant": "时刻"}
MAX_STR = 2000
MAX_INT = 2**53
MAX_FLOAT = 1e15
DECIMALS = 4

Value = str | bool | int | float
Facts = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of the dictionary.

    An ``instant`` is held as text (ISO 8601 with its zone); rules only ask whether it is there, and what has to be
    reckoned from it is a fact of its own (:mod:`rules.times`).

    ``gates`` are those at which the fact can be known (empty: all); ``ask`` is what a person has to verify when it is
    missing; ``silence`` says what a text without any word of the family means: "false" or "absent".
    """

    name: str
    type: str
    description: str
    source: str
    values: tuple[str, ...] = ()
    unit: str = ""
    gates: tuple[str, ...] = ()
    ask: str = ""
    situation: str = ""
    silence: str = ""

    @property
    def wanted(self) -> str:
        """What a value must be, in Chinese."""
        if self.values:
            return f"{'、'.join(self.values)} 之一"
        words = {"bool": "true 或 false", "str": "文字", "int": "整数", "float": "数"}
        return words.get(self.type, "带时区的时刻（如 2026-05-06T09:30:00+08:00）")

    @property
    def label(self) -> str:
        return f"{self.short_name}（{self.name}）"

    @property
    def short_name(self) -> str:
        """The first clause of the description, without asides."""
        return _ASIDE.sub("", self.description).split("；")[0]

    def literal(self, value: object) -> Value | None:
        """The value as a rule may compare it, or None if its type is not that of the fact. No guessing: 1 ≠ true."""
        if self.type == "float" and type(value) in (int, float):
            # Compared as it came: an integer of 400 digits has no float.
            if not abs(value) < MAX_FLOAT:  # type: ignore[arg-type]
                return None
            number = float(value)  # type: ignore[arg-type]
            return number + 0.0 if round(number, DECIMALS) == number else None
        if self.type == "instant":
            return _instant(value)
        if type(value).__name__ != self.type or (self.values and value not in self.values):
            return None
        if isinstance(value, str):
            return value if _sendable(value) else None
        return value if isinstance(value, bool) or abs(value) < MAX_INT else None  # type: ignore[arg-type, return-value]


def _instant(value: object) -> str | None:
    """An aware instant in one way of writing, to the second; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return None
    return moment.replace(microsecond=0).isoformat()


def _sendable(text: str) -> bool:
    return len(text) <= MAX_STR and not any("\ud800" <= character <= "\udfff" for character in text)


def durable_hash(name: str) -> int:
    """FNV-1a over 32 bits: the only thing by which durable_rules compares field names."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class FactDictionary:
    """All facts by name. Immutable."""

    def __init__(self, facts: Mapping[str, Fact]):
        self._facts = dict(facts)
        seen: dict[int, str] = {durable_hash(name): name for name in RESERVED}
        for fact in self._facts.values():
            self._check_entry(fact)
            other = seen.setdefault(durable_hash(fact.name), fact.name)
            if other != fact.name:
                raise ZhipaiError("E3301", {"problem": f"“{fact.name}”与“{other}”的 32 位散列相同，请改名"})

    @staticmethod
    def _check_entry(fact: Fact) -> None:
        problem = ""
        if not NAME.fullmatch(fact.name) or fact.name in RESERVED:
            problem = f"“{fact.name}”不能作事实名"
        elif fact.type not in TYPES or fact.source not in SOURCES or not set(fact.gates) <= set(GATES):
            problem = f"“{fact.name}”的 type、source 或 gates 不在允许的写法之中"
        elif fact.values and fact.type != "str":
            problem = f"“{fact.name}”不是文字，不能列取值"
        elif not fact.description or fact.silence not in ("", "false", "absent"):
            problem = f"“{fact.name}”缺少说明，或 silence 不是 false、absent"
        if problem:
            raise ZhipaiError("E3301", {"problem": problem})

    @cached_property
    def id(self) -> str:
        rows = json.dumps([asdict(fact) for fact in self], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "facts-" + hashlib.sha256(rows.encode()).hexdigest()[:16]

    def __iter__(self) -> Iterator[Fact]:
        return iter(sorted(self._facts.values(), key=lambda fact: fact.name))

    def __len__(self) -> int:
        return len(self._facts)

    def get(self, name: str) -> Fact | None:
        return self._facts.get(name)

    def hint(self, name: str) -> str:
        """What somebody who wrote ``name`` may have meant."""
        near = get_close_matches(name, self._facts, n=1)
        return f"是不是“{near[0]}”？" if near else "可用的事实见 zhipai rules facts。"

    def check(self, facts: Mapping[str, object]) -> dict[str, Value]:
        """Return the facts typed, rounded to 4 decimals and without the missing ones (None), in the order of names.

        Raises
        ------
        ZhipaiError
            E3202 for a name that is not in the dictionary, E3203 for a value of another type, out of range, or not in
            the closed list of the fact. The value itself is not repeated: messages reach logs.
        """
        checked: dict[str, Value] = {}
        for name in sorted(facts):
            raw = facts[name]
            if raw is None:
                continue
            fact = self._facts.get(name)
            if fact is None:
                raise ZhipaiError("E3202", {"fact": name, "hint": self.hint(name)})
            if fact.type == "float" and type(raw) is float and math.isfinite(raw):
                raw = round(raw, DECIMALS)
            value = fact.literal(raw)
            if value is None:
                raise ZhipaiError("E3203", {"fact": name, "problem": self._problem(fact, raw)})
            checked[name] = value
        return checked

    @staticmethod
    def _problem(fact: Fact, value: object) -> str:
        if fact.type == "instant":
            return f"应是{fact.wanted}"
        if type(value).__name__ != fact.type and not (fact.type == "float" and type(value) is int):
            return f"应是{fact.wanted}，现在的类型是 {type(value).__name__}"
        if fact.type == "str":
            if not fact.values:
                return f"文字超过 {MAX_STR} 个字，或含有不成对的编码"
            return f"应是{fact.wanted}"
        return "数超出范围，或不是数"


def facts_from_files(paths: Iterable[Path]) -> FactDictionary:
    """Read YAML lists of facts into one dictionary; E3301 says what is wrong."""
    rows = [row for path in paths for row in yaml.safe_load(path.read_text(encoding="utf-8"))]
    facts: dict[str, Fact] = {}
    for row in rows:
        lists = {key: tuple(row[key]) for key in ("values", "gates") if key in row}
        try:
            fact = Fact(**(row | lists))
        except TypeError as error:
            raise ZhipaiError("E3301", {"problem": f"“{row.get('name')}”的键不对（{error}）"}) from error
        if fact.name in facts:
            raise ZhipaiError("E3301", {"problem": f"“{fact.name}”写了两次"})
        facts[fact.name] = fact
    return FactDictionary(facts)


@cache
def fact_dictionary() -> FactDictionary:
    """The dictionary of the house, ``rules/facts/*.yaml``."""
    return facts_from_files(sorted(Path(__file__).with_name("facts").glob("*.yaml")))
