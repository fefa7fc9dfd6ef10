"""From a prepared order to facts: everything a rule may know at the moment of filing.

Nothing here decides anything. A fact from words is a hint; a fact that cannot be known is left out, so that the rules
that need it are not evaluated. What silence means is written at each fact in ``rules/facts/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from intake.prepare import Prepared
from intake.unit import Unit, UnitDirectory
from rules.vocabulary import KINDS
from rules.words import word_lists

#: Elements as ``intake.elements`` names them → facts.
_ELEMENTS = {
    "时间": "missing_time",
    "地点": "missing_place",
    "对象": "missing_target",
    "诉求": "missing_request",
    "联系方式": "missing_contact",
}
_YEAR = r"[（(\[〔【]\s?(?:19|20)\d{2}\s?[）)\]〕】]"
#: Numbers that prove that a matter is in a procedure, where words alone do not (NA03, NA05).
_NUMBERS = {
    "litigation": re.compile(_YEAR + r"[^，。；\s]{1,8}[民刑行执赔][初终再申监他抗撤特督保恢异复]?字?第?\d{1,6}"),
    "arbitration": re.compile(r"仲[^，。；\s]{0,6}" + _YEAR + r"[^，。；\s]{0,4}\d"),
    "reconsideration": re.compile(r"复[决受议][^，。；\s]{0,4}" + _YEAR + r"[^，。；\s]{0,4}\d"),
    "petition": re.compile(
        r"信访[^，。；\s]{0,8}(?:编号|单号|件号|查询码)[^，。；\s]{0,4}?[A-Za-z0-9-]{6}"
        r"|信[访复查][^，。；\s]{0,6}" + _YEAR + r"[^，。；\s]{0,4}\d"
    ),
}
#: Marks of a list: "1、", "（2）", "三是", "第四，", "⑤"; one writer counts in one way.
_LISTS = (
    re.compile(r"(?<![\d.A-Za-z一-十（(])([1-9])[、.．](?!\d)"),
    re.compile(r"[（(]([1-9一二三四五六七八九])[）)](?=[^\d号栋幢楼室班])"),
    re.compile(r"(?<![\d第十])([一二三四五六七八九])[、.．](?![一二三四五六七八九十])"),
    re.compile(r"([一二三四五六七八九])是(?=[^非否])"),
    re.compile(r"第([一二三四五六七八九])[，,、：:](?!第)"),
    re.compile(r"([①②③④⑤⑥⑦⑧⑨])"),
)
_ORDINALS = {
    mark: number for row in ("123456789", "一二三四五六七八九", "①②③④⑤⑥⑦⑧⑨") for number, mark in enumerate(row, 1)
}
#: A call-taker's words for a second matter in the same call.
_ALSO = re.compile(
    r"另反映|另外反映|另还反映|同时反映|还反映[：:了其]|并反映[：:其]|一并反映|另咨询|同时咨询|同时投诉|另投诉|另外投诉|另有一事|另一件事|第二件事"
)
#: 第二十六条（济南）"集中反映、反复提出" has no number in it; three linked orders is our reading.
COLLECTIVE = 3
#: The facts that :func:`unit_facts` may add.
UNIT_FACTS = frozenset(
    {
        "top_unit",
        "top_unit_level",
        "city_district_rivals",
        "reported_unit_proposed",
        "unit_in_force",
        "unit_district_matches",
        "unit_street_matches",
    }
)
#: The district of a unit that serves the whole city, as ``intake.unit`` fills it in.
CITY_WIDE = "市级"
_STREET_TAIL = re.compile(r"(?:街道办事处|街道办|街道|镇|乡)$")


def derive_facts(
    prepared: Prepared,
    *,
    received_at: datetime | None = None,
    ranking_units: Sequence[str] = (),
    directory: UnitDirectory | None = None,
) -> dict[str, object]:
    """The facts of an order at the moment of filing.

    Parameters
    ----------
    prepared : Prepared
        The order as ``intake.prepare`` left it; text, missing elements and the filed fields are read.
    received_at : datetime or None
        受理时间.
    ranking_units : sequence of str
        Names of the proposed units, best first.
    directory : UnitDirectory or None
        Where their levels, functions and other names stand.

    Returns
    -------
    dict
        Fact name → value, all in the fact dictionary. Unknown facts are absent.
    """
    facts = order_facts(prepared, received_at=received_at)
    return facts | unit_facts(
        prepared, facts, received_at=received_at, ranking_units=ranking_units, directory=directory
    )


def order_facts(prepared: Prepared, *, received_at: datetime | None = None) -> dict[str, object]:
    """Those of :func:`derive_facts` that do not depend on the proposed units: they need no vector of the text."""
    order = prepared.order
    facts: dict[str, object] = _procedures(prepared.text, word_lists().read(prepared.text))
    if prepared.elements.outside:
        facts["out_of_city"] = True
    facts |= {name: element in prepared.elements.missing for element, name in _ELEMENTS.items()}
    facts["missing_count"] = len(prepared.elements.missing)
    facts["text_length"] = len(prepared.text)
    facts["related_count"] = len(order.related)
    facts["duplicate_of_open"] = bool(order.related)
    facts["collective_matter"] = len(order.related) >= COLLECTIVE
    facts["matter_count"] = matters = matter_count(prepared.text)
    facts["mixed_matters"] = matters > 1
    filed_kind = [kind for kind in KINDS if kind in order.order_type]
    if filed_kind:
        facts["kind"] = filed_kind[0]
    if order.channel:
        facts["channel"] = order.channel
        if "信访" in order.channel:
            facts["sector_petition"] = True
    if received_at is not None:
        facts["received_hour"] = received_at.hour
    # Nobody has been asked yet: true by the meaning of these facts, not by a guess.
    facts |= {"unit_dispute": False, "joint_matter": False, "other_refusal_ground": False}
    facts["district_known"] = bool(_place(prepared)[0])
    return facts


def unit_facts(
    prepared: Prepared,
    facts: Mapping[str, object],
    *,
    received_at: datetime | None = None,
    ranking_units: Sequence[str] = (),
    directory: UnitDirectory | None = None,
) -> dict[str, object]:
    """What the proposed units add to the :func:`order_facts` of the same order."""
    found = _ranking(ranking_units, directory, prepared.text, facts, received_at)
    return found | _territory(ranking_units, directory, *_place(prepared), received_at)


def _place(prepared: Prepared) -> tuple[str, str]:
    """District and street. Where the text names a place it is believed before the field, as in the ranking."""
    place, order = prepared.elements.place, prepared.order
    return place.district or order.district, place.street or order.street


def derive_return_facts(reason: str) -> dict[str, object]:
    """The facts of the reason that a unit gave for a return (退回理由), for the gate ``return``.

    Parameters
    ----------
    reason : str
        As the unit wrote it, any length.

    Returns
    -------
    dict
        ``return_reason_length`` (字), ``return_reason_evasive``, and ``return_reason_hint`` where the words point to a
        class. Hints only: what class it is, a person says (``return_reason_class``).
    """
    text = "".join(reason.split())
    facts: dict[str, object] = {"return_reason_length": len(text), "return_reason_evasive": False}
    facts |= word_lists().read(text, of="return_reason")
    if not text:
        facts |= {"return_reason_evasive": True, "return_reason_hint": "空理由"}
    return facts


def matter_count(text: str) -> int:
    """How many separate matters a text lists: the longest list that counts up from one, or two where the call-taker
    wrote that something else was reported too; otherwise one. A list may also hold reasons or wishes: a hint."""
    count = 2 if _ALSO.search(text) else 1
    for pattern in _LISTS:
        reached = 0
        for match in pattern.finditer(text):
            if _ORDINALS[match.group(1)] == reached + 1:
                reached += 1
        count = max(count, reached)
    return count


def _procedures(text: str, words: Mapping[str, object]) -> dict[str, object]:
    """The facts from words, with what numbers add: a number proves that the matter is in a procedure; words alone leave
    that unknown, for a person to verify."""
    facts = dict(words)
    for name, pattern in _NUMBERS.items():
        claimed, entered = f"{name}_claimed", f"{name}_entered"
        if pattern.search(text):
            facts |= {claimed: True, entered: True}
        elif facts[claimed]:
            del facts[entered]
    return facts


def _ranking(
    names: Sequence[str],
    directory: UnitDirectory | None,
    text: str,
    facts: Mapping[str, object],
    at: datetime | None,
) -> dict[str, object]:
    """What the proposed units tell."""
    found: dict[str, object] = {"city_district_rivals": False, "reported_unit_proposed": False}
    if not names:
        return found
    found["top_unit"] = names[0]
    units = [unit for name in names if (unit := _find(directory, name, at)) is not None]
    if units and units[0].name == names[0]:
        found["top_unit_level"] = units[0].level
    if len(units) >= 2:
        first, second = units[:2]
        found["city_district_rivals"] = first.function == second.function and {first.level, second.level} == {
            "市",
            "区",
        }
    if facts.get("kind") == "举报":
        found["reported_unit_proposed"] = any(_named(unit, text) for unit in units)
    return found


def _territory(
    names: Sequence[str], directory: UnitDirectory | None, district: str, street: str, at: datetime | None
) -> dict[str, object]:
    """Whether the first unit exists on the day, and whether the place is in its district and its street."""
    if not names or directory is None or not directory.units:
        return {}
    unit = _find(directory, names[0], at)
    found: dict[str, object] = {} if at is None else {"unit_in_force": unit is not None}
    if unit is None:
        return found
    if unit.level == "市" or unit.district == CITY_WIDE:
        found["unit_district_matches"] = True
    elif district:
        found["unit_district_matches"] = district in unit.district
    if unit.level == "街镇" and street:
        found["unit_street_matches"] = _STREET_TAIL.sub("", street) in unit.name
    return found


def _find(directory: UnitDirectory | None, name: str, at: datetime | None) -> Unit | None:
    """The unit on that day, or as last known where no day is given."""
    if directory is None:
        return None
    if at is not None:
        return directory.get(name, at)
    return next((unit for unit in reversed(directory.units) if unit.name == name), None)


def _named(unit: Unit, text: str) -> bool:
    """Whether the text names the unit: in full, by district and function, or by an alias that is no common word."""
    names = [unit.name, f"{unit.district}{unit.function}", *(alias for alias in unit.aliases if len(alias) >= 3)]
    return any(name in text for name in names)
