"""Lead and assisting units (主办、协办) of an order that holds several matters, or one matter of two levels.

One unit leads, the others assist (国办函〔2025〕66号（五）; 济南热线条例第二十九条：确定一个主办). This proposes only what is plain: a
part of the text that the ranker is sure belongs to a unit of another function, or a function whose city bureau and district
bureau share the probability between them. A person decides; rules say who leads where levels cross.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict

from intake.unit import Unit
from models.candidates import CITY
from models.ranking import Ranking

#: Where another matter begins: a call-taker's or a caller's words for one, and the marks of a list.
_BEGINS = re.compile(
    r"(?:另外(?!一?[个只位条边])|另有一事|另一件事|第二件事|顺便|再就是|还有一[件个]?事|此外|同时(?=反映|投诉|咨询)|另(?=反映|投诉|咨询|还)|还(?=反映|要反映|想反映|想投诉))"
    r"|(?<![\d.A-Za-z])[1-9][、.．](?!\d)|[（(][1-9一二三四五六七八九][）)](?=[^\d号栋幢楼室班])|[一二三四五六七八九][、.．]"
    r"|第[一二三四五六七八九][，,、：:]|[①②③④⑤⑥⑦⑧⑨]"
)
_STOPS = "。！？!?；;，,：: \n"
#: Characters below which a part of the text says too little to be ranked.
LEAST = 8
#: Parts that are ranked; an order that lists more is one for a person.
MOST = 4
#: How sure the ranker has to be of a part, and how little it may give that unit's function for the first part.
SURE, STRANGE = 0.7, 0.1
#: Probability that a city bureau and a district bureau of one function hold together, and each at the least.
TOGETHER, EACH = 0.85, 0.25

#: A part that is so much of the text is read with the vector of the whole: encoding it would double what a long text
#: costs, and of 11,000 orders (152 of several parts) no proposal was another.
MOSTLY = 2 / 3

Role = Literal["lead", "assist"]


class Part(TypedDict):
    """One unit with its role and why; JSON-ready."""

    unit: str
    role: Role
    reason: str


def split_matters(text: str) -> list[str]:
    """The parts of a text that may be matters of their own, at most :data:`MOST`; one part for most texts.

    >>> split_matters("退卡只能去总店，来回一个半钟头。另外投诉一下窗口中午不上班没有人")
    ['退卡只能去总店，来回一个半钟头。', '另外投诉一下窗口中午不上班没有人']
    """
    starts = [0] + [match.start() for match in _BEGINS.finditer(text) if match.start() > 0]
    parts = [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    whole: list[str] = []
    for part in parts:
        # A mark in the middle of a phrase (“另外一个手”) begins nothing.
        if whole and (sum(character.isalnum() for character in part) < LEAST or whole[-1][-1] not in _STOPS):
            whole[-1] += part
        else:
            whole.append(part)
    return whole[:MOST]


def is_mostly(part: str, text: str) -> bool:
    """Whether a part is so much of the text that the text's vector stands for it."""
    return len(part) >= MOSTLY * len(text)


def propose_assist(ranking: Ranking, parts: Sequence[Ranking], *, unit_of: Callable[[str], Unit | None]) -> list[Part]:
    """Lead and assisting units, the lead first; empty when one unit is enough or too much is unsure.

    Parameters
    ----------
    ranking : Ranking
        Of the whole text. Its first unit leads.
    parts : sequence of Ranking
        Of each part from :func:`split_matters`, in their order; may be empty.
    unit_of : callable
        Name -> the unit in force, or None.
    """
    if not ranking.units:
        return []
    lead = ranking.units[0].unit
    unit = unit_of(lead)
    if unit is None:
        return []
    assisting = _other_functions(unit, parts, unit_of) or _other_level(unit, ranking, unit_of)
    return [Part(unit=lead, role="lead", reason="整张工单最可能的承办单位"), *assisting] if assisting else []


def _other_functions(lead: Unit, parts: Sequence[Ranking], unit_of: Callable[[str], Unit | None]) -> list[Part]:
    if len(parts) < 2 or not parts[0].units:
        return []
    first = unit_of(parts[0].units[0].unit)
    if first is None or first.function != lead.function:
        # The whole and its first part disagree: who leads is not plain, still less who assists.
        return []
    functions = {lead.function}
    found: list[Part] = []
    for number, part in enumerate(parts[1:], start=2):
        if not part.units or part.abstained or part.units[0].probability < SURE:
            continue
        unit = unit_of(part.units[0].unit)
        if unit is None or unit.function in functions:
            continue
        others = [one for i, one in enumerate(parts, start=1) if i != number]
        # What the other parts also point to is one matter told twice, not a second one.
        if max(_share(one, unit.function, unit_of) for one in others) > STRANGE:
            continue
        functions.add(unit.function)
        reason = f"第 {number} 部分反映的是另一件事，{part.units[0].probability:.0%} 属于它"
        found.append(Part(unit=unit.name, role="assist", reason=reason))
    return found


def _share(ranking: Ranking, function: str, unit_of: Callable[[str], Unit | None]) -> float:
    units = ((unit_of(ranked.unit), ranked.probability) for ranked in ranking.units)
    return sum(probability for unit, probability in units if unit is not None and unit.function == function)


def _other_level(lead: Unit, ranking: Ranking, unit_of: Callable[[str], Unit | None]) -> list[Part]:
    if len(ranking.units) < 2:
        return []
    first, second = ranking.units[:2]
    other = unit_of(second.unit)
    if other is None or other.function != lead.function or (lead.district == CITY) == (other.district == CITY):
        return []
    if first.probability + second.probability < TOGETHER or second.probability < EACH:
        return []
    levels = "市级部门与区级部门" if lead.district == CITY else "区级部门与市级部门"
    reason = f"{levels}职责交叉（{first.probability:.0%} 对 {second.probability:.0%}），由谁主办按当地规定"
    return [Part(unit=other.name, role="assist", reason=reason)]
