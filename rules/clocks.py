"""From an amount of time and a start to an instant: every boundary of every limit is decided here and nowhere else.

民法典第二百零一条: counted by days, the first day is left out; counted by hours, the count starts at the instant.
第二百零三条: a last day that is a day of rest rolls on to the day after the rest; the last day ends at 24:00, or with the
office hours where there are any. 第二百零四条 leaves other ways of counting to the law or to an agreement: a unit of its own
(工作日, 工作小时), time that is not counted (挂账, 检验鉴定 …), an extension.

An instant that is due is the last second that is still in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from intake.errors import ZhipaiError, register
from rules.calendar import WorkCalendar

register(
    "E3231", "不计时间的时段不对", "不计入期限的时段（{reason}）不对：{problem}。请写成开始早于结束、带时区的两个时刻。"
)

ONE_DAY = timedelta(days=1)
LAST_SECOND = time(23, 59, 59)
_SPANS = {"分钟": timedelta(minutes=1), "小时": timedelta(hours=1)}


class Amount(Protocol):
    """``amount`` × ``unit`` (rules.vocabulary.TIME_UNITS), such as a :class:`rules.limit.LimitValue`."""

    @property
    def amount(self) -> int: ...
    @property
    def unit(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Duration:
    """An amount of time that no clause of a pack stands behind, such as an approved extension."""

    amount: int
    unit: str

    def __str__(self) -> str:
        return f"{self.amount}{'' if self.unit in _SPANS else '个'}{self.unit}"


@dataclass(frozen=True, slots=True)
class Suspension:
    """Time that does not count: from ``begin`` to before ``end``, both aware; None while it goes on.

    Counted by days, a day that it touches does not count at all; counted by hours, exactly its time is left out.
    """

    begin: datetime
    end: datetime | None
    reason: str = "挂账"

    def __post_init__(self) -> None:
        if self.begin.tzinfo is None or (self.end is not None and self.end.tzinfo is None):
            raise ZhipaiError("E3231", {"reason": self.reason, "problem": "时刻没有时区"})
        if self.end is not None and self.end <= self.begin:
            raise ZhipaiError("E3231", {"reason": self.reason, "problem": "结束不晚于开始"})


@dataclass(frozen=True, slots=True)
class CountedDay:
    """One day of the count: whether it counted, and why."""

    day: date
    counted: bool
    why: str


Count = tuple[datetime, tuple[CountedDay, ...]]


def count(
    value: Amount,
    start: datetime,
    calendar: WorkCalendar,
    *,
    suspensions: Sequence[Suspension] = (),
    extension: Amount | None = None,
) -> Count | str:
    """The last second in time and the days counted, or the cause why it cannot be known.

    Parameters
    ----------
    value : Amount
        How much time; for days the day of ``start`` is left out.
    start : datetime
        Aware; read in the zone of the calendar, without its fraction of a second.
    suspensions : sequence of Suspension
        Time that does not count. They may overlap.
    extension : Amount or None
        Counted on from the instant at which ``value`` alone is due, with the same suspensions left out.
    """
    local = start.astimezone(calendar.zone).replace(microsecond=0)
    pauses = tuple(sorted((_seconds(one, calendar) for one in suspensions), key=lambda one: one.begin))
    first = _count(value, local, calendar, pauses)
    if extension is None or isinstance(first, str):
        return first
    second = _count(extension, first[0], calendar, pauses)
    if isinstance(second, str):
        return second
    # The day on which the first part ended is told already.
    more = second[1] if extension.unit in _SPANS or extension.unit == "工作小时" else second[1][1:]
    return second[0], (*first[1], *(CountedDay(one.day, one.counted, f"延期：{one.why}") for one in more))


def _seconds(one: Suspension, calendar: WorkCalendar) -> Suspension:
    begin, end = one.begin.astimezone(calendar.zone), one.end.astimezone(calendar.zone) if one.end else None
    begin, end = begin.replace(microsecond=0), end.replace(microsecond=0) if end else None
    # Shorter than a second: it leaves nothing out of the exact count, but touches its day.
    return Suspension(begin, end + timedelta(seconds=1) if end == begin else end, one.reason)


def _count(value: Amount, local: datetime, calendar: WorkCalendar, pauses: Sequence[Suspension]) -> Count | str:
    if value.unit in _SPANS:
        return _run_through(value.amount * _SPANS[value.unit], local, calendar, pauses)
    if value.unit == "工作小时":
        return _office_hours(timedelta(hours=value.amount), local, calendar, pauses)
    return _whole_days(value, local, calendar, pauses)


def _whole_days(value: Amount, local: datetime, calendar: WorkCalendar, pauses: Sequence[Suspension]) -> Count | str:
    days = [CountedDay(local.date(), False, "起算当日不计")]
    left = value.amount
    for day in _days(local.date() + ONE_DAY, calendar):
        touching = _touching(day, calendar, pauses)
        if touching:
            if any(pause.end is None for pause in touching):
                return _goes_on(touching)
            days.append(CountedDay(day, False, _reasons(touching)))
            continue
        workday, why = calendar.is_workday(day), calendar.why(day)
        if left > 0:
            counts = workday or value.unit == "自然日"
            left -= counts
            days.append(CountedDay(day, counts, why))
        else:
            days.append(CountedDay(day, False, f"末日休息，顺延：{why}"))
        if left == 0 and workday:
            hours = calendar.hours_on(day)
            closing = hours[-1][1] if hours else LAST_SECOND
            return datetime.combine(day, closing, calendar.zone), tuple(days)
    return _unknown(calendar)


def _run_through(
    amount: timedelta, local: datetime, calendar: WorkCalendar, pauses: Sequence[Suspension]
) -> Count | str:
    """Through nights and holidays; summed in UTC, so that no clock change can bend it. Needs no calendar."""
    now, left = local.astimezone(UTC), amount
    runs: list[tuple[datetime, datetime]] = []
    for pause in pauses:
        if pause.end is not None and pause.end <= now:
            continue
        run = max(pause.begin - now, timedelta())
        if left <= run:
            break
        if pause.end is None:
            return _goes_on([pause])
        runs.append((now, now + run))
        now, left = pause.end.astimezone(UTC), left - run
    runs.append((now, now + left))
    due_at = (now + left).astimezone(calendar.zone)
    days: list[CountedDay] = []
    met = [pause for pause in pauses if pause.begin < due_at]
    for offset in range((due_at.date() - local.date()).days + 1):
        day = local.date() + offset * ONE_DAY
        begin, end = _bounds(day, calendar)
        ran = sum((max(min(stop, end) - max(go, begin), timedelta()) for go, stop in runs), timedelta())
        why = f"连续计时 {_spell(ran)}" if ran else "零时到期" if due_at == begin else "不计时"
        touching = _touching(day, calendar, met)
        days.append(CountedDay(day, bool(ran), f"{why}；{_reasons(touching)}" if touching else why))
    return due_at, tuple(days)


def _office_hours(
    amount: timedelta, local: datetime, calendar: WorkCalendar, pauses: Sequence[Suspension]
) -> Count | str:
    """Only while the office is open."""
    if not calendar.office_hours:
        return "参数未填：规则包没有写办公时间（pack.yaml 的 calendar.office_hours），工作小时无法计算"
    left = amount
    days: list[CountedDay] = []
    for day in _days(local.date(), calendar):
        before, due_at = left, None
        for go, stop in _open_spans(day, local, calendar, pauses):
            if left <= stop - go:
                due_at, left = go + left, timedelta()
                break
            left -= stop - go
        touching = [pause for pause in _touching(day, calendar, pauses) if due_at is None or pause.begin < due_at]
        days.append(_office_day(day, before - left, calendar, touching))
        if due_at is not None:
            return due_at, tuple(days)
        if any(pause.end is None for pause in touching):
            return _goes_on(touching)
    return _unknown(calendar)


def _open_spans(
    day: date, local: datetime, calendar: WorkCalendar, pauses: Sequence[Suspension]
) -> Iterator[tuple[datetime, datetime]]:
    """The office hours of a day from ``local`` on, with the suspensions cut out."""
    for opening, closing in calendar.hours_on(day) if calendar.is_workday(day) else ():
        now = max(datetime.combine(day, opening, calendar.zone), local)
        end = datetime.combine(day, closing, calendar.zone)
        for pause in pauses:
            if end <= pause.begin:
                break
            if now < pause.begin:
                yield now, pause.begin
            now = max(now, pause.end or end)
        if now < end:
            yield now, end


def _office_day(day: date, ran: timedelta, calendar: WorkCalendar, touching: Sequence[Suspension]) -> CountedDay:
    why = f"{calendar.why(day)}，计 {_spell(ran)}" if ran else calendar.why(day)
    return CountedDay(day, bool(ran), f"{why}；{_reasons(touching)}" if touching else why)


def _days(first: date, calendar: WorkCalendar) -> Iterator[date]:
    """The days from ``first`` on, as far as the calendar knows them."""
    day = first
    while calendar.covers(day):
        yield day
        day += ONE_DAY


def _bounds(day: date, calendar: WorkCalendar) -> tuple[datetime, datetime]:
    """Midnight and the next midnight."""
    return tuple(datetime.combine(one, time(), calendar.zone) for one in (day, day + ONE_DAY))  # type: ignore[return-value]


def _touching(day: date, calendar: WorkCalendar, pauses: Sequence[Suspension]) -> list[Suspension]:
    if not pauses:
        return []
    begin, end = _bounds(day, calendar)
    return [pause for pause in pauses if pause.begin < end and (pause.end is None or begin < pause.end)]


def _reasons(pauses: Sequence[Suspension]) -> str:
    return f"{'、'.join(dict.fromkeys(pause.reason for pause in pauses))}，不计入期限"


def _goes_on(pauses: Sequence[Suspension]) -> str:
    open_ones = [pause for pause in pauses if pause.end is None]
    return f"“{open_ones[0].reason}”还没有结束（从 {open_ones[0].begin:%Y-%m-%d %H:%M} 起不计入期限），到期时刻要等结束后才能算"


def _unknown(calendar: WorkCalendar) -> str:
    return f"日历只有 {calendar.coverage_start} 到 {calendar.coverage_end}，期限会越过它；请导入放假安排后再算"


def _spell(span: timedelta) -> str:
    """13小时30分钟, 30分钟, 15秒."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number}{unit}" for number, unit in ((hours, "小时"), (minutes, "分钟"), (seconds, "秒")) if number]
    return "".join(parts)
