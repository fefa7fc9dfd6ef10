"""The ruling use case: the facts of a request, one gate, one served pack.

Like a proposal a ruling is a pure function of its input; it reads no clock and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.order import WorkOrder, check_order
from intake.prepare import prepare
from rules import RuleEngine, RulePack, WorkCalendar, derive_facts, derive_return_facts, load_pack
from rules.bundle import at_present
from rules.fact_dictionary import MAX_INT, fact_dictionary
from rules.pack import PACKS
from rules.ruling import rule_on
from service.db.engine import reading
from service.privacy.store import filed_orders
from service.rule_versions import load_bundle, published, version_at
from service.settings import Settings
from service.snapshot import Snapshot
from service.work_calendar import load_calendar

register("E6701", "没有这个规则包", "没有名为“{pack}”的规则包。{hint}")
register("E6702", "同一件事写了两次", "“{name}”在 facts 里和在 facts 之外写得不一样。请只写一处。")
register(
    "E6703",
    "退回理由用错关口",
    "return_reason 只用于退回关口（return），现在的关口是“{gate}”。请去掉它，或改用 return。",
)
register("E6704", "时刻超出范围", "“{name}”的时刻不在 {first} 年到 {last} 年之间。请核对年份。")

#: Years of instants that a request may name; beyond them date arithmetic ends before any calendar does.
YEARS = (1950, 2199)


@dataclass(frozen=True, slots=True)
class RulingRequest:
    """One question to one gate.

    ``kind`` and ``urgency`` are the facts of these names, for callers who hold them apart; ``return_reason`` is the text
    of the unit, from which hints are derived (:func:`rules.derive.derive_return_facts`) and which is not kept. ``text``
    is what the caller said: with it the facts that words give need not be supplied.
    """

    gate: str
    as_of: datetime
    facts: Mapping[str, object] = field(default_factory=dict)
    kind: str = ""
    urgency: str = ""
    return_reason: str | None = None
    text: str = ""
    order_id: str = ""
    all_rules: bool = False


def make_ruling(request: RulingRequest, rules: RuleEngine | RulePack, calendar: WorkCalendar) -> dict[str, Any]:
    """The ruling as JSON, with the number of the order that the caller gave.

    Raises
    ------
    ZhipaiError
        E6702–E6704 for facts that contradict the request, E3201–E3204 as :func:`rules.ruling.rule_on`; ``where`` points
        to the fact.
    """
    facts = gather_facts(request)
    try:
        ruling = rule_on(
            rules, request.gate, facts, as_of=request.as_of, calendar=calendar, all_rules=request.all_rules
        )
    except ZhipaiError as error:
        if "fact" in error.params and not error.where:
            error.where = f"/facts/{error.params['fact']}"
        raise
    return {"order_id": request.order_id, **ruling.as_dict()}


def gather_facts(request: RulingRequest) -> dict[str, object]:
    """The facts given, those that stand beside them, and hints from the reason; what a person gave goes before a hint."""
    _within(request.as_of, "as_of")
    facts = dict(request.facts)
    for name, word in (("kind", request.kind), ("urgency", request.urgency)):
        if word and facts.setdefault(name, word) != word:
            raise ZhipaiError("E6702", {"name": name}, where=f"/facts/{name}")
    for name, value in facts.items():
        _check_range(name, value)
    if request.text:
        facts = _said(request.text) | facts
    if request.return_reason is None:
        return facts
    if request.gate != "return":
        raise ZhipaiError("E6703", {"gate": request.gate}, where="/return_reason")
    return derive_return_facts(request.return_reason) | facts


def _said(text: str) -> dict[str, object]:
    """The facts from the words of an order. What was true because nobody had been asked at filing is left out here."""
    order = WorkOrder(text)
    prepared = prepare(check_order(order), Gazetteer.empty())
    dictionary = fact_dictionary()
    derived = derive_facts(prepared)
    return {name: value for name, value in derived.items() if (fact := dictionary.get(name)) and fact.source == "text"}


def text_of(engine: Engine, order_id: str) -> str:
    """What the caller of a stored order said; empty for an order that is not ours, or whose text was erased."""
    with reading(engine) as connection:
        filed = filed_orders(connection, [order_id]).get(order_id)
    return str(filed["text"]) if filed else ""


def _check_range(name: str, value: object) -> None:
    """Refuse instants and numbers so large that reckoning with them would fail; all else is the dictionary's to judge."""
    fact = fact_dictionary().get(name)
    if fact is None:
        return
    if type(value) is int and abs(value) >= MAX_INT:
        raise ZhipaiError("E3203", {"fact": name, "problem": "数超出范围"}, where=f"/facts/{name}")
    if fact.type == "instant" and (text := fact.literal(value)) is not None:
        _within(datetime.fromisoformat(str(text)), name)


def _within(at: datetime, name: str) -> None:
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise ZhipaiError("E6704", {"name": name, "first": YEARS[0], "last": YEARS[1]})


def served_packs(in_use: RulePack) -> tuple[str, ...]:
    """The names that a request may give: the packs that come with the software, and the one in use."""
    return tuple(sorted({in_use.name, *(path.parent.name for path in PACKS.glob("*/pack.yaml"))}))


def served_pack(name: str, in_use: RulePack, engine: Engine, *, at: datetime) -> RulePack:
    """The pack in use, or one that comes with the software, in the version in force at an instant.

    Raises
    ------
    ZhipaiError
        E6701 for anything else: a name only, never a path.
    """
    if name in ("", in_use.name):
        return in_use
    served = served_packs(in_use)
    if name not in served:
        near = get_close_matches(name, served, n=1)
        hint = f"是不是“{near[0]}”？" if near else f"可用的有：{'、'.join(served)}。"
        raise ZhipaiError("E6701", {"pack": name[:40], "hint": hint}, where="/pack")
    publication = version_at(published(engine, name), at)
    return _read_once(engine, name, publication.content_hash if publication else "")


@lru_cache(maxsize=64)
def _read_once(engine: Engine, name: str, content_hash: str) -> RulePack:
    """A published version, or that of the folder, which is read once for each process like the one in use."""
    return at_present(load_bundle(engine, content_hash)) if content_hash else load_pack(name)


def rules_and_calendar(
    name: str, snapshot: Snapshot, settings: Settings, engine: Engine, *, at: datetime
) -> tuple[RuleEngine | RulePack, WorkCalendar]:
    """The rule engine and calendar of the snapshot; another served pack is judged by the reference evaluator alone."""
    pack = served_pack(name, snapshot.rules.pack, engine, at=at)
    if pack is snapshot.rules.pack:
        return snapshot.rules, snapshot.calendar
    return pack, load_calendar(settings, pack)
