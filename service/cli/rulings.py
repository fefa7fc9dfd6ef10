"""``zhipai rules eval`` and ``zhipai rules facts``: one gate, one answer; and the dictionary of what may be asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError, register
from rules import RuleEngine
from rules.fact_dictionary import fact_dictionary
from rules.vocabulary import GATES
from rules.wording import said_value
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json
from service.rule_catalogue import describe_facts
from service.rule_versions import pack_in_force
from service.rulings import RulingRequest, make_ruling
from service.settings import settings
from service.work_calendar import load_calendar

register(
    "E7631",
    "事实文件不对",
    '事实文件“{name}”不对：{problem}。应是一个 UTF-8 编码的 JSON 对象，例如 {{"return_requested": true}}。',
)

STATES = {"hit": "命中", "not_evaluated": "无法判断", "pass": "未命中"}
MATERIALS = {"given": "有", "missing": "缺", "unknown": "没有核实"}
GATE_HELP = "关口：" + "、".join(f"{name} {title}" for name, title in GATES.items())


def add_to(app: typer.Typer) -> None:
    """Put the commands into the group ``rules``."""
    app.command("eval", help="问一个关口：能不能、应当怎样、依据什么、缺什么、怎样会变。")(evaluate)
    app.command("facts", help="列出事实字典：类型、单位、取值、来源、可知的关口、请人核实什么。")(facts)


def evaluate(
    gate: str = typer.Option(..., "--gate", help=GATE_HELP),
    file: Path = typer.Option(..., "--facts", help="事实（JSON 对象）的文件；- 为标准输入。"),
    pack: str = typer.Option("", "--pack", help="规则包的名字或文件夹；不填为正在使用的。"),
    as_of: str = AS_OF_OPTION,
    kind: str = typer.Option("", "--kind", help="诉求类型，等于事实 kind。"),
    urgency: str = typer.Option("", "--urgency", help="紧急程度，等于事实 urgency。"),
    return_reason: str = typer.Option("", "--return-reason", help="退回理由的原文，只用于退回关口。"),
    text: str = typer.Option("", "--text", help="诉求内容：有了它，由正文推断的事实不必逐个填写。"),
    every: bool = typer.Option(False, "--all", help="连同未命中的规则一并列出。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    at = parse_instant(as_of)
    loaded = pack_in_force(config, at, name=pack)
    question = RulingRequest(
        gate=gate,
        as_of=at,
        facts=_read(file),
        kind=kind,
        urgency=urgency,
        return_reason=return_reason or None,
        text=text,
        all_rules=every,
    )
    engine = RuleEngine(loaded, kind=config.rule_engine)
    ruling = make_ruling(question, engine, load_calendar(config, loaded))
    if as_json:
        print_json(ruling)
    else:
        show(ruling, Console())


def _read(file: Path) -> dict[str, Any]:
    name = "标准输入" if str(file) == "-" else file.name
    content = sys.stdin.buffer.read() if str(file) == "-" else existing(file).read_bytes()
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ZhipaiError("E7631", {"name": name, "problem": "不是 UTF-8 编码"}) from error
    except json.JSONDecodeError as error:
        raise ZhipaiError("E7631", {"name": name, "problem": f"第 {error.lineno} 行不是正确的 JSON"}) from error
    if not isinstance(document, dict):
        raise ZhipaiError("E7631", {"name": name, "problem": "最外层不是对象"})
    return document


def show(ruling: dict[str, Any], console: Console) -> None:
    """Print a ruling as sentences and tables; what comes from packs and facts is printed as text, never as markup."""
    decided = f"（{'、'.join(ruling['decided_by'])}）" if ruling["decided_by"] else ""
    console.print(Text(f"{ruling['gate_text']}：{ruling['answer_text']}{decided}", style="bold"))
    if ruling["undetermined"]:
        console.print(Text(f"还不能定：{'、'.join(ruling['undetermined_by'])} 无法判断，可能得出更强的结论。"))
    if ruling["disposition"]:
        console.print(Text(f"处置：{ruling['disposition']['action']}"))
        if ruling["disposition"]["tell"]:
            console.print(Text(f"告知：{ruling['disposition']['tell']}"))
    console.print(Text(ruling["counterfactual"]["sentence"]))
    _table(
        console,
        "规则判定",
        ("结论", "编号", "规则", "依据或原因"),
        [
            (STATES[one["state"]], one["rule_id"], one["title"], one["cause"] or _source(one["clause"]))
            for one in sorted(ruling["verdicts"], key=lambda one: list(STATES).index(one["state"]))
        ],
    )
    _table(
        console,
        "缺少的事实（要紧的在前）",
        ("事实", "请核实", "等着它的规则"),
        [
            (f"{one['label']}（{one['name']}）", one["reason"] or one["ask"], "、".join(one["rules"]))
            for one in ruling["missing"]
        ],
    )
    _table(
        console,
        "待填的参数和时限",
        ("编号", "名称", "说明"),
        [(one["id"], one["title"], one["note"]) for one in ruling["unset"]],
    )
    _table(
        console,
        "材料清单",
        ("材料", "情况"),
        [(f"{one['label']}（{one['name']}）", MATERIALS[one["state"]]) for one in ruling["checklist"]],
    )
    dictionary = fact_dictionary()
    _table(
        console,
        "由时刻算出的事实",
        ("事实", "值"),
        [
            (f"{fact.short_name}（{name}）", said_value(ruling["facts"][name], fact))
            for name in ruling["derived"]
            if (fact := dictionary.get(name)) is not None
        ],
    )
    console.print(
        Text(
            f"研判编号 {ruling['ruling_id']}　规则 {ruling['snapshot']['rules']}　引擎 {ruling['engine']}", style="dim"
        )
    )


def _source(clause: dict[str, Any]) -> str:
    return f"{clause['document']}{clause['article']}（{clause['confidence']}）"


def _table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table, where there is anything to show."""
    if not rows:
        return
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def facts(gate: str = typer.Option("", "--gate", help=GATE_HELP), as_json: bool = JSON_OPTION) -> None:
    rows = describe_facts(gate)
    if as_json:
        print_json(rows)
        return
    _table(
        Console(),
        f"事实字典（{len(rows)} 个）",
        ("名称", "类型", "说明", "来源", "关口", "请核实"),
        [
            (
                row["name"],
                row["type_text"] + (f"（{row['unit']}）" if row["unit"] else ""),
                row["description"] + (f"。取值：{'、'.join(row['values'])}" if row["values"] else ""),
                row["source_text"],
                "、".join(GATES[name] for name in row["gates"]) or "都可知",
                row["ask"],
            )
            for row in rows
        ],
    )
