"""``zhipai deadline``: when an order is due, by which clause, and why, day by day."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import typer

from intake.errors import ZhipaiError, register
from rules import Deadline, RulePack, compute_deadlines
from rules.clocks import Duration, Suspension
from rules.vocabulary import KINDS, STAGES, TIME_UNITS
from service.cli.common import JSON_OPTION, parse_instant, print_json
from service.cli.facts import FACT_OPTION, parse_facts
from service.rule_versions import pack_in_force
from service.settings import settings
from service.work_calendar import load_calendar

register(
    "E7662",
    "不计时间的时段写法不对",
    "“{text}”不是 开始..结束=原因 的写法。例如 --suspend 2026-05-08..2026-05-10=检测鉴定（日期，两端的日子都不计），"
    "或 2026-05-08T10:00+08:00..2026-05-08T15:00+08:00=停电；还没有结束的，结束空着不写。",
)
register("E7663", "延期写法不对", "“{text}”不是 5工作日 这样的写法。单位只有：{units}。")

_AMOUNT = re.compile(r"([1-9][0-9]{0,3})\s*个?\s*(" + "|".join(sorted(TIME_UNITS, key=len, reverse=True)) + ")")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def add_to(root: typer.Typer) -> None:
    root.command("deadline", help="按规则包计算到期时刻，逐日说明算没算、为什么。")(deadline)


def deadline(
    pack: str = typer.Option("", "--pack", help="规则包；不填为正在使用的。"),
    kind: str = typer.Option("投诉", "--kind", help="工单类型：投诉、咨询、求助……"),
    urgency: str = typer.Option("一般", "--urgency", help="紧急程度：一般、紧急、特急、疑难。"),
    start: str = typer.Option(..., "--start", help="起算时刻（第一次派单），带时区，例如 2026-04-30T16:00+08:00"),
    as_of: str = typer.Option("", "--as-of", help="按哪一刻有效的时限计算；不填为起算时刻。"),
    suspend: list[str] = typer.Option(
        [], "--suspend", help="不计入期限的时段（挂账、检测鉴定等），写成 开始..结束=原因，可重复。"
    ),
    extend: str = typer.Option("", "--extend", help="已批准的延期，例如 5工作日；接在办结到期时刻之后数。"),
    restarted_at: str = typer.Option("", "--restarted-at", help="同意退回后改派给新单位的时刻；全程时钟照旧另列。"),
    fact: list[str] = FACT_OPTION,
    unknown: bool = typer.Option(False, "--unknown", help="连同缺事实、不知道是否适用的法定时限一并列出。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    instant = parse_instant(start)
    at = parse_instant(as_of, default=instant)
    loaded = pack_in_force(config, at, name=pack)
    kind_fact: dict[str, object] = {"kind": kind} if kind in KINDS else {}
    deadlines = compute_deadlines(
        loaded,
        kind=kind,
        urgency=urgency,
        start=instant,
        as_of=at,
        calendar=load_calendar(config, loaded),
        facts=kind_fact | parse_facts(fact),
        include_unknown=unknown,
        suspensions=[parse_suspension(text, loaded.zone) for text in suspend],
        extension=parse_amount(extend) if extend else None,
        restarted_at=parse_instant(restarted_at) if restarted_at else None,
    )
    if as_json:
        print_json({"limits": [one.as_dict() for one in deadlines]})
    else:
        _show(loaded, deadlines)


def parse_suspension(text: str, zone: ZoneInfo) -> Suspension:
    """``开始..结束=原因``; two dates stand for whole days, both included. E7662 otherwise, E3231 for the wrong order."""
    span, _, reason = text.partition("=")
    begin, dots, end = (part.strip() for part in span.partition(".."))
    try:
        if not dots:
            raise ValueError(text)
        first = _moment(begin, zone)
        last = _moment(end, zone, after=True) if end else None
    except ValueError as error:
        raise ZhipaiError("E7662", {"text": text[:60]}) from error
    return Suspension(first, last, reason.strip() or "挂账")


def _moment(text: str, zone: ZoneInfo, *, after: bool = False) -> datetime:
    """An aware instant; a date is its first midnight, or the midnight ``after`` it."""
    if _DATE.fullmatch(text):
        return datetime.combine(date.fromisoformat(text) + timedelta(days=after), time(), zone)
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(text)
    return instant


def parse_amount(text: str) -> Duration:
    """``5工作日``, ``5个工作日``, ``24小时``; E7663 otherwise."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ZhipaiError("E7663", {"text": text[:40], "units": "、".join(TIME_UNITS)})
    return Duration(int(match[1]), match[2])


def _show(pack: RulePack, deadlines: tuple[Deadline, ...]) -> None:
    typer.echo(f"规则包 {pack.id}")
    track = ""
    for one in deadlines:
        if one.track != track:
            track = one.track
            typer.echo(f"\n法定时限　{track}（约束主管部门，与热线时限并行）")
        name = one.title if one.track or one.stage == "statutory" else STAGES[one.stage]
        whole = "（全程，从第一次派单起）" if one.whole_course else ""
        due = f"到期：{one.due_at:%Y-%m-%d %H:%M:%S}" if one.due_at else f"无法判断：{one.cause}"
        typer.echo(f"{name}{whole}　{one.limit or '—'}　{due}")
        if one.clause:
            typer.echo(f"    依据：{one.clause.document}{one.clause.article}（{one.clause.confidence}）")
        for day in one.days:
            typer.echo(f"    {day.day}　{'计' if day.counted else '不计'}　{day.why}")
