"""Two entries on one matter that say different numbers: a period, an amount, an age, a day, a phone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from knowledge_base.citations import chinese_number
from knowledge_base.entry import KnowledgeEntry

_HAN = "〇零一二三四五六七八九十百千两"
_NUMBER = rf"(?:\d+(?:\.\d+)?|[{_HAN}]+)"
#: Kind -> its pattern with the group ``n``; those that come first take the characters away from those that follow.
_PATTERNS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("电话", "", re.compile(r"(?<![\d.])(?P<n>0\d{2,3}[-— ]?\d{7,8}|1[3-9]\d{9}|400[- ]?\d{3}[- ]?\d{4}|12\d{3})(?!\d)")),
    ("日期", "", re.compile(rf"(?P<n>(?:\d{{4}}年)?(?:\d{{1,2}}|[{_HAN}]{{1,3}})月(?:(?:\d{{1,2}}|[{_HAN}]{{1,3}})[日号])?)(?!以)")),
    ("日期", "", re.compile(r"(?P<n>(?:19|20)\d{2}年)")),
    ("比例", "%", re.compile(rf"(?P<n>\d+(?:\.\d+)?)[%％]|百分之(?P<h>{_NUMBER})")),
    ("金额", "元", re.compile(rf"(?P<n>{_NUMBER})(?P<w>[万亿]?)元")),
    ("年龄", "岁", re.compile(rf"(?P<n>{_NUMBER})周?岁")),
    ("期限", "工作日", re.compile(rf"(?P<n>{_NUMBER})个?工作日")),
    ("期限", "小时", re.compile(rf"(?P<n>{_NUMBER})个?小时")),
    ("期限", "日", re.compile(rf"(?P<n>{_NUMBER})(?:个自然)?[日天](?![前起之常])")),
    ("期限", "个月", re.compile(rf"(?P<n>{_NUMBER})个月")),
    ("期限", "年", re.compile(rf"(?P<n>{_NUMBER})年(?!度|级|龄)")),
)  # fmt: skip
_CLAUSE = re.compile(r"[^，。；！？,;!?\n：:（）()]+")
#: Words that stand around numbers everywhere and say nothing of what is counted.
_EMPTY = re.compile(
    "不超过|不少于|不低于|不高于|不得|以内|以上|以下|之内|之前|之日起|一般|需要|应当|应|须|为|在|内|的|是|约|最长|最多|最少|每年|即可|办理|可以|至|到|后|前|满|共|于|从|自"
)
#: Share of the shorter wording that two clauses have in common when they speak of one thing.
_SAME_THING = 0.6
_LEAST_WORDING = 3
#: Share of pairs of characters that two titles of one subject have in common.
_SAME_SUBJECT = 0.4


@dataclass(frozen=True, slots=True)
class Value:
    """A number in an entry: its kind, its unit, what it amounts to, and the words around it."""

    kind: str
    unit: str
    amount: str
    wording: str
    clause: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two entries in force that say different values of one thing."""

    first: KnowledgeEntry
    second: KnowledgeEntry
    kind: str
    values: tuple[str, str]
    clauses: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.kind}不同：“{self.clauses[0]}”与“{self.clauses[1]}”"


def values_of(text: str) -> list[Value]:
    """The numbers of a text, each with the clause it stands in."""
    found: list[Value] = []
    for clause in _CLAUSE.findall(text):
        rest = clause
        taken: list[tuple[str, str, str]] = []
        for kind, unit, pattern in _PATTERNS:
            for match in pattern.finditer(rest):
                taken.append((kind, unit, _amount(kind, match)))
            rest = pattern.sub("\0", rest)
        wording = _EMPTY.sub("", re.sub(r"[\W_]", "", rest))
        found.extend(Value(kind, unit, amount, wording, clause.strip()) for kind, unit, amount in taken)
    return found


def _amount(kind: str, match: re.Match[str]) -> str:
    groups = match.groupdict()
    text = groups.get("n") or groups.get("h") or ""
    if kind == "电话":
        return re.sub(r"\D", "", text)
    if kind == "日期":
        return re.sub(rf"[{_HAN}]+", lambda part: str(chinese_number(part[0])), text).replace("号", "日")
    number = float(text) if re.fullmatch(r"[\d.]+", text) else float(chinese_number(text.replace("两", "二")))
    number *= {"万": 1e4, "亿": 1e8}.get(groups.get("w") or "", 1)
    return f"{number:g}"


def contradictions(
    entries: Iterable[KnowledgeEntry], alike: Iterable[tuple[str, str]] = (), *, day: date
) -> list[Contradiction]:
    """Pairs in force on a day, of one matter or ``alike`` (pairs of ids), whose values differ for the same wording.

    What two districts or two groups of people have differently is no contradiction. Nobody is said to be right.
    """
    in_force = {entry.id: entry for entry in entries if entry.in_force(day)}
    values = {entry_id: values_of(_spoken(entry)) for entry_id, entry in in_force.items()}
    found = []
    for first, second in _pairs(in_force, alike):
        one, other = in_force[first], in_force[second]
        if not same_people(one, other):
            continue
        for mine, theirs in _differing(values[first], values[second]):
            shown = (mine.amount + mine.unit, theirs.amount + theirs.unit)
            found.append(Contradiction(one, other, mine.kind, shown, (mine.clause, theirs.clause)))
    return found


def _spoken(entry: KnowledgeEntry) -> str:
    contacts = [f"{contact.name}{contact.value}" for contact in entry.contacts]
    return "\n".join((entry.answer, entry.body, *contacts))


def _pairs(entries: dict[str, KnowledgeEntry], alike: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    by_matter: dict[str, list[str]] = {}
    for entry in entries.values():
        if entry.matter:
            by_matter.setdefault(entry.matter, []).append(entry.id)
    seen = {(min(pair), max(pair)) for pair in alike if pair[0] in entries and pair[1] in entries}
    for ids in by_matter.values():
        pairs = combinations(sorted(ids), 2)
        seen.update(pair for pair in pairs if _same_subject(*(entries[entry_id].title for entry_id in pair)))
    yield from sorted(seen)


def _same_subject(one: str, other: str) -> bool:
    """Whether two titles of one matter speak of one thing: 居民医保 and 职工医保 share a matter and no number."""
    mine, theirs = _grams(one), _grams(other)
    return 2 * len(mine & theirs) >= _SAME_SUBJECT * (len(mine) + len(theirs))


def same_people(one: KnowledgeEntry, other: KnowledgeEntry) -> bool:
    """Whether two entries hold in one district for the same people."""
    return one.district == other.district and one.audience == other.audience


def _differing(mine: Sequence[Value], theirs: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
    """Values of one kind and wording that are never the same in both texts; one finding for each kind and wording."""
    told: set[tuple[str, str]] = set()
    for value in mine:
        matching = [other for other in theirs if other.kind == value.kind and _is_same_thing(value, other)]
        own = {other.amount + other.unit for other in mine if other.kind == value.kind and _is_same_thing(value, other)}
        if not matching or (value.kind, value.wording) in told:
            continue
        if own.isdisjoint(other.amount + other.unit for other in matching):
            told.add((value.kind, value.wording))
            yield value, matching[0]


def _is_same_thing(one: Value, other: Value) -> bool:
    shorter, longer = sorted((one.wording, other.wording), key=len)
    if len(shorter) < _LEAST_WORDING:
        return shorter == longer and len(shorter) > (0 if one.kind == "电话" else 1)
    common = len(_grams(shorter) & _grams(longer))
    return common / len(_grams(shorter)) >= _SAME_THING and common / len(_grams(longer)) >= _SAME_THING / 2


def _grams(text: str) -> set[str]:
    return {text[place : place + 2] for place in range(len(text) - 1)}
