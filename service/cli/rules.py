"""``zhipai rules …``."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError, register
from rules import RulePack, load_pack
from rules.run_tests import run_rule_tests
from service.cli import rule_life, rule_reports
from service.cli.common import JSON_OPTION, print_json
from service.cli.rule_reports import findings_of, pack_names, tell_findings
from service.packs import pack_in_use
from service.settings import settings

register("E7601", "规则测试未通过", "规则测试有 {failed} 个没有通过，见上面的清单。", exit_code=4)

TO_FILL = {"parameter": "参数", "limit": "时限"}
app = typer.Typer(no_args_is_help=True)


rule_reports.add_to(app)
rule_life.add_to(app)


@app.command("test", help="运行规则包自带的测试。")
def test(
    pack: str = typer.Option("", "--pack", help="规则包；不填为正在使用的。"),
    every: bool = typer.Option(False, "--all", help="全部随附的规则包。"),
    as_json: bool = JSON_OPTION,
) -> None:
    reports = {name: run_rule_tests(load_pack(name)) for name in pack_names(pack, every)}
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


@app.command("check", help="与 lint 相同的检查，并列出还要用户单位填写的参数和时限。")
def check(
    pack: str = typer.Option("", "--pack", help="规则包的名字或文件夹；不填为正在使用的。"),
    every: bool = typer.Option(False, "--all", help="全部随附的规则包。"),
    as_json: bool = JSON_OPTION,
) -> None:
    names = pack_names(pack, every)
    errors = tell_findings(findings_of(names), as_json=as_json)
    for name in [] if errors or as_json else names:
        _show_to_fill(pack_in_use(settings(), name))
    if errors:
        raise ZhipaiError("E7602", {"count": errors})


def _show_to_fill(pack: RulePack) -> None:
    """What the user's organisation still has to fill, each with the file in which it is declared."""
    missing = pack.to_fill()
    typer.echo(
        f"{pack.name}：待填 {len(missing)} 项" + ("，写在 overrides.yaml（见 docs/rules.md）。" if missing else "。")
    )
    for one in missing:
        unit = f"（{one.unit}）" if one.unit else ""
        typer.echo(f"  {TO_FILL[one.kind]} {one.id}　{one.title}{unit}　{one.place}　{one.note}")


@app.command("show", help="列出一个规则包的规则、关口与出处。")
def show(pack: str = typer.Option("", "--pack", help="规则包；不填为正在使用的。")) -> None:
    loaded = pack_in_use(settings(), pack)
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
