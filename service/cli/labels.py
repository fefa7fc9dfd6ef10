"""``zhipai suggest-labels | label-audit`` and ``zhipai labels export | import``."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from service import clock
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json, result_file
from service.cli.feedback import labels as exchange
from service.cli.progress import steps
from service.labels import audit_labels, sheet_tasks, suggest_labels, write_answers
from service.model_compare import load_model
from service.settings import settings
from service.training import load_encoder
from training.config import TrainConfig
from training.label_exchange import FORMATS, export_tasks, import_answers, labelling_config
from training.labels import STRATEGIES

register("E7704", "没有这个选择", "{option} 没有“{value}”。可用的有：{allowed}。")

ORDERS = typer.Option(..., "--orders", help="工单：.csv .xlsx .jsonl")
MAPPING = typer.Option(..., "--mapping", help="列对应关系（YAML）")
OUT = typer.Option(..., "--out", help="结果：.csv .xlsx .jsonl")


def add_to(app: typer.Typer) -> None:
    app.command("suggest-labels", help="从没有标注的工单里挑出最值得标的，写成标注表；建议和答案各占一列。")(suggest)
    app.command("label-audit", help="找出可疑的承办单位标签，写明理由。")(label_audit)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ZhipaiError("E7704", {"option": option, "value": value[:40], "allowed": "、".join(allowed)})


def suggest(
    orders: Path = ORDERS,
    mapping: Path = MAPPING,
    out: Path = typer.Option(Path("待标注.xlsx"), "--out", help="标注表：.csv .xlsx .jsonl"),
    count: int = typer.Option(50, "--count", min=1, help="挑多少条。"),
    strategy: str = typer.Option("margin", "--strategy", help="margin：前两名差距小；entropy：分布散；random：随机。"),
    model: str = typer.Option("champion", "--model", help="别名、版本号或模型文件夹。"),
    as_of: str = AS_OF_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    _one_of("--strategy", strategy, STRATEGIES)
    config = settings()
    columns, instant = Mapping.from_file(existing(mapping)), parse_instant(as_of)
    result_file(out, orders)
    encoder = load_encoder(config)
    with steps(quiet=as_json) as progress:
        found = suggest_labels(
            load_model(config, model, encoder),
            encoder,
            existing(orders),
            out,
            mapping=columns,
            count=count,
            strategy=strategy,  # type: ignore[arg-type]
            as_of=instant,
            progress=progress,
        )
    if as_json:
        print_json({"suggested": found, "out": str(out)})
    else:
        typer.echo(f"挑出 {found} 条，写在 {out}：请在“答案单位”一列填写，“建议单位”不会当作答案。")


def label_audit(
    orders: Path = ORDERS,
    mapping: Path = MAPPING,
    out: Path = OUT,
    folds: int = typer.Option(5, "--folds", min=2, max=20, help="交叉验证的折数；每折训练一次。"),
    config: Path | None = typer.Option(None, "--config", help="训练配方（YAML）；不填用默认的。"),
    as_json: bool = JSON_OPTION,
) -> None:
    chosen = settings()
    with steps(quiet=as_json) as progress:
        read, found = audit_labels(
            chosen,
            existing(orders),
            Mapping.from_file(existing(mapping)),
            result_file(out, orders),
            config=TrainConfig.from_file(existing(config)) if config else TrainConfig.default(),
            folds=folds,
            at=clock.now(chosen.time_zone),
            progress=progress,
        )
    if as_json:
        print_json({"orders": read, "suspicious": len(found), "out": str(out)})
        return
    typer.echo(f"{read} 条里有 {len(found)} 条标签可疑，写在 {out}，理由多、概率相差大的在前。")


@exchange.command("export", help="把标注表（或任何工单文件）写成标注工具的任务，带上建议。")
def export_file(
    orders: Path = ORDERS,
    mapping: Path = MAPPING,
    out: Path = typer.Option(..., "--out", help="结果：.json"),
    form: str = typer.Option("label-studio", "--format", help="label-studio 或 argilla"),
    model: str = typer.Option("champion", "--model", help="单位清单取自这个模型（Label Studio 的标注界面要用）。"),
    as_json: bool = JSON_OPTION,
) -> None:
    _one_of("--format", form, FORMATS)
    config = settings()
    result_file(out, orders)
    ranker = load_model(config, model, load_encoder(config))
    tasks = sheet_tasks(existing(orders), Mapping.from_file(existing(mapping)))
    count = export_tasks(tasks, out, form=form, model=ranker.model_id)  # type: ignore[arg-type]
    interface = out.with_suffix(".xml")
    if form == "label-studio":
        names = [unit.name for unit in ranker.directory.in_force(clock.now(config.time_zone))]
        interface.write_text(labelling_config(names), encoding="utf-8")
    if as_json:
        print_json({"tasks": count, "out": str(out)})
        return
    more = f"；标注界面的配置在 {interface}" if form == "label-studio" else "；问题名为 unit，文字字段名为 text"
    typer.echo(f"写出 {count} 条任务：{out}{more}。文字已隐去个人信息。")


@exchange.command("import", help="读回标注工具导出的 JSON，写成可训练的表；标注不一致的不采用。")
def import_file(
    source: Path = typer.Option(..., "--in", help="Label Studio 或 Argilla 导出的 JSON"),
    out: Path = OUT,
    as_json: bool = JSON_OPTION,
) -> None:
    result_file(out, source)
    found = import_answers(existing(source))
    write_answers(found, out)
    used = sum(bool(one.answer) for one in found)
    differs = sum(bool(one.answer) and one.suggestion not in ("", one.answer) for one in found)
    torn = sum(one.problem.startswith("标注不一致") for one in found)
    if as_json:
        print_json({"tasks": len(found), "answers": used, "against_suggestion": differs, "torn": torn, "out": str(out)})
        return
    typer.echo(f"{len(found)} 条：有答案 {used} 条（其中与建议不同 {differs} 条），标注不一致 {torn} 条，写在 {out}。")
