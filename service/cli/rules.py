"""``zhipai rules …`` and ``zhipai deadline``."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError, register
from rules import WorkCalendar, compute_deadlines, load_pack
from rules.lint import lint
from rules.pack import PACKS
from rules.run_tests import run_rule_tests
from service.cli.common import JSON_OPTION, parse_instant, print_json
from service.settings import settings

register("E7601", "规则测试未通过", "规则测试有 {failed} 个没有通过，见上面的清单。", exit_code=4)
register("E7602", "规则检查未通过", "规则检查发现 {count} 处错误，见上面的清单。", exit_code=4)

app = typer.Typer(no_args_is_help=True)
STAGES = {"sign_in": "签收", "return": "退回", "first_contact": "首次联系", "resolve": "办结"}


def _packs(name: str, every: bool) -> list[str]:
    """The packs that a command is about: all that come with the software, the named one, or the one in use."""
    if every:
        return sorted(path.parent.name for path in PACKS.glob("*/pack.yaml"))
    return [name or settings().pack]


@app.command("test", help="运行规则包自带的测试。")
def test(
    pack: str = typer.Option("", "--pack", help="规则包；不填为正在使用的。"),
    every: bool = typer.Option(False, "--all", help="全部随附的规则包。"),
    as_json: bool = JSON_OPTION,
) -> None:
    reports = {name: run_rule_tests(load_pack(name)) for name in _packs(pack, every)}
    failed = sum(len(report.failed) for report in reports.values())
    if as_json:
        print_json({name: asdict(report) for name, report in reports.items()})
    else:
        for name, report in reports.items():
            typer.echo(f"{name}：通过 {report.passed}，未通过 {len(report.failed)}")
            for failure in report.failed:
                typer.echo(f"  {failure}")
            for rule in report.untested_rules:
                typer.echo(f"  提醒：规则 {rule} 没有测试")
    if failed:
        raise ZhipaiError("E7601", {"failed": failed})


@app.command("check", help="检查规则包的写法、出处和日期。")
def check(
    pack: str = typer.Option("", "--pack", help="规则包的名字或文件夹；不填为正在使用的。"),
    every: bool = typer.Option(False, "--all", help="全部随附的规则包。"),
    as_json: bool = JSON_OPTION,
) -> None:
    findings = [finding for name in _packs(pack, every) for finding in lint(name)]
    errors = [finding for finding in findings if finding.level == "error"]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(str(finding))
        typer.echo(f"错误 {len(errors)} 处，提醒 {len(findings) - len(errors)} 处。")
    if errors:
        raise ZhipaiError("E7602", {"count": len(errors)})


@app.command("show", help="列出一个规则包的规则、关口与出处。")
def show(pack: str = typer.Option("", "--pack", help="规则包；不填为正在使用的。")) -> None:
    loaded = load_pack(pack or settings().pack)
    table = Table(title=f"{loaded.id}", title_justify="left")
    for name in ("编号", "关口", "规则", "轻重", "依据"):
        table.add_column(name, overflow="fold")
    for rule in loaded.rules:
        clause = loaded.clauses[rule.clause]
        table.add_row(
            rule.id,
            rule.gate,
            Text(rule.title),
            rule.severity,
            Text(f"{clause.document}{clause.article}（{clause.confidence}）"),
        )
    Console().print(table)


def add_deadline_to(root: typer.Typer) -> None:
    root.command("deadline", help="按规则包计算到期时刻，逐日说明算没算、为什么。")(deadline)


def deadline(
    pack: str = typer.Option("", "--pack", help="规则包；不填为正在使用的。"),
    kind: str = typer.Option("投诉", "--kind", help="工单类型：投诉、咨询、求助……"),
    start: str = typer.Option(..., "--start", help="起算时刻，带时区，例如 2026-04-30T16:00+08:00"),
    as_json: bool = JSON_OPTION,
) -> None:
    instant = parse_instant(start)
    loaded = load_pack(pack or settings().pack)
    calendar = WorkCalendar(loaded.calendar)
    deadlines = compute_deadlines(loaded, kind=kind, start=instant, as_of=instant, calendar=calendar)
    if as_json:
        print_json({"limits": [one.as_dict() for one in deadlines]})
        return
    for one in deadlines:
        stage = STAGES.get(one.stage, one.stage)
        due = f"{one.due_at:%Y-%m-%d %H:%M:%S}" if one.due_at else f"无法判断：{one.cause}"
        typer.echo(f"{stage}　{one.limit or '—'}　到期：{due}")
        for day in one.days:
            typer.echo(f"    {day.day}　{'计' if day.counted else '不计'}　{day.why}")
