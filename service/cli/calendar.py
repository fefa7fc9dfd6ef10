"""``zhipai calendar``: what the working-time calendar holds, and how the next year gets into it."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError
from rules import WorkCalendar
from service import clock
from service.cli.common import JSON_OPTION, existing, print_json
from service.packs import pack_in_use
from service.readiness import calendar_says
from service.settings import settings
from service.work_calendar import import_year, load_calendar

app = typer.Typer(no_args_is_help=True)


@app.command("show", help="显示工作日历：终点、放假的日子、调休上班的日子、出处。")
def show(
    year: int = typer.Option(0, "--year", help="哪一年；不填为今年。"),
    pack: str = typer.Option("", "--pack", help="规则包（含当地的放假和办公时间）；不填为正在使用的。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    today = clock.now(config.time_zone).date()
    calendar = load_calendar(config, pack_in_use(config, pack))
    chosen = year or today.year
    if not calendar.coverage_start.year <= chosen <= calendar.coverage_end.year:
        raise ZhipaiError(
            "E3206", {"start": calendar.coverage_start, "end": calendar.coverage_end, "day": f"{chosen} 年"}
        )
    if as_json:
        print_json(_document(calendar, chosen))
        return
    typer.echo(f"工作日历 {calendar.id}　{calendar.coverage_start} 到 {calendar.coverage_end}")
    typer.echo(_hours(calendar))
    table = Table(title=f"{chosen} 年", title_justify="left")
    for name in ("日期", "", "名称", "出处"):
        table.add_column(name, overflow="fold")
    for one in calendar.special_days(chosen):
        table.add_row(str(one.day), "上班" if one.workday else "放假", Text(one.name), Text(one.source))
    Console().print(table)
    says = calendar_says(calendar, today=today)
    if not says.startswith("ok"):
        typer.echo(says)


def _hours(calendar: WorkCalendar) -> str:
    if not calendar.office_hours:
        return "办公时间：规则包没有写，末日到 24 时，工作小时不能计算"
    parts = [f"办公时间：{_spans(calendar.office_hours)}"]
    for season in calendar.settings.seasons:
        first, last = (f"{month:02}-{day:02}" for month, day in (season.first, season.last))
        parts.append(f"{first} 到 {last}：{_spans(season.hours)}")
    return "；".join(parts)


def _spans(hours: tuple[tuple[object, object], ...]) -> str:
    return "、".join(f"{opening:%H:%M}—{closing:%H:%M}" for opening, closing in hours)


def _document(calendar: WorkCalendar, year: int) -> dict[str, object]:
    return {
        "id": calendar.id,
        "coverage": {"from": calendar.coverage_start.isoformat(), "to": calendar.coverage_end.isoformat()},
        "year": year,
        "days": [
            {
                "date": one.day.isoformat(),
                "kind": "上班" if one.workday else "放假",
                "name": one.name,
                "source": one.source,
            }
            for one in calendar.special_days(year)
        ],
    }


@app.command("import", help="导入一年的放假安排（.csv 或 .yaml：date,kind,name,source）。")
def import_file(
    file: Path = typer.Argument(..., help="放假安排；kind 写放假或上班，date 可写 2027-02-05..2027-02-12"),
    dry_run: bool = typer.Option(False, "--dry-run", help="只检查，不写入。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    done = import_year(config, pack_in_use(config), existing(file), dry_run=dry_run)
    rest = sum(not one.workday for one in done.year.days)
    work = len(done.year.days) - rest
    if as_json:
        print_json(
            {
                "year": done.year.year,
                "holidays": rest,
                "workdays": work,
                "warnings": list(done.reading.warnings),
                "replaces": done.replaces,
                "written": not dry_run,
                "coverage_to": done.calendar.coverage_end.isoformat(),
                "calendar": done.calendar.id,
            }
        )
        return
    for warning in done.reading.warnings:
        typer.echo(f"提醒：{warning}")
    if done.replaces:
        typer.echo(f"提醒：日历里已有 {done.year.year} 年，导入的将替换它。")
    typer.echo(f"{done.year.year} 年：放假 {rest} 天，调休上班 {work} 天；日历到 {done.calendar.coverage_end}。")
    if dry_run:
        typer.echo("这是试运行，没有写入。")
        return
    typer.echo(
        f"已导入，日历编号 {done.calendar.id}。运行中的服务会在约 {config.reload_seconds:g} 秒后用上，不必重启。"
    )
