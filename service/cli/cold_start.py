"""``zhipai cold-start``: a model from a list of units, before there is any order."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from intake.unit import UnitDirectory
from service import clock
from service.cli.common import JSON_OPTION, existing, print_json
from service.cli.progress import steps
from service.cold_start import train_cold
from service.settings import settings
from training.cold_start import WEAK

register(
    "E7311",
    "缺少单位名录",
    "请用 --units 给出单位名录（.yaml、.json），或用 --orders 与 --mapping，其中映射写明 directory。",
)


def add_to(app: typer.Typer) -> None:
    app.command("cold-start", help="还没有工单时，只凭单位名录和职责建一个模型；它会说明自己有多弱。")(cold)


def cold(
    units: Path | None = typer.Option(None, "--units", help="单位名录（.yaml、.json），每个单位写 duties"),
    orders: Path | None = typer.Option(None, "--orders", help="量一量它：这些工单只评测，不训练。"),
    mapping: Path | None = typer.Option(None, "--mapping", help="--orders 的列对应关系（YAML）"),
    keep: bool = typer.Option(True, "--register/--no-register", help="是否登记；上线另用 zhipai promote。"),
    as_json: bool = JSON_OPTION,
) -> None:
    run_cold_start(units, orders, Mapping.from_file(existing(mapping)) if mapping else None, keep=keep, as_json=as_json)


def run_cold_start(
    units: Path | None, orders: Path | None, columns: Mapping | None, *, keep: bool, as_json: bool
) -> None:
    """Build, measure, register and tell: for ``zhipai cold-start``, and for ``zhipai train`` without orders."""
    config = settings()
    directory = UnitDirectory.from_file(existing(units)) if units else None
    if directory is None and columns is not None and orders is not None:
        directory = columns.directory_for(existing(orders))
    if directory is None:
        raise ZhipaiError("E7311")
    with steps(quiet=as_json) as progress:
        outcome = train_cold(
            config,
            directory,
            at=clock.now(config.time_zone),
            source=(units or orders or Path()).name,
            orders=existing(orders) if orders else None,
            mapping=columns,
            register=keep,
            progress=progress,
        )
    if as_json:
        print_json(outcome.as_dict())
        return
    typer.echo(f"{WEAK}。单位 {outcome.units} 个，其中写了职责的 {outcome.with_duties} 个。")
    if (found := outcome.evaluation) is not None:
        low, high = found.intervals["top1"]
        typer.echo(
            f"在 {found.n} 条工单上：前 1 命中 {found.top1:.3f}（{low:.3f}–{high:.3f}），前 3 {found.top3:.3f}，"
            f"前 5 {found.top5:.3f}，校准误差 {found.ece:.3f}，请人工确认的占 {found.abstained['share']:.1%}。"
        )
    if outcome.version:
        typer.echo(f"已登记为版本 {outcome.version}（{outcome.model_id}），未上线。")
