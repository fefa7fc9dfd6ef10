"""``zhipai quality``: measure again and write docs/quality.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from service import clock
from service.cli.common import JSON_OPTION, print_json
from service.cli.progress import steps
from service.settings import ROOT, settings
from service.training import load_encoder
from training.config import TrainConfig
from training.quality import MEASUREMENTS, Place, cached, chosen, run
from training.report import page

PAGE = ROOT / "docs" / "quality.md"


def add_to(app: typer.Typer) -> None:
    app.command("quality", help="重新测量并生成 docs/quality.md；代码和数据没变的沿用上次的结果。")(quality)


def quality(
    only: list[str] = typer.Option([], "--only", help="只测这一项，可重复；不填全部（要训练约四十次）。"),
    data: Path | None = typer.Option(None, "--data", help="真实数据的文件夹；不填用环境变量 ZHIPAI_SHARED_DATA。"),
    again: bool = typer.Option(False, "--again", help="不沿用上次的结果。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    wanted = chosen(only)
    place = Place(
        data=data or Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data")),
        cache=config.home / "quality",
        encoder=load_encoder(config),
        as_of=clock.now(config.time_zone),
        config=TrainConfig.default(),
    )
    found: dict[str, dict[str, Any] | None] = {}
    with steps(quiet=as_json) as progress:
        for one in MEASUREMENTS:
            # What is not measured now shows what was measured last.
            measured = run(one, place, progress=progress, again=again) if one in wanted else None
            found[one.name] = measured or cached(one, place.cache)
            if one in wanted and not as_json:
                typer.echo(f"{one.title}：{'完成' if measured else '没有数据，未测'}")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found, encoder=place.encoder.id), encoding="utf-8")
    if as_json:
        print_json({one.name: found[one.name] for one in wanted})
    else:
        typer.echo(f"已写入 {PAGE.relative_to(ROOT)}")
