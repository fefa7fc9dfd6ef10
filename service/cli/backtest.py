"""``zhipai rules backtest``: what a pack says about historic orders, and what would change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from rules import RulePack
from rules.backtest import Truth
from rules.backtest_page import render_page
from rules.backtest_report import build_report
from rules.fact_dictionary import fact_dictionary
from rules.vocabulary import GATES
from service.backtest import run_backtest
from service.backtest_sources import DecisionLog, OrderFile, Source
from service.backtest_state import Outcome, Plan
from service.backtest_tables import write_workbook
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json
from service.cli.progress import steps
from service.db.engine import check_version, make_engine, reading
from service.packs import pack_in_use
from service.rule_versions import find_version, load_bundle
from service.settings import Settings, settings
from service.snapshot import gazetteer_for, open_snapshot
from service.triage import TRIAGE_GATES

register("E7621", "回测缺少工单", "请给出 --orders 历史工单文件，或用 --decisions 取决定记录（两者选一）。")
register("E7622", "不认识的关口", "不认识关口“{gate}”。可用：{gates}。")
register("E7623", "选项互相矛盾", "--as-of 和 --as-of-received 只能用一个。")

CHECKPOINT = "backtest.checkpoint.json"
#: Rows of the console's tables; the files hold all.
TOP = 15


def add_to(rules: typer.Typer) -> None:
    rules.command("backtest", help="用历史工单回测一个规则包：它会说什么，与另一个规则包相比会改变什么。")(backtest)


def backtest(
    pack: str = typer.Option(..., "--pack", help="要回测的规则包：名字、文件夹，或发布过的版本（名字@散列）。"),
    against: str = typer.Option(
        "", "--against", help="与哪个规则包对照；不填只报告新包（决定记录则与当时的判定对照）。"
    ),
    orders: Path | None = typer.Option(None, "--orders", help="历史工单：.csv .xlsx .jsonl"),
    mapping: Path | None = typer.Option(None, "--mapping", help="列对应关系（YAML）；不填按常见表头识别。"),
    sheet: str = typer.Option("", "--sheet", help="工作表名；不填为第一张。"),
    decisions: bool = typer.Option(False, "--decisions", help="不用文件，取数据库里的决定记录。"),
    since: str = typer.Option("", "--since", help="决定记录从哪一刻起（含），带时区。"),
    until: str = typer.Option("", "--until", help="决定记录到哪一刻止（不含），带时区。"),
    gates: list[str] = typer.Option(list(TRIAGE_GATES), "--gate", help="关口，可写多次。"),
    as_of: str = AS_OF_OPTION,
    as_of_received: bool = typer.Option(
        False, "--as-of-received", help="每张工单按自己的受理时间（决定记录按建议时刻）取当时有效的规则。"
    ),
    truths: list[str] = typer.Option(
        [], "--truth", help="与列对照：规则编号或事实名=列名:值；值可写 *（不空）或 重复（前面出现过）。可写多次。"
    ),
    out: Path | None = typer.Option(None, "--out", help="结果文件夹：backtest.json、.xlsx、.html。"),
    limit: int = typer.Option(0, "--limit", min=0, help="最多读多少行；不填为全部。"),
    workers: int = typer.Option(0, "--workers", min=0, help="进程数；不填为处理器个数。"),
    resume: bool = typer.Option(False, "--resume", help="从上次中断的地方继续。"),
    cache: bool = typer.Option(True, "--cache/--no-cache", help="推断出的事实留在数据文件夹里，下次不再推断。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    if (orders is None) == (not decisions):
        raise ZhipaiError("E7621")
    if as_of and as_of_received:
        raise ZhipaiError("E7623")
    for gate in gates:
        if gate not in GATES:
            raise ZhipaiError("E7622", {"gate": gate, "gates": "、".join(f"{name}（{GATES[name]}）" for name in GATES)})
    new = pack_or_version(config, pack)
    old = pack_or_version(config, against) if against else None
    columns = Mapping.from_file(existing(mapping)) if mapping else None
    gazetteer, gazetteer_id = gazetteer_for(config, columns)
    plan = Plan(
        new=new,
        old=old,
        gates=tuple(dict.fromkeys(gates)),
        as_of=None if as_of_received else parse_instant(as_of),
        moment="received" if as_of_received else as_of or "now",
        gazetteer=gazetteer,
        gazetteer_id=gazetteer_id,
        truths=tuple(_truth(spec, new, old) for spec in truths),
        limit=limit,
        workers=workers or os.cpu_count() or 1,
        cache=config.home / "backtest" / "facts" if cache else None,
    )
    source = _source(config, plan, orders, columns, sheet, since, until)
    folder = out or config.home / "backtest"
    folder.mkdir(parents=True, exist_ok=True)
    with steps(quiet=as_json) as progress:
        outcome = run_backtest(plan, source, checkpoint=folder / CHECKPOINT, resume=resume, progress=progress)
    report = make_report(plan, source, outcome)
    if out is not None:
        _write(report, out)
    if as_json:
        print_json(report | {"speed": _speed(outcome)})
        return
    show(report, Console())
    _say_speed(outcome)
    if out is not None:
        typer.echo(f"结果：{out / 'backtest.html'}、backtest.xlsx、backtest.json")


def _source(
    config: Settings, plan: Plan, orders: Path | None, columns: Mapping | None, sheet: str, since: str, until: str
) -> Source:
    if orders is not None:
        file = OrderFile(existing(orders), columns, sheet or None, plan.truths)
        if plan.moment == "received" and "received_at" not in file.mapping.columns:
            raise ZhipaiError("E3401")
        return file
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    return DecisionLog(
        engine,
        plan.gates,
        parse_instant(since) if since else None,
        parse_instant(until) if until else None,
        open_snapshot(config).directory,
    )


def pack_or_version(config: Settings, name: str) -> RulePack:
    """A pack by name or folder, or a published version by its id (``weifang@21a580f0``)."""
    if "@" not in name:
        return pack_in_use(config, name)
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    with reading(engine) as connection:
        content_hash = find_version(connection, name)
    return load_bundle(engine, content_hash)


def _truth(spec: str, new: RulePack, old: RulePack | None) -> Truth:
    """``out_of_city=处置单位:除海口外的市县``; E3402."""
    subject, _, column = spec.partition("=")
    column, _, values = column.partition(":")
    if not (subject and column and values):
        raise ZhipaiError("E3402", {"spec": spec, "problem": "缺少等号或冒号"})
    fact = fact_dictionary().get(subject)
    if subject not in {rule.id for rule in new.rules} and (fact is None or fact.type != "bool"):
        raise ZhipaiError("E3402", {"spec": spec, "problem": f"“{subject}”不是新包的规则，也不是是否类的事实"})
    return Truth(spec, subject, column, tuple(values.split("|")))


def make_report(plan: Plan, source: Source, outcome: Outcome) -> dict[str, Any]:
    """The report of a finished run."""
    moment = outcome.as_of.isoformat() if outcome.as_of else "每张工单各自的时刻"
    return build_report(
        outcome.tally,
        new=plan.new,
        old=plan.old,
        logged=plan.old is None and isinstance(source, DecisionLog),
        gates=plan.gates,
        as_of=moment,
        source={"name": source.name, **source.identity},
        rows=outcome.rows,
        shown=outcome.shown,
        causes=outcome.causes,
    )


def _write(report: dict[str, Any], folder: Path) -> None:
    texts = {
        "backtest.json": json.dumps(report, ensure_ascii=False, indent=2) + "\n",
        "backtest.html": render_page(report),
    }
    for name, text in texts.items():
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / name)
    write_workbook(report, folder / "backtest.xlsx")


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report as tables: what changed most, by rule and by unit, and how it compares with the columns."""
    totals, compared = report["totals"], report["compared"]
    against = f"　对照 {report['against']['id']}" if report["against"] else ""
    console.print(Text(f"规则包 {report['pack']['id']}{against}　判断时刻 {report['as_of']}"))
    console.print(
        f"读 {totals['rows']:,} 行，判断 {totals['evaluated']:,} 条；新包有提示 {totals['new']:,} 条"
        + (
            f"，对照 {totals['old']:,} 条；多出提示 {totals['gained']:,} 条，少了提示 {totals['lost']:,} 条"
            if compared
            else f"，有规则需核实 {totals['verify']:,} 条"
        )
    )
    for row in report["skipped"]:
        console.print(Text(f"未判断：{row['title']}（{row['code']}）{row['orders']:,} 行", style="yellow"))
    if totals["evaluated"] and not report["rules"]:
        console.print(Text("在判断时刻没有一条规则有效。请检查 --as-of，或规则的生效日期。", style="yellow"))
    heads = ["规则", "名称", "新命中", "新需核实"]
    keys = [("new", "hit"), ("new", "not_evaluated")]
    if compared:
        heads += ["对照命中", "多", "少"]
    table = Table(title="按规则（改变最多的在前）" if compared else "按规则", title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold", justify="left" if head in ("规则", "名称") else "right")
    for row in report["rules"][:TOP]:
        counts = [row[side][state] for side, state in keys]
        if compared:
            counts += [row["old"]["hit"], row["gained"], row["lost"]]
        table.add_row(row["rule"], Text(row["title"]), *(f"{count:,}" for count in counts))
    console.print(table)
    for title, name in (("按单位", "units"), ("按区", "districts"), ("按月", "months")):
        table = Table(title=title, title_justify="left")
        for head in (title[1:], "工单", "新有提示", *(("对照有提示", "多", "少") if compared else ())):
            table.add_column(head, overflow="fold", justify="left" if head == title[1:] else "right")
        for row in report[name][: TOP if name != "units" else 10]:
            keys_of = ("orders", "new", "old", "gained", "lost") if compared else ("orders", "new")
            table.add_row(Text(row["name"]), *(f"{row[key]:,}" for key in keys_of))
        console.print(table)
    for row in report["truths"]:
        shares = "　".join(
            f"{title} {'—' if row[key] is None else f'{row[key]:.1%}'}"
            for key, title in (("precision", "准确率"), ("recall", "召回率"))
        )
        console.print(
            Text(
                f"对照 {row['name']}：{shares}　n={row['n']:,}，列中为是 {row['positives']:,}，无法判断 {row['unknown']:,}"
            )
        )


def _speed(outcome: Outcome) -> dict[str, Any]:
    """Rates a second, for this machine and this run; ``evaluations`` are orders × packs, each over all rules in force."""
    speed = outcome.speed
    rates = {
        "rows": outcome.rows / speed.wall if speed.wall else 0.0,
        "derived_per_process": speed.derived / speed.deriving if speed.derived and speed.deriving else 0.0,
        "evaluations_per_process": speed.evaluations / speed.counting if speed.counting else 0.0,
    }
    return {name: round(value) for name, value in rates.items()} | {
        "seconds": round(speed.wall, 2),
        "cached": speed.cached,
    }


def _say_speed(outcome: Outcome) -> None:
    rates = _speed(outcome)
    derived = f"推断事实 {rates['derived_per_process']:,} 条/秒" if rates["derived_per_process"] else "没有新推断的事实"
    typer.echo(
        f"用时 {rates['seconds']:.1f} 秒，{rates['rows']:,} 行/秒；每个进程：{derived}，"
        f"求值并计数 {rates['evaluations_per_process']:,} 次/秒；取自缓存 {rates['cached']:,} 条",
        err=True,
    )
