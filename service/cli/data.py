"""``zhipai kb`` and ``zhipai intake``: what comes into the house."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.hint_report import compare_hints
from intake.mapping import Mapping
from intake.readers import read_orders
from service.cli import kb_check, kb_files, kb_life, kb_search
from service.cli.common import JSON_OPTION, existing, print_json

knowledge = typer.Typer(no_args_is_help=True)
intake = typer.Typer(no_args_is_help=True)


kb_files.add_to(knowledge)
kb_life.add_to(knowledge)
kb_check.add_to(knowledge)
kb_search.add_to(knowledge)


@intake.command("hints", help="检查派单提示的清理：改了多少行，与供稿方清理好的一列有多接近，还残留多少。")
def hints(
    orders: Path = typer.Option(..., "--orders", help="历史工单，列里有原文和一列清理好的文本"),
    mapping: Path = typer.Option(..., "--mapping", help="列对应关系，text 对应原文"),
    reference: str = typer.Option("去提示文本", "--reference", help="清理好的那一列的列名"),
    as_json: bool = JSON_OPTION,
) -> None:
    rows = read_orders(existing(orders), Mapping.from_file(existing(mapping)))
    report = compare_hints(rows, reference=reference)
    if as_json:
        print_json(report)
        return
    typer.echo(f"共 {report['rows']} 行")
    typer.echo(f"改动的行：本软件 {report['changed']:.1%}，对照列 {report['reference_changed']:.1%}")
    typer.echo(f"与对照列完全一致（不计空白标点）：{report['exact']:.1%}；平均相似度 {report['similarity']:.1%}")
    typer.echo(f"仍残留“请……局……处理”的行：本软件 {report['leaks']}，对照列 {report['reference_leaks']}")
    typer.echo(f"仍残留历史答复的行：本软件 {report['replies']}，对照列 {report['reference_replies']}")
    typer.echo(f"相差最大的工单：{'、'.join(report['furthest'][:10])}")
