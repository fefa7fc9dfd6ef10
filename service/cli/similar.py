"""``zhipai similar | similar-train | signals``: repeated orders and bursts in a file."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.mapping import Mapping
from models.encoder import Encoder
from service.cli.common import JSON_OPTION, existing, print_json, result_file
from service.cli.progress import steps
from service.settings import settings
from service.similar_file import bursts_in_file, compare_file
from service.snapshot import open_snapshot

ORDERS = typer.Option(..., "--orders", help="工单：.csv .xlsx .jsonl")
MAPPING = typer.Option(..., "--mapping", help="列对应关系（YAML）")
#: Bursts that are shown without ``--json``.
SHOWN = 20


def add_to(app: typer.Typer) -> None:
    app.command("similar", help="找出一份工单里反映同一件事的：每对一行，写明概率、能否并单、为什么。不合并任何工单。")(
        similar
    )
    app.command("similar-train", help="用带重复组的历史工单训练并评测重复诉求模型。")(similar_train)
    app.command("signals", help="回放一份工单，列出突发：同一件事在同一个地方几小时内集中反映。只列编号。")(signals)


def similar(
    orders: Path = ORDERS,
    mapping: Path = MAPPING,
    out: Path = typer.Option(..., "--out", help="结果文件：.xlsx .csv .jsonl"),
    least: float = typer.Option(0.5, "--least", min=0, max=1, help="只写概率不低于它的。"),
    as_json: bool = JSON_OPTION,
) -> None:
    columns = Mapping.from_file(existing(mapping))
    with steps(quiet=as_json) as progress:
        summary = compare_file(
            existing(orders),
            columns,
            result_file(out, orders),
            snapshot=open_snapshot(settings()),
            least=least,
            progress=progress,
        )
    if as_json:
        print_json(summary.as_dict())
        return
    typer.echo(
        f"比较 {summary.orders} 条（另有 {summary.failed} 行有错误）：重复 {summary.duplicate} 对，"
        f"同一件事 {summary.same_matter} 对。没有合并任何工单。结果：{out}"
    )


def similar_train(
    orders: Path = ORDERS,
    mapping: Path = MAPPING,
    out: Path | None = typer.Option(None, "--out", help="写出模型（JSON）；不填只评测。"),
    questions: Path | None = typer.Option(None, "--questions", help="同义问句对（CSV），只评测，不训练。"),
    own_space: bool = typer.Option(True, "--own-space/--champion-space", help="向量空间取自这份工单，还是上线的模型。"),
    seed: int = typer.Option(0, "--seed", min=0),
    as_json: bool = JSON_OPTION,
) -> None:
    from training.duplicates import train_pairs

    config = settings()
    columns = Mapping.from_file(existing(mapping))
    if out is not None:
        result_file(out, orders)
    space = None if own_space else open_snapshot(config).ranker.scorer.space
    with steps(quiet=as_json) as progress:
        model, figures = train_pairs(
            existing(orders),
            columns,
            encoder=Encoder.load(config.encoder_folder, threads=2),
            seed=seed,
            space=space,
            questions=existing(questions) if questions else None,
            progress=progress,
        )
    if out is not None:
        out.write_text(model.to_json(), encoding="utf-8")
    if as_json:
        print_json(figures)
        return
    table = Table("部分", "对数", "其中同一件事", "AUC", "平均精度", "概率 ≥0.5", "概率 ≥0.7", "概率 ≥0.9", "校准误差")
    parts = {"all": "全部", "reworded": "换了说法的", "cosine_alone": "只看向量", "shared_alone": "只看用字"}
    rows = {name: figures[key] for key, name in parts.items()}
    for key, name in {"model": "同义问句", "cosine_alone": "同义问句，只看向量"}.items():
        if "questions" in figures:
            rows[name] = figures["questions"][key]
    for name, row in rows.items():
        at = [_at(row["at"][least]) for least in ("0.5", "0.7", "0.9")]
        table.add_row(
            name, f"{row['pairs']}", f"{row['same']}", _interval(row["auc"]), _interval(row["average_precision"]), *at,
            f"{row['ece']:.4f}",
        )  # fmt: skip
    Console().print(table)
    found = figures["found"]
    typer.echo(f"有重复的工单 {found['with_repeats']} 条，最近的 20 条里有重复的 {found['reached']} 条。")


def _interval(row: list[float] | None) -> str:
    if row is None:
        return "—"
    return f"{row[0]:.3f}（{row[1]:.3f}–{row[2]:.3f}）"


def _at(row: dict[str, float | None]) -> str:
    right = "—" if row["precision"] is None else f"{row['precision']:.3f}"
    found = "—" if row["recall"] is None else f"{row['recall']:.3f}"
    return f"对 {right}，找到 {found}（{row['n']}）"


def signals(orders: Path = ORDERS, mapping: Path = MAPPING, as_json: bool = JSON_OPTION) -> None:
    columns = Mapping.from_file(existing(mapping))
    with steps(quiet=as_json) as progress:
        bursts, timed = bursts_in_file(existing(orders), columns, snapshot=open_snapshot(settings()), progress=progress)
    if as_json:
        print_json(
            [
                {
                    "function": one.function,
                    "place": one.place,
                    "district": one.district,
                    "tellings": one.tellings,
                    "expected": round(one.expected, 3),
                    "chance": one.chance,
                    "first": one.first.isoformat(),
                    "last": one.last.isoformat(),
                    "order_ids": list(one.order_ids),
                }
                for one in bursts
            ]
        )
        return
    table = Table("职能", "地点", "反映", "平常", "机会", "起止", "工单")
    for one in bursts[:SHOWN]:
        table.add_row(
            one.function,
            Text(one.place),
            f"{one.tellings}",
            f"{one.expected:.2f}",
            f"{one.chance:.2g}",
            f"{one.first:%m-%d %H:%M} 至 {one.last:%m-%d %H:%M}",
            "\n".join(one.order_ids),
        )
    Console().print(table)
    typer.echo(f"有受理时间的工单 {timed} 条，突发 {len(bursts)} 起。")
