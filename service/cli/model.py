"""``zhipai train | evaluate | models``; the commands beside them are added from files of their own."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from intake.unit import UnitDirectory
from service import clock
from service.cli import labels, predict, promotion, quality, watch
from service.cli.cold_start import run_cold_start
from service.cli.common import JSON_OPTION, existing, print_json
from service.cli.json_path import JSON_PATH_OPTION, JsonPathCommand, put_json
from service.cli.progress import steps
from service.model_life import unrecorded
from service.settings import settings
from service.training import Outcome, evaluate_elsewhere, evaluate_own_split, train_and_register
from training.config import TrainConfig
from training.registry import Registry

register(
    "E7707",
    "工单与映射对不上",
    "给了 {orders} 份工单、{mappings} 份列对应关系。每个 --orders 要有自己的 --mapping，次序相同；或都用同一个 --mapping。",
)
register("E7708", "没有可学的", "请用 --orders 和 --mapping 给出历史工单；还没有工单时，用 --units 给出单位名录。")

ORDERS = typer.Option(..., "--orders", "--train", help="历史工单：.csv .xlsx .jsonl")
MAPPING = typer.Option(..., "--mapping", help="列对应关系（YAML），说明哪一列是承办单位")
CONFIG = typer.Option(None, "--config", help="训练配方（YAML），写法见 training/default.yaml；不填用默认的。")


def add_to(app: typer.Typer) -> None:
    app.command("train", help="用历史工单训练、评测、登记并上线一个模型；运行中的服务自动换上。")(train)
    app.command(
        "evaluate",
        help="按重复组切出一份测试集（或用 --test 的另一份文件），训练其余部分后评测；不登记、不上线。",
        cls=JsonPathCommand,
    )(evaluate)
    app.command("models", help="列出已登记的模型版本。")(models)
    predict.add_to(app)
    promotion.add_to(app)
    labels.add_to(app)
    watch.add_to(app)
    quality.add_to(app)


def train(
    orders: list[Path] = typer.Option([], "--orders", "--train", help="历史工单：.csv .xlsx .jsonl；可写几次"),
    mapping: list[Path] = typer.Option([], "--mapping", help="列对应关系（YAML）；每个 --orders 一个，或共用一个"),
    units: Path | None = typer.Option(
        None, "--units", help="单位名录（.yaml、.json），代替与工单放在一起的；没有 --orders 时只凭它建冷启动模型"
    ),
    config: Path | None = CONFIG,
    keep_champion: bool = typer.Option(False, "--no-promote", help="只登记为 challenger，不上线。"),
    curve: bool = typer.Option(
        False, "--curve", help="另测学习曲线（再标多少能换来什么），与模型存在一起；多用几分钟。"
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    if not orders:
        if units is None or mapping:
            raise ZhipaiError("E7708")
        run_cold_start(units, None, None, keep=True, as_json=as_json)
        return
    first, *more = _sources(orders, mapping)
    chosen = settings()
    with steps(quiet=as_json) as progress:
        outcome = train_and_register(
            chosen,
            *first,
            at=clock.now(chosen.time_zone),
            promote=not keep_champion,
            progress=progress,
            config=_recipe(config),
            more=more,
            directory=UnitDirectory.from_file(existing(units)) if units else None,
            with_curve=curve,
        )
    if as_json:
        print_json(outcome.as_dict())
    else:
        say_outcome(outcome)
    if outcome.refused:
        raise typer.Exit(4)


def _sources(orders: list[Path], mappings: list[Path]) -> list[tuple[Path, Mapping]]:
    """Each file with its mapping; E7707 unless there is one for each, or one for all."""
    if len(mappings) not in (1, len(orders)):
        raise ZhipaiError("E7707", {"orders": len(orders), "mappings": len(mappings)})
    columns = [Mapping.from_file(existing(path)) for path in mappings]
    if len(columns) == 1:
        columns *= len(orders)
    return [(existing(path), one) for path, one in zip(orders, columns, strict=True)]


def evaluate(
    orders: Path = ORDERS,
    mapping: Path = MAPPING,
    test: Path | None = typer.Option(None, "--test", help="另一份工单作测试集；给出时用 --train 的全部来训练。"),
    test_mapping: Path | None = typer.Option(
        None, "--test-mapping", help="测试集的列对应关系；不填与 --mapping 相同。"
    ),
    config: Path | None = CONFIG,
    json_path: str = JSON_PATH_OPTION,
) -> None:
    chosen = settings()
    at = clock.now(chosen.time_zone)
    source, columns, recipe = existing(orders), Mapping.from_file(existing(mapping)), _recipe(config)
    with steps(quiet=json_path == "-") as progress:
        if test is None:
            outcome = evaluate_own_split(chosen, source, columns, at=at, progress=progress, config=recipe)
        else:
            other = Mapping.from_file(existing(test_mapping)) if test_mapping else columns
            outcome = evaluate_elsewhere(
                chosen, source, columns, existing(test), other, at=at, progress=progress, config=recipe
            )
    if json_path != "-":
        say_outcome(outcome)
    put_json(outcome.as_dict(), json_path)


def _recipe(path: Path | None) -> TrainConfig:
    return TrainConfig.from_file(existing(path)) if path else TrainConfig.default()


def say_outcome(outcome: Outcome) -> None:
    """The figures with n, split and interval; then what was done with the model."""
    figures = outcome.as_dict()
    intervals = figures["intervals"]
    typer.echo(
        f"工单 {figures['rows']} 行：可用 {figures['usable']}，有错误 {figures['errors']}，"
        f"没有单位 {figures['without_unit']}，单位不在名录 {figures['unknown_unit']}"
        + (f"，并入前一份文件同号工单的 {figures['merged']}" if figures["merged"] else "")
        + (f"，超出上限而没有用的较早工单 {figures['older']}" if figures["older"] else "")
    )
    typer.echo(f"评测：{figures['n']} 条，{figures['units']} 个单位，训练用时 {figures['train_seconds']:.0f} 秒")
    table = Table()
    for heading in ("指标", "数值", "95% 区间"):
        table.add_column(heading)
    names = {
        "top1": "前 1 命中",
        "top3": "前 3 命中",
        "top5": "前 5 命中",
        "macro_f1": "宏平均 F1",
        "ece": "校准误差（15 箱）",
    }
    for key, name in names.items():
        low, high = intervals.get(key, (None, None))
        table.add_row(name, f"{figures[key]:.3f}", "—" if low is None else f"{low:.3f}–{high:.3f}")
    table.add_row("准确率不低于 95% 时可直接决定的比例", f"{figures['coverage_at_95']:.3f}", "—")
    conformal = figures["conformal"]
    table.add_row(
        f"覆盖集（约定 {conformal['level']:.0%}）：覆盖率 / 平均大小",
        f"{conformal['coverage']:.3f} / {conformal['mean_size']:.2f}",
        "—",
    )
    Console().print(table)
    worst = "；".join(f"{row['unit']} {row['recall']:.2f}（{row['n']}）" for row in figures["worst_units"][:10])
    typer.echo(f"最差的十个单位（召回，条数）：{worst}")
    if figures["contradictory_texts"]:
        typer.echo(f"同样的文字派给了不同单位的有 {figures['contradictory_texts']} 组，可用 zhipai label-audit 查看。")
    if outcome.version:
        typer.echo(
            f"已登记为版本 {outcome.version}（{outcome.model_id}）{'，并已上线' if outcome.promoted else '，未上线'}。"
        )
    for line in outcome.refused:
        typer.echo(f"没有上线：{line}")


def models(as_json: bool = JSON_OPTION) -> None:
    config = settings()
    versions = Registry(config.mlruns).list()
    remark = unrecorded(config)
    if as_json:
        print_json(
            [{"version": one.version, "model_id": one.model_id, "aliases": list(one.aliases)} for one in versions]
        )
        return
    for one in versions:
        typer.echo(f"{one.version}\t{one.model_id}\t{'、'.join(one.aliases)}")
    if remark:
        typer.echo(f"提醒：{remark}")
