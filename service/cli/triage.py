"""``zhipai triage``: one order from an argument or stdin, or a whole file."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from intake.order import WorkOrder
from rules.vocabulary import STAGES
from service.batch import triage_file
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json, result_file
from service.cli.progress import steps
from service.proposal import Proposal
from service.settings import settings
from service.snapshot import open_snapshot
from service.triage import propose

register("E7301", "没有诉求", "没有给出诉求。请写成 zhipai triage “诉求内容”，或用 --file 指定文件，或从标准输入送入。")
register("E7302", "缺少输出文件", "处理整份文件时请用 --out 指定结果文件，例如 --out 结果.xlsx。")
register(
    "E7303",
    "标准输入不是 UTF-8",
    "标准输入不是 UTF-8 编码的文字（可能是 GB18030/GBK）。请先转换，例如 iconv -f GB18030 -t UTF-8。",
)

KINDS = {"word": "词", "similar_order": "相似工单", "duty": "职责", "field": "字段", "rule": "规则"}
STATES = {"hit": "命中", "not_evaluated": "无法判断", "pass": "未命中"}


def add_to(app: typer.Typer) -> None:
    app.command("triage", help="对一条诉求或整份文件给出建议：派给谁、为什么、什么时候到期。")(triage)


def triage(
    text: str = typer.Argument("", help="诉求内容；不填或填 - 则读标准输入。"),
    file: Path | None = typer.Option(None, "--file", help="整份工单：.xlsx .csv .jsonl"),
    out: Path | None = typer.Option(None, "--out", help="结果文件：.xlsx .csv .jsonl，保留原有各列。"),
    mapping: Path | None = typer.Option(None, "--mapping", help="列对应关系（YAML）；不填按常见表头识别。"),
    sheet: str = typer.Option("", "--sheet", help="工作表名；不填为第一张。"),
    as_of: str = AS_OF_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    if file is not None:
        _file(file, out, mapping, sheet, as_of, as_json)
        return
    order = WorkOrder(text=text if text not in ("", "-") else _stdin())
    instant = parse_instant(as_of)
    proposal = propose(order, as_of=instant, snapshot=open_snapshot(settings(), instant))
    if as_json:
        print_json(proposal.as_dict())
    else:
        show(proposal, Console())


def _stdin() -> str:
    if sys.stdin.isatty():
        raise ZhipaiError("E7301")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZhipaiError("E7303") from error


def _file(file: Path, out: Path | None, mapping: Path | None, sheet: str, as_of: str, as_json: bool) -> None:
    if out is None:
        raise ZhipaiError("E7302")
    columns = Mapping.from_file(existing(mapping)) if mapping else None
    with steps(quiet=as_json) as progress:
        summary = triage_file(
            existing(file),
            result_file(out, file),
            columns=columns,
            sheet=sheet or None,
            as_of=parse_instant(as_of),
            settings=settings(),
            progress=progress,
        )
    if as_json:
        print_json(summary.as_dict())
        return
    typer.echo(
        f"共 {summary.rows} 行：给出建议 {summary.done} 行，其中疑难 {summary.abstained} 行；有错误 {summary.failed} 行"
        f"（见结果文件的“错误”列）。结果：{out}"
    )


def show(proposal: Proposal, console: Console) -> None:
    """Print a proposal as tables. What a citizen wrote is printed as text, never as markup."""
    units = Table(title="承办单位", title_justify="left", show_lines=True)
    units.add_column("序")
    units.add_column("单位", min_width=12, overflow="fold")
    units.add_column("概率", justify="right")
    units.add_column("依据", overflow="fold")
    for number, unit in enumerate(proposal.units, start=1):
        evidence = "\n".join(f"{KINDS.get(one['kind'], one['kind'])}：{one['text']}" for one in unit["evidence"])
        units.add_row(str(number), Text(unit["unit"]), f"{unit['probability']:.1%}", Text(evidence or "—"))
    console.print(units)
    if proposal.abstained:
        console.print(Text(f"疑难，请人工研判：{proposal.abstain_reason}", style="bold yellow"))
    if len(proposal.coverage_set) > 1:
        console.print(Text(f"候选范围（{len(proposal.coverage_set)} 个）：{'、'.join(proposal.coverage_set[:8])}"))
    for one in proposal.joint:
        role = {"lead": "主办", "assist": "协办"}[one["role"]]
        console.print(Text(f"{role}（供参考）：{one['unit']}　{one['reason']}"))
    _show_entries(proposal, console)
    _show_verdicts(proposal, console)
    _show_deadlines(proposal, console)
    missing = proposal.elements.get("missing") or []
    if missing:
        console.print(Text(f"要素还缺：{'、'.join(missing)}", style="yellow"))
    console.print(
        Text(
            f"建议编号 {proposal.proposal_id}　规则 {proposal.snapshot.rules}　模型 {proposal.snapshot.model}",
            style="dim",
        )
    )


def _show_entries(proposal: Proposal, console: Console) -> None:
    if not proposal.entries:
        console.print("知识库：没有能回答的条目", style="dim")
        return
    table = Table(title="知识条目", title_justify="left")
    for name in ("编号", "标题", "单位", "有效至"):
        table.add_column(name, overflow="fold")
    for entry in proposal.entries:
        table.add_row(entry["id"], Text(entry["title"]), Text(entry["unit"]), entry["effective_to"] or "长期")
    console.print(table)


def _show_verdicts(proposal: Proposal, console: Console) -> None:
    if not proposal.verdicts:
        console.print("规则：没有命中，按正常受理办理", style="dim")
        return
    table = Table(title="规则判定", title_justify="left", show_lines=True)
    for name in ("结论", "规则", "处置与告知", "依据"):
        table.add_column(name, overflow="fold")
    for verdict in proposal.verdicts:
        disposition = verdict["disposition"]
        told = f"{disposition['action']}：{disposition['tell']}" if disposition else verdict.get("cause", "")
        clause = verdict["clause"]
        table.add_row(
            STATES[verdict["state"]],
            Text(verdict["title"]),
            Text(told),
            Text(f"{clause['document']}{clause['article']}（{clause['confidence']}）"),
        )
    console.print(table)


def _show_deadlines(proposal: Proposal, console: Console) -> None:
    table = Table(title="到期时刻", title_justify="left")
    for name in ("环节", "时限", "到期"):
        table.add_column(name, overflow="fold")
    for deadline in proposal.deadlines:
        name = f"{deadline['track']}：{deadline['title']}" if deadline["track"] else STAGES[deadline["stage"]]
        due = deadline["due_at"][:16].replace("T", " ") if deadline["due_at"] else f"无法判断：{deadline['cause']}"
        table.add_row(Text(name), deadline["limit"] or "—", Text(due))
    console.print(table)
