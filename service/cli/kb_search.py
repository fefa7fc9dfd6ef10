"""``zhipai kb eval`` and ``zhipai kb search``: how well entries are found, and what a question finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from knowledge_base.evaluate import evaluate
from knowledge_base.evaluation_set import read_evaluation
from models.encoder import Encoder
from service import kb_search
from service.cli.common import AS_OF_OPTION, JSON_OPTION, existing, parse_instant, print_json
from service.cli.progress import steps
from service.db.engine import check_version, make_engine
from service.settings import settings
from service.snapshot import load_knowledge

NAMES = {"bm25": "字词（BM25）", "dense": "语义", "fused": "合用"}
SHOWN = 20


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("eval", help="用一套问题量检索：字词、语义、合用各自的命中率和区间，以及“库里没有”分得清不清。")(
        measure
    )
    app.command("search", help="查一个问题，列出条目、把握大小和作答的原句。")(find)


def measure(
    entries: Path = typer.Option(..., "--entries", help="条目 JSONL：id、title、question、answer、unit"),
    queries: Path = typer.Option(..., "--queries", help="问题 JSONL：text 和正确条目的 id（可以是列表）"),
    out: Path | None = typer.Option(None, "--json", help="结果写到这个 JSON 文件"),
) -> None:
    found = read_evaluation(existing(entries), existing(queries))
    for line in found.skipped[:SHOWN]:
        typer.echo(f"跳过 {line}", err=True)
    if len(found.skipped) > SHOWN:
        typer.echo(f"……共跳过 {len(found.skipped)} 行", err=True)
    with steps() as progress:
        encoder = Encoder.load(settings().encoder_folder)
        result = evaluate(found.entries, found.queries, encoder, progress=progress)
    result["skipped"] = found.skipped
    if out is not None:
        out.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"{result['n']} 个问题，{result['entries']} 个条目；方括号为 95% 区间")
    for method, name in NAMES.items():
        typer.echo(f"{name}：{_line(result[method])}")
    absent = result["no_answer"]
    low, high = absent["interval"]
    typer.echo(
        f"条目拿掉后分得清：AUROC {absent['auroc']:.3f} [{low:.3f}, {high:.3f}]；门槛 {absent['threshold']:g} 时，"
        f"有答案的判为答得上 {absent['answered']:.1%}，没有答案的误判为答得上 {absent['answered_without']:.1%}"
    )


def _line(measures: dict[str, Any]) -> str:
    names = {"recall_at_1": "R@1", "recall_at_5": "R@5", "mrr_at_10": "MRR@10"}
    return "  ".join(
        f"{short} {100 * measures[name]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        for name, short in names.items()
        for low, high in (measures["intervals"][name],)
    )


def find(
    text: str = typer.Argument(..., help="问题，按来电人的话"),
    as_of: str = AS_OF_OPTION,
    district: str = typer.Option("", "--district", help="只看这个区和全市的条目"),
    unit: str = typer.Option("", "--unit", help="只看这个单位的条目"),
    top: int = typer.Option(5, "--top", min=1, max=50, help="最多列几条"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    engine = make_engine(config.url)
    check_version(engine)
    index = load_knowledge(config, engine, Encoder.load(config.encoder_folder))
    result = kb_search.search(index, text, as_of=parse_instant(as_of), district=district, unit=unit, top=top)
    if as_json:
        print_json(result)
        return
    typer.echo(result["reason"])
    for number, hit in enumerate(result["hits"], start=1):
        typer.echo(f"{number}. {hit['title']}（{hit['id']}，{hit['unit']}，把握 {hit['score']:.2f}）")
        if hit["passage"]:
            typer.echo(f"   “{hit['passage']['text']}”")
