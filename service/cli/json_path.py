"""``--json`` with a path or without: to a file, or to stdout where no path follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

STDOUT = "-"
JSON_PATH_OPTION = typer.Option("", "--json", help="写一份 JSON 到这个文件；不写文件名（或写 -）则只输出 JSON。")


class JsonPathCommand(TyperCommand):
    """A command whose ``--json`` may stand alone; the parser knows only options that always take a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        filled = []
        for number, argument in enumerate(args):
            filled.append(argument)
            following = args[number + 1] if number + 1 < len(args) else "--"
            if argument == "--json" and following.startswith("-") and following != STDOUT:
                filled.append(STDOUT)
        return super().parse_args(ctx, filled)


def put_json(document: Any, path: str) -> None:
    """Write the document where ``--json`` said: nowhere, to stdout, or to a file that appears whole."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    if path == STDOUT:
        typer.echo(text)
    elif path:
        target = Path(path)
        part = target.with_name(f".{target.name}.part")
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(target)
