"""``zhipai drift``: have the orders, the answers or their rightness changed."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.mapping import Mapping
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json, result_file
from service.cli.progress import steps
from service.drift import observe
from service.model_compare import load_model
from service.settings import settings
from service.training import load_encoder
from training.drift import drift as find_drift
from training.drift_page import KINDS, drift_page, learned_says


def add_to(app: typer.Typer) -> None:
    app.command("drift", help="与参照的工单相比，文字、去向、命中有没有变，从哪一条开始；写一份 HTML 报告。")(drift)


def drift(
    reference: Path = typer.Option(..., "--reference", help="参照的工单：模型训练之后、一切正常的一段"),
    orders: Path = typer.Option(..., "--orders", help="要看的工单（例如上一周的）"),
    mapping: Path = typer.Option(..., "--mapping", help="两份工单的列对应关系（YAML）"),
    model: str = typer.Option("champion", "--model", help="别名、版本号或模型文件夹。"),
    out: Path | None = typer.Option(None, "--out", help="HTML 报告；不填不写。"),
    days: int = typer.Option(7, "--days", min=1, help="一个时间段几天。"),
    as_of: str = AS_OF_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    columns, instant = Mapping.from_file(existing(mapping)), parse_instant(as_of)
    if out is not None:
        result_file(out, reference, orders)
    encoder = load_encoder(config)
    ranker = load_model(config, model, encoder)
    with steps(quiet=as_json) as progress:
        before, now = (
            observe(ranker, encoder, existing(path), columns, as_of=instant, progress=progress)
            for path in (reference, orders)
        )
        found = find_drift(before, now, days=days)
    if out is not None:
        out.write_text(drift_page(found, at=instant, model=ranker.model_id), encoding="utf-8")
    if as_json:
        print_json(found)
        return
    if says := learned_says(found):
        typer.echo(says)
    for one in found["shifts"]:
        typer.echo(f"{one['name']}：PSI {one['psi']:.3f}（同分布时平均 {one['noise']:.3f}），变化{one['says']}")
    typer.echo(f"文字的向量：置换检验 p={found['vectors']['p']:.3f}")
    for one in found["alarms"]:
        typer.echo(
            f"{one['unit'] or '全部'}：{KINDS[one['what']]}，从 {one['began']}（{one['began_at'] or '没有受理时间'}）开始，"
            f"{one['before']:.1%} → {one['after']:.1%}"
        )
    if not found["alarms"]:
        typer.echo(f"没有单位的占比{'或错误率' if found['errors_compared'] else ''}发生可以确认的变化。")
    if out is not None:
        typer.echo(f"报告：{out}")
