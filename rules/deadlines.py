"""From a limit and a start to an instant: one function decides every boundary.

民法典第二百零一条: counted by days, the first day is left out; counted by hours, the count starts at the instant.
第二百零三条: a last day that is a day of rest rolls on to the day after the rest; the last day ends at 24:00, or with the
office hours where there are any. A deadline is the last second that is still in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from intake.errors import ZhipaiError
from rules.calendar import WorkCalendar
from rules.clause import Clause
from rules.limit import Limit, LimitValue
from rules.pack import RulePack
from rules.vocabulary import STAGES, URGENCIES

ONE_DAY = timedelta(days=1)
LAST_SECOND = time(23, 59, 59)
_SPANS = {"分钟": timedelta(minutes=1), "小时": timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class CountedDay:
    """One day of the count: whether it counted, and why."""

    day: date
    counted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """The deadline of one stage (签收, 退回, 首次联系, 办结).

    ``due_at`` is the last second in time, in the pack's zone; None when it could not be computed, with the ``cause``.
    """

    stage: str
    limit: str
    due_at: datetime | None
    state: Literal["computed", "not_evaluated"]
    cause: str
    clause: Clause | None
    days: tuple[CountedDay, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The deadline as JSON."""
        return {
            "stage": self.stage,
            "limit": self.limit,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "state": self.state,
            "cause": self.cause,
            "clause": self.clause.as_dict() if self.clause else None,
            "days": [{"date": one.day.isoformat(), "counted": one.counted, "why": one.why} for one in self.days],
        }


def is_overdue(due_at: datetime, at: datetime) -> bool:
    """Whether ``at`` is past the deadline. The whole second of ``due_at`` is still in time."""
    return due_at < at.replace(microsecond=0)


def compute_deadlines(
    pack: RulePack,
    *,
    kind: str,
    urgency: str = "一般",
    start: datetime,
    as_of: datetime,
    calendar: WorkCalendar,
) -> tuple[Deadline, ...]:
    """The deadlines of an order, one for each stage that the pack declares, in the order of the stages.

    Parameters
    ----------
    kind : str
        诉求类型; empty when unknown. A kind outside the five is bound by the general limits only.
    start : datetime
        The instant from which limits count (派单). Aware.
    as_of : datetime
        The instant at which limits are read. Aware.

    Raises
    ------
    ZhipaiError
        E3201 for an instant without a zone, E3205 for an unknown urgency.
    """
    for name, instant in (("start", start), ("as_of", as_of)):
        if instant.tzinfo is None:
            raise ZhipaiError("E3201", {"name": name})
    if urgency not in URGENCIES:
        raise ZhipaiError("E3205", {"urgency": urgency, "urgencies": "、".join(URGENCIES)})
    day = as_of.astimezone(pack.zone).date()
    deadlines: list[Deadline] = []
    for stage in STAGES:
        limits = [limit for limit in pack.limits if limit.stage == stage]
        if limits:
            deadlines.append(_stage(pack, stage, limits, kind, urgency, start, day, calendar))
    return tuple(deadlines)


def _stage(
    pack: RulePack,
    stage: str,
    limits: list[Limit],
    kind: str,
    urgency: str,
    start: datetime,
    day: date,
    calendar: WorkCalendar,
) -> Deadline:
    def unknown(cause: str, limit: str = "", clause: Clause | None = None) -> Deadline:
        return Deadline(stage, limit, None, "not_evaluated", cause, clause)

    if not kind and any(limit.kinds for limit in limits):
        return unknown(f"缺少诉求类型：不同类型的{STAGES[stage]}时限不同")
    covering = [limit for limit in limits if limit.covers(kind, urgency)]
    if not covering:
        return unknown(f"参数未填：{pack.title}没有这类工单的{STAGES[stage]}时限")
    limit = max(covering, key=lambda one: one.narrowness)
    value = limit.value_on(day)
    if value is None:
        reason = limit.note or f"在 {day} 没有值"
        return unknown(f"参数未填：{pack.title}的{limit.title}。{reason}")
    clause = pack.clauses[value.clause]
    counted = count(value, start, calendar)
    if isinstance(counted, str):
        return unknown(counted, str(value), clause)
    due_at, days = counted
    return Deadline(stage, str(value), due_at, "computed", "", clause, days)


def count(value: LimitValue, start: datetime, calendar: WorkCalendar) -> tuple[datetime, tuple[CountedDay, ...]] | str:
    """The last second in time and the days counted, or the cause why it cannot be known.

    Every boundary of every limit is decided here and nowhere else.
    """
    local = start.astimezone(calendar.zone).replace(microsecond=0)
    if value.unit in _SPANS:
        # Through nights and holidays; summed in UTC, so that no clock change can bend it.
        return (local.astimezone(UTC) + value.amount * _SPANS[value.unit]).astimezone(calendar.zone), ()
    if value.unit == "工作小时":
        return _office_hours(value.amount, local, calendar)
    days = [CountedDay(local.date(), False, "起算当日不计")]
    left = value.amount
    for day in _days(local.date() + ONE_DAY, calendar):
        workday, why = calendar.is_workday(day), calendar.why(day)
        if left > 0:
            counts = workday or value.unit == "自然日"
            left -= counts
            days.append(CountedDay(day, counts, why))
        else:
            days.append(CountedDay(day, False, f"末日休息，顺延：{why}"))
        if left == 0 and workday:
            closing = calendar.office_hours[-1][1] if calendar.office_hours else LAST_SECOND
            return datetime.combine(day, closing, calendar.zone), tuple(days)
    return _unknown(calendar)


def _office_hours(
    amount: int, local: datetime, calendar: WorkCalendar
) -> tuple[datetime, tuple[CountedDay, ...]] | str:
    """Like :func:`count` for hours in which the office is open."""
    if not calendar.office_hours:
        return "参数未填：规则包没有写办公时间（pack.yaml 的 calendar.office_hours），工作小时无法计算"
    left = timedelta(hours=amount)
    days: list[CountedDay] = []
    for day in _days(local.date(), calendar):
        before = left
        for opening, closing in calendar.office_hours if calendar.is_workday(day) else ():
            begin = max(datetime.combine(day, opening, calendar.zone), local)
            open_for = datetime.combine(day, closing, calendar.zone) - begin
            if left <= open_for:
                days.append(CountedDay(day, True, calendar.why(day)))
                return begin + left, tuple(days)
            left -= max(open_for, timedelta())
        days.append(CountedDay(day, left < before, calendar.why(day)))
    return _unknown(calendar)


def _days(first: date, calendar: WorkCalendar) -> Iterator[date]:
    """The days from ``first`` on, as far as the calendar knows them."""
    day = first
    while calendar.covers(day):
        yield day
        day += ONE_DAY


def _unknown(calendar: WorkCalendar) -> str:
    return f"日历只有 {calendar.coverage_start} 到 {calendar.coverage_end}，期限会越过它；请导入放假安排后再算"
