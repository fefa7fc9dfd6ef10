"""``zhipai rules lint`` and ``coverage``: what is wrong with packs, and what they leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table

from intake.errors import ZhipaiError, register
from rules.coverage import PackCoverage, coverage, totals
from rules.lint import lint
from rules.pack import PACKS
from rules.problems import Finding
from rules.vocabulary import GATES
from service.cli.common import JSON_OPTION, print_json
from service.packs import overrides_of, pack_in_use
from service.settings import settings

register("E7602", "规则检查未通过", "规则检查发现 {count} 处错误，见上面的清单。", exit_code=4)

PACK_OPTION = typer.Option("", "--pack", help="规则包的名字或文件夹；不填为正在使用的。")
ALL_OPTION = typer.Option(False, "--all", help="全部随附的规则包。")


def add_to(app: typer.Typer) -> None:
    app.command("lint", help="检查规则包的写法、出处、日期、重复、矛盾和测试。")(show_lint)
    app.command("coverage", help="条款有没有规则，规则有没有测试，还有什么要填。")(show_coverage)


def pack_names(name: str, every: bool) -> list[str]:
    """The packs that a command is about: all that come with the software, the named one, or the one in use."""
    if every:
        return sorted(path.parent.name for path in PACKS.glob("*/pack.yaml"))
    return [name or settings().pack]


def findings_of(names: Sequence[str]) -> list[Finding]:
    """The findings of packs in their order, each with the user's own values where they belong to it."""
    return [finding for name in names for finding in lint(name, overrides=overrides_of(settings(), name))]


def tell_findings(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print findings; returns how many are errors."""
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{'错误' if finding.level == 'error' else '提醒'} {finding}")
        typer.echo(f"错误 {errors} 处，提醒 {len(findings) - errors} 处。")
    return errors


def show_lint(pack: str = PACK_OPTION, every: bool = ALL_OPTION, as_json: bool = JSON_OPTION) -> None:
    errors = tell_findings(findings_of(pack_names(pack, every)), as_json=as_json)
    if errors:
        raise ZhipaiError("E7602", {"count": errors})


def show_coverage(pack: str = PACK_OPTION, every: bool = ALL_OPTION, as_json: bool = JSON_OPTION) -> None:
    packs = [coverage(pack_in_use(settings(), name)) for name in pack_names(pack, every)]
    found = totals(packs)
    if as_json:
        print_json({"totals": found, "packs": [one.as_dict() for one in packs]})
        return
    console = Console()
    console.print(_overview(packs))
    console.print(_by_gate(packs))
    for one in packs:
        for line in _open_points(one, inherited=len(packs) == 1):
            typer.echo(line)
    typer.echo(
        f"合计：规则 {found['rules']} 条（不同编号；没有条款的 {found['rules_without_clause']} 条，没有测试的 "
        f"{found['rules_without_test']} 条，命中、未命中、边界都有测试的 {found['rules_complete']} 条），条款 "
        f"{found['clauses']} 条（有规则的 {found['clauses_with_rule']} 条，没有用到的 {found['clauses_unused']} 条），"
        f"规则测试 {found['tests']} 个，待填 {found['to_fill']} 项。"
    )


def _overview(packs: Sequence[PackCoverage]) -> Table:
    table = Table(title="条款与测试", title_justify="left")
    for title in ("规则包", "条款", "有规则", "未用到", "规则", "有命中", "有未命中", "有边界", "测试", "待填"):
        table.add_column(title, justify="left" if title == "规则包" else "right")
    for one in packs:
        clauses, rules = one.clauses, one.rules
        counts = (
            len(clauses),
            sum(bool(clause.rules) for clause in clauses),
            sum(not clause.used for clause in clauses),
            len(rules),
            sum(rule.speaks for rule in rules),
            sum(bool(rule.passed) for rule in rules),
            sum(rule.boundary for rule in rules),
            one.tests,
            len(one.to_fill),
        )
        table.add_row(f"{one.pack} {one.title}", *map(str, counts))
    return table


def _by_gate(packs: Sequence[PackCoverage]) -> Table:
    table = Table(title="各关口的规则：本包（连同继承）", title_justify="left")
    table.add_column("规则包")
    for title in GATES.values():
        table.add_column(title, justify="right")
    for one in packs:
        counts = [one.gates[gate] for gate in GATES]
        table.add_row(one.pack, *(f"{count['own']}（{count['all']}）" if count["all"] else "—" for count in counts))
    return table


def _open_points(one: PackCoverage, *, inherited: bool) -> list[str]:
    """What is open, by line. Of several packs each names only what it declares itself to be filled."""
    lines = [f"{one.pack} 条款 {clause.id} 没有规则、时限或参数引用" for clause in one.clauses if not clause.used]
    for rule in one.rules:
        lacking = [
            name
            for name, there in (("命中", rule.speaks), ("未命中", rule.passed), ("边界", rule.boundary))
            if not there
        ]
        if lacking:
            lines.append(f"{one.pack} 规则 {rule.id} 缺测试：{'、'.join(lacking)}")
    fills = [fill for fill in one.to_fill if inherited or fill.pack == one.pack]
    return lines + [f"{one.pack} 待填 {fill.id}（{fill.title}）{fill.place}" for fill in fills]
