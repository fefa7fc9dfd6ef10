"""What several commands share."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from intake.errors import ZhipaiError, register
from service import clock
from service.settings import settings

register("E7201", "时刻写法不对", "“{value}”不是带时区的时刻。请写成 2026-05-01T09:30:00+08:00。")
register("E7202", "文件不存在", "找不到文件“{name}”。请检查路径。")
register("E7203", "结果会盖掉原文件", "结果不能写在“{name}”上：它是要读的文件，写上去就没有原件了。请换一个文件名。")
register("E7204", "结果没有地方放", "结果不能写在“{place}”：{problem}。请换一个位置。")

JSON_OPTION = typer.Option(False, "--json", help="只输出一份 JSON。")
AS_OF_OPTION = typer.Option("", "--as-of", help="按哪一刻的规则和名录判断，带时区；不填为现在。")


def parse_instant(value: str, *, default: datetime | None = None) -> datetime:
    """An aware instant from the command line; E7201 otherwise."""
    if not value:
        return default or clock.now(settings().time_zone)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise ZhipaiError("E7201", {"value": value[:40]}) from error
    if instant.tzinfo is None:
        raise ZhipaiError("E7201", {"value": value[:40]})
    return instant


def existing(path: Path) -> Path:
    """The path, if there is a file; E7202 otherwise."""
    if not path.is_file():
        raise ZhipaiError("E7202", {"name": path.name})
    return path


def result_file(out: Path, *sources: Path | None) -> Path:
    """Where a result goes, checked before the work of minutes that makes it.

    Raises
    ------
    ZhipaiError
        E7203 if it is one of the files that are read: the result holds what we could read of it, not all of it. E7204 if
        there is no such folder, or a folder stands there.
    """
    if out.is_dir():
        raise ZhipaiError("E7204", {"place": out, "problem": "这是一个文件夹"})
    if not out.parent.is_dir():
        raise ZhipaiError("E7204", {"place": out, "problem": f"没有文件夹“{out.parent}”"})
    if any(source and source.exists() and out.exists() and out.samefile(source) for source in sources):
        raise ZhipaiError("E7203", {"name": out.name})
    return out


def print_json(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
