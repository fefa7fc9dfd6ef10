"""``zhipai labels feedback``: what decisions and returns taught, as a training file."""

from __future__ import annotations

from pathlib import Path

import typer

from service.cli.common import JSON_OPTION, existing, print_json, result_file
from service.db.engine import check_version, make_engine
from service.feedback import write_feedback
from service.settings import settings

labels = typer.Typer(no_args_is_help=True)


@labels.command("feedback", help="把采纳、改派和退单变成训练标签：建议与答案分开，写明权重和依据。")
def feedback(
    out: Path = typer.Option(..., "--out", help="结果文件（.jsonl），可用 datasets/mappings/feedback.yaml 读"),
    returns: Path | None = typer.Option(None, "--returns", help="别的系统导出的退单（.csv）。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    summary = write_feedback(
        engine, result_file(out, returns), returns=existing(returns) if returns else None, time_zone=config.time_zone
    )
    if as_json:
        print_json(summary.as_dict())
        return
    typer.echo(
        f"决定过的工单 {summary.orders} 条，有标签 {summary.labelled} 条：采纳 {summary.accepted}，改派 {summary.overridden}，"
        f"退单被驳回后留下 {summary.return_refused}；撤销、退回后没有再派或退单未了结 {summary.open} 条，没有标签。结果：{out}"
    )
