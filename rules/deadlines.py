"""The deadlines of an order: which limits bind it, read at ``as_of``, counted by :mod:`rules.clocks` from their start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from intake.errors import ZhipaiError, register
from rules.calendar import WorkCalendar
from rules.clause import Clause
from rules.clocks import Amount, CountedDay, Duration, Suspension, count
from rules.fact_dictionary import fact_dictionary
from rules.limit import Limit
from rules.pack import RulePack
from rules.tracks import Clock, clocks_of
from rules.vocabulary import STAGES, URGENCIES

register(
    "E3232",
    "改派时刻不对",
    "改派的时刻早于第一次派单的时刻。请核对 start（第一次派单）和 restarted_at（改派给现在的单位）。",
)

#: 退回的时钟. ``restart``: a return that is granted gives the new unit a clock of its own (a return that is refused has no
#: ``restarted_at`` and changes nothing); ``run_on``: the units share one clock from the first dispatch.
ReturnClock = Literal["restart", "run_on"]
WHOLE_COURSE = "resolve"


@dataclass(frozen=True, slots=True)
class Deadline:
    """The deadline of one clock.

    Parameters
    ----------
    stage : str
        A key of ``rules.vocabulary.STAGES``.
    limit : str
        The amount, with the extension where there is one.
    due_at : datetime or None
        The last second in time, in the pack's zone; None when it could not be computed, with the ``cause``.
    days : tuple of CountedDay
        Every day from the start on.
    track : str
        The statute whose clock this is; empty for the hotline's own.
    title : str
        The title of the limit.
    whole_course : bool
        全程: the clock that runs from the first dispatch beside the one of a unit to which the order was re-dispatched.
    """

    stage: str
    limit: str
    due_at: datetime | None
    state: Literal["computed", "not_evaluated"]
    cause: str
    clause: Clause | None
    days: tuple[CountedDay, ...] = ()
    track: str = ""
    title: str = ""
    whole_course: bool = False

    @property
    def key(self) -> str:
        """``resolve``, ``resolve/全程``; of a track ``消费者权益保护法/resolve``, of its procedure ``…/受理决定`` (the title)."""
        if self.track:
            return f"{self.track}/{self.title if self.stage == 'statutory' else self.stage}"
        if self.stage == "statutory":
            return self.title
        return f"{self.stage}/全程" if self.whole_course else self.stage

    def as_dict(self) -> dict[str, Any]:
        """The deadline as JSON; ``whole_course`` stands only where it is true."""
        row = {
            "stage": self.stage,
            "track": self.track,
            "title": self.title,
            "limit": self.limit,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "state": self.state,
            "cause": self.cause,
            "clause": self.clause.as_dict() if self.clause else None,
            "days": [{"date": one.day.isoformat(), "counted": one.counted, "why": one.why} for one in self.days],
        }
        return row | {"whole_course": True} if self.whole_course else row


def is_overdue(due_at: datetime, at: datetime) -> bool:
    """Whether ``at`` is past the deadline. The whole second of ``due_at`` is still in time."""
    return due_at < at.replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class _Case:
    """What the deadlines of one order share."""

    pack: RulePack
    kind: str
    urgency: str
    start: datetime
    restarted_at: datetime | None
    as_of: datetime
    calendar: WorkCalendar
    suspensions: Sequence[Suspension]
    extension: Amount | None


def compute_deadlines(
    pack: RulePack,
    *,
    kind: str,
    urgency: str = "一般",
    start: datetime,
    as_of: datetime,
    calendar: WorkCalendar,
    facts: Mapping[str, object] | None = None,
    include_unknown: bool = False,
    suspensions: Sequence[Suspension] = (),
    extension: Amount | None = None,
    restarted_at: datetime | None = None,
    return_clock: ReturnClock = "restart",
) -> tuple[Deadline, ...]:
    """The deadlines of an order: the hotline's, one for each stage that the pack declares, then those of the tracks.

    Parameters
    ----------
    kind : str
        诉求类型; empty when unknown. A kind outside the five is bound by the general limits only.
    start : datetime
        The instant from which limits count (first dispatch). Aware.
    as_of : datetime
        The instant at which limits are read. Aware.
    facts : mapping or None
        Open the tracks whose condition is a hit. None: the hotline's own limits without a condition only.
    include_unknown : bool
        Also list, as not evaluated, the limits whose condition reads a fact that is missing.
    suspensions : sequence of Suspension
        Time that does not count (挂账 …), on every clock.
    extension : Amount or None
        延期 that was approved: counted on from the due instant of the hotline's 办结. A statute's own limit is extended by
        its own procedure only, so never by this.
    restarted_at : datetime or None
        The instant of a re-dispatch to another unit, aware and not before ``start``: the hotline's stages count from it,
        and 办结 besides for the whole course from ``start``. The tracks run on from ``start``: a statute's limit does not
        begin anew because the hotline changed the unit (常识推断).
    return_clock : {"restart", "run_on"}
        Whether ``restarted_at`` has that effect.

    Raises
    ------
    ZhipaiError
        E3201 for an instant without a zone, E3205 for an unknown urgency, E3202 and E3203 for facts that do not fit the
        dictionary, E3232 for a re-dispatch before the first dispatch.
    """
    for name, instant in (("start", start), ("as_of", as_of), ("restarted_at", restarted_at)):
        if instant is not None and instant.tzinfo is None:
            raise ZhipaiError("E3201", {"name": name})
    if urgency not in URGENCIES:
        raise ZhipaiError("E3205", {"urgency": urgency, "urgencies": "、".join(URGENCIES)})
    if restarted_at is not None and restarted_at < start:
        raise ZhipaiError("E3232")
    if return_clock == "run_on":
        restarted_at = None
    case = _Case(pack, kind, urgency, start, restarted_at, as_of, calendar, suspensions, extension)
    checked = None if facts is None else fact_dictionary().check(facts)
    deadlines: list[Deadline] = []
    for clock in clocks_of(pack, checked):
        deadlines += _bound(clock, case)
        if include_unknown:
            deadlines += [_unjudged(limit, lacking) for limit, lacking in clock.unknown if _covers(limit, case)]
    return tuple(deadlines)


def _covers(limit: Limit, case: _Case) -> bool:
    return limit.covers(case.kind, case.urgency)


def _bound(clock: Clock, case: _Case) -> list[Deadline]:
    """What the clock says: the narrowest limit that binds. A track without one is silent, the hotline says what it lacks."""
    title = f"{STAGES[clock.stage]}时限"

    def unknown(cause: str) -> list[Deadline]:
        return [Deadline(clock.stage, "", None, "not_evaluated", cause, None, track=clock.track, title=title)]

    covering = [limit for limit in clock.limits if _covers(limit, case)]
    if not clock.track and clock.limits:
        if not case.kind and any(limit.kinds for limit in clock.limits):
            return unknown(f"缺少诉求类型：不同类型的{title}不同")
        if not covering:
            return unknown(f"参数未填：{case.pack.title}没有这类工单的{title}")
    if not covering:
        return []
    limit = max(covering, key=lambda one: one.narrowness)
    if clock.track or case.restarted_at is None:
        return [_deadline(limit, case, case.start)]
    anew = [_deadline(limit, case, case.restarted_at)]
    return [*anew, _deadline(limit, case, case.start, whole_course=True)] if clock.stage == WHOLE_COURSE else anew


def _deadline(limit: Limit, case: _Case, start: datetime, *, whole_course: bool = False) -> Deadline:
    day = case.as_of.astimezone(case.pack.zone).date()
    value = limit.value_on(day)
    if value is None:
        cause = f"参数未填：{case.pack.title}的{limit.title}。{limit.note or f'在 {day} 没有值'}"
        return _told(limit, "", cause, None, whole_course)
    extension = case.extension if limit.stage == WHOLE_COURSE and not limit.track else None
    shown = f"{value}，延期{Duration(extension.amount, extension.unit)}" if extension else str(value)
    clause = case.pack.clauses[value.clause]
    counted = count(value, start, case.calendar, suspensions=case.suspensions, extension=extension)
    return _told(limit, shown, counted, clause, whole_course)


def _told(
    limit: Limit,
    shown: str,
    counted: str | tuple[datetime, tuple[CountedDay, ...]],
    clause: Clause | None,
    whole_course: bool,
) -> Deadline:
    due_at, days = (None, ()) if isinstance(counted, str) else counted
    return Deadline(
        stage=limit.stage,
        limit=shown,
        due_at=due_at,
        state="computed" if due_at else "not_evaluated",
        cause=counted if isinstance(counted, str) else "",
        clause=clause,
        days=days,
        track=limit.track,
        title=limit.title,
        whole_course=whole_course,
    )


def _unjudged(limit: Limit, lacking: tuple[str, ...]) -> Deadline:
    """A limit of which it is not known whether it binds."""
    missing = [fact for name in lacking if (fact := fact_dictionary().get(name)) is not None]
    cause = f"缺少事实，不知道是否适用：{'、'.join(fact.label for fact in missing)}"
    return _told(limit, "", cause, None, False)
