"""Facts that follow from instants: in time, too late, one before the other.

Rules neither subtract nor count days. What needs the limits, parameters and calendar of the pack is reckoned here, from
the instants that stand on the order, and becomes a fact (``rules/facts/times.yaml``). The hotline's own deadlines only;
what has no value stays missing, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from rules.calendar import WorkCalendar
from rules.clocks import Duration, count
from rules.deadlines import Deadline, compute_deadlines, is_overdue
from rules.fact_dictionary import Facts, Value, fact_dictionary
from rules.pack import RulePack
from rules.vocabulary import STAGES

#: 申请不纳入考核: the parameter that holds how many working days there are after the callback.
EXCLUSION_PARAMETER = "exclusion_apply_workdays"
#: Fact → the instant that has to be in time, and the stage whose deadline it is measured by.
_STAGE_FACTS = {
    "sign_in_in_time": ("signed_at", "sign_in"),
    "return_in_window": ("return_requested_at", "return"),
    "first_contact_in_time": ("first_contact_at", "first_contact"),
}
#: Fact → the request that has to come before the order is due.
_DUE_FACTS = {"extension_in_time": "extension_requested_at", "suspension_in_time": "suspension_requested_at"}


class _Unknown(Exception):
    """Why a fact cannot be reckoned, in Chinese."""


def time_facts(
    pack: RulePack, facts: Mapping[str, object], *, as_of: datetime, calendar: WorkCalendar
) -> tuple[dict[str, object], dict[str, str]]:
    """The facts with those that follow from their instants, and why the others could not be reckoned.

    Parameters
    ----------
    facts : mapping
        By name. A fact that the caller gives is never reckoned anew. ``kind`` and ``urgency`` choose the limits.
    as_of : datetime
        The instant at which limits and parameters are read, and up to which an order without reply runs. Aware.

    Returns
    -------
    facts : dict
        Checked, with the derived ones. A fact whose own instant is not there is left out without a reason.
    reasons : dict
        Fact → cause (a limit or parameter without value, the end of the calendar, an instant that is lacking).

    Raises
    ------
    ZhipaiError
        E3201 for an ``as_of`` without zone; E3202, E3203 for facts that do not fit the dictionary.
    """
    checked = fact_dictionary().check(facts)
    reckon = _Reckoning(pack, checked, as_of, calendar)
    found: dict[str, object] = dict(checked)
    reasons: dict[str, str] = {}
    for name, rule in reckon.rules().items():
        if name in found:
            continue
        try:
            value = rule()
        except _Unknown as unknown:
            reasons[name] = str(unknown)
        else:
            if value is not None:
                found[name] = value
    return found, reasons


class _Reckoning:
    """One order's instants against the clocks of one pack."""

    def __init__(self, pack: RulePack, facts: Facts, as_of: datetime, calendar: WorkCalendar):
        self.pack, self.facts, self.as_of, self.calendar = pack, facts, as_of, calendar
        self.instants = {
            name: datetime.fromisoformat(str(value))
            for name, value in facts.items()
            if (fact := fact_dictionary().get(name)) is not None and fact.type == "instant"
        }
        self._counted: tuple[Deadline, ...] | None = None

    def rules(self) -> dict[str, Callable[[], Value | None]]:
        """Fact → how it is reckoned: None where nothing points to it."""
        stages = {
            name: partial(self._in_time, at, partial(self._stage_due, stage))
            for name, (at, stage) in _STAGE_FACTS.items()
        }
        before_due = {name: partial(self._in_time, at, self._due_before_extension) for name, at in _DUE_FACTS.items()}
        return {
            **stages,
            **before_due,
            "exclusion_in_time": partial(self._in_time, "exclusion_requested_at", self._exclusion_due),
            "overdue": self._overdue,
            "hours_to_due": self._hours_to_due,
            "handling_period_ended": self._period_ended,
            "statutory_limit_compared": self._statutory,
            "replied_before_contact": self._replied_before_contact,
        }

    def _in_time(self, event: str, due: Callable[[], datetime]) -> bool | None:
        at = self.instants.get(event)
        return None if at is None else not is_overdue(due(), at)

    def _needed(self, name: str) -> datetime:
        """An instant without which nothing can be reckoned."""
        if name not in self.instants:
            fact = fact_dictionary().get(name)
            raise _Unknown(f"缺少事实：{fact.label if fact else name}")
        return self.instants[name]

    def _stage_due(self, stage: str) -> datetime:
        """The hotline's deadline of a stage, counted from the dispatch."""
        own = {one.stage: one.due_at or one.cause for one in self._deadlines() if not one.track}
        due = own.get(stage, f"参数未填：{self.pack.title}没有{STAGES[stage]}时限")
        if isinstance(due, str):
            raise _Unknown(self._unfilled(stage) or due)
        return due

    def _deadlines(self) -> tuple[Deadline, ...]:
        if self._counted is None:
            self._counted = compute_deadlines(
                self.pack,
                kind=str(self.facts.get("kind", "")),
                urgency=str(self.facts.get("urgency", "一般")),
                start=self._needed("dispatched_at"),
                as_of=self.as_of,
                calendar=self.calendar,
                facts=self.facts,
                include_unknown=True,
            )
        return self._counted

    def _unfilled(self, stage: str) -> str:
        """The limit to be filled, if the stage has only one and that has no value."""
        limits = [one for one in self.pack.limits if one.stage == stage and not one.track]
        if len(limits) == 1 and not limits[0].values:
            return f"参数未填：{limits[0].title}（{limits[0].id}）"
        return ""

    def _due_before_extension(self) -> datetime:
        """When the order was due before any extension: ``due_at`` may stand for the extended instant already."""
        extended = "extension_approved_at" in self.instants
        if "due_at" in self.instants and not extended:
            return self.instants["due_at"]
        return self._stage_due("resolve")

    def _exclusion_due(self) -> datetime:
        parameter = self.pack.parameters.get(EXCLUSION_PARAMETER)
        value = self.pack.parameter_on(EXCLUSION_PARAMETER, self.as_of.astimezone(self.pack.zone).date())
        if value is None:
            raise _Unknown(
                f"参数未填：{parameter.label if parameter else f'申请不纳入考核的期限（{EXCLUSION_PARAMETER}）'}"
            )
        counted = count(Duration(int(value.value), "工作日"), self._needed("callback_at"), self.calendar)
        if isinstance(counted, str):
            raise _Unknown(counted)
        return counted[0]

    def _order_due(self) -> datetime | None:
        """When the order is due, with an approved extension; None where it was not dispatched."""
        if "due_at" in self.instants:
            return self.instants["due_at"]
        if "dispatched_at" not in self.instants:
            return None
        return self._needed("due_at") if "extension_approved_at" in self.instants else self._stage_due("resolve")

    def _overdue(self) -> bool | None:
        due = self._order_due()
        return None if due is None else is_overdue(due, self.instants.get("replied_at", self.as_of))

    def _hours_to_due(self) -> int | None:
        """Whole hours from ``as_of``; what is past counts downwards."""
        due = self._order_due()
        return None if due is None else int((due - self.as_of).total_seconds() // 3600)

    def _period_ended(self) -> bool | None:
        due = self._order_due()
        return None if due is None else is_overdue(due, self.as_of)

    def _statutory(self) -> str | None:
        """The latest statutory clock that the facts open, against the hotline's own (济南条例第二十四条: both are told)."""
        if "dispatched_at" not in self.instants:
            return None
        own = self._stage_due("resolve")
        clocks = [one.due_at for one in self._deadlines() if one.track and one.due_at is not None]
        if not clocks:
            return None
        latest = max(clocks)
        return "相同" if latest == own else "较长" if latest > own else "较短"

    def _replied_before_contact(self) -> bool | None:
        replied = self.instants.get("replied_at")
        return None if replied is None else replied < self._needed("first_contact_at")
