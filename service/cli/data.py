"""``zhipai kb`` and ``zhipai intake``: what comes into the house."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.hint_report import compare_hints
from intake.mapping import Mapping
from intake.readers import read_orders
from knowledge_base import read_entries
from service import clock
from service.cli.common import JSON_OPTION, existing, print_json
from service.db.engine import check_version, make_engine
from service.entries import import_entries
from service.settings import settings

knowledge = typer.Typer(no_args_is_help=True)
intake = typer.Typer(no_args_is_help=True)


@knowledge.command("import", help="导入知识条目（.jsonl 或 .csv）；重复导入同样的内容不产生变化。")
def import_file(file: Path = typer.Argument(..., help="条目文件"), as_json: bool = JSON_OPTION) -> None:
    config = settings()
    engine = make_engine(config.url)
    check_version(engine)
    counts = import_entries(engine, read_entries(existing(file)), at=clock.now(config.time_zone))
    if as_json:
        print_json(counts)
    else:
        typer.echo(
            f"新增 {counts['added']} 条，更新 {counts['changed']} 条，未变 {counts['unchanged']} 条。"
            f"运行中的服务会在约 {config.reload_seconds:g} 秒后用上。"
        )


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
