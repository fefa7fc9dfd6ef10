"""``zhipai kb`` and ``zhipai intake``: what comes into the house."""

from __future__ import annotations

from pathlib import Path

import typer

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
