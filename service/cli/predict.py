"""``zhipai predict``: the units of a whole file by one model, nothing else."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json, result_file
from service.cli.progress import steps
from service.model_compare import load_model
from service.predict import predict_file
from service.settings import settings
from service.snapshot import load_gazetteer
from service.training import load_encoder


def add_to(app: typer.Typer) -> None:
    app.command("predict", help="用一个模型给整份工单排出承办单位和概率；保留原有各列。")(predict)


def predict(
    source: Path = typer.Option(..., "--in", help="工单：.csv .xlsx .jsonl"),
    out: Path = typer.Option(..., "--out", help="结果：.csv .xlsx .jsonl"),
    model: str = typer.Option("champion", "--model", help="别名、版本号或模型文件夹。"),
    mapping: Path | None = typer.Option(None, "--mapping", help="列对应关系（YAML）；不填按常见表头识别。"),
    as_of: str = AS_OF_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    columns = Mapping.from_file(existing(mapping)) if mapping else None
    instant = parse_instant(as_of)
    own_city = existing(source).resolve().parent == config.city.resolve()
    result_file(out, source)
    encoder = load_encoder(config)
    ranker = load_model(config, model, encoder)
    with steps(quiet=as_json) as progress:
        found = predict_file(
            ranker,
            encoder,
            source,
            out,
            mapping=columns,
            gazetteer=load_gazetteer(config) if own_city else Gazetteer.empty(),
            as_of=instant,
            progress=progress,
        )
    if as_json:
        print_json({**found.as_dict(), "model_id": ranker.model_id, "out": str(out)})
        return
    typer.echo(
        f"共 {found.rows} 行：排出单位 {found.done} 行，其中疑难 {found.abstained} 行；有错误 {found.failed} 行"
        f"（见“错误”列）。模型 {ranker.model_id}，结果：{out}"
    )
