"""``zhipai kb check`` and ``zhipai kb gaps``: what the base should be looked at for, and what it lacks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import typer

from intake.mapping import Mapping
from knowledge_base.gaps import find_gaps, samples
from knowledge_base.upkeep import check
from service.cli.common import JSON_OPTION, existing, parse_instant, print_json, result_file
from service.cli.kb_life import database
from service.cli.progress import steps
from service.kb_asked import asked_since
from service.kb_check import (
    check_document,
    check_sheets,
    gaps_document,
    gaps_sheets,
    known_clauses,
    open_index,
    read_asked,
    without_text,
    write_report,
)
from service.settings import settings

_OUT = typer.Option(None, "--out", help="报告：.xlsx 或 .json。")
_AS_OF = typer.Option("", "--as-of", help="看哪一刻有效的条目，带时区；不填为现在。")
_SHOWN = 10


def add_to(app: typer.Typer) -> None:
    app.command("check", help="检查知识库：重复、矛盾、依据失效、搜不到的条目，每条的质量分与原因。")(check_base)
    app.command("gaps", help="用历史工单找缺口：有条目可答却派出的；没有条目可答的，按主题归拢并起草条目。")(gaps)


def check_base(
    out: Path | None = _OUT,
    as_of: str = _AS_OF,
    skip_search: bool = typer.Option(False, "--no-search", help="不逐条试检索（条目很多时较快）。"),
    as_json: bool = JSON_OPTION,
) -> None:
    instant = parse_instant(as_of)
    if out is not None:
        result_file(out)
    with steps(quiet=as_json) as progress:
        index = open_index(settings(), as_of=instant)
        found = check(index, known_clauses(), as_of=instant, search_each=not skip_search, progress=progress)
    if out is not None:
        write_report(out, check_document(found), check_sheets(found))
    if as_json:
        print_json(check_document(found))
        return
    missed_all = "未试" if skip_search else f"{len(found.unfound)} 句"
    low = [one for one in found.quality if one.score < 60]
    typer.echo(
        f"看了 {found.looked_at} 条现行条目：重复 {len(found.duplicates)} 对，矛盾 {len(found.contradictions)} 处，"
        f"依据失效 {len(found.repealed)} 处，用自己的问法搜不到 {missed_all}，不足 60 分 {len(low)} 条。"
    )
    for pair in found.duplicates[:_SHOWN]:
        typer.echo(
            f"  重复 {pair.score:.2f}：{pair.first.id} {pair.first.title} / {pair.second.id} {pair.second.title}"
        )
    for one in found.contradictions[:_SHOWN]:
        typer.echo(f"  矛盾：{one.first.id} / {one.second.id} {one}")
    for entry, clause, reason in found.repealed[:_SHOWN]:
        typer.echo(f"  依据失效：{entry.id} {entry.title}，{clause}{reason}")
    for missed in found.unfound[:_SHOWN]:
        instead = f"，排在前面的是 {missed.instead.id} {missed.instead.title}" if missed.instead else ""
        typer.echo(f"  搜不到：{missed.entry.id}“{missed.question}”{instead}")
    typer.echo(
        f"全部在 {out.name}。" if out else "加 --out 报告.xlsx 看全部和每条的质量分。重复与矛盾由人判断，软件不选边。"
    )


def gaps(
    orders: Path | None = typer.Option(
        None, "--orders", help="历史工单：.xlsx .csv .jsonl；不填为本系统近期登记的工单和单位答复。"
    ),
    days: int = typer.Option(30, "--days", min=1, help="不填 --orders 时，看近几天的。"),
    mapping: Path | None = typer.Option(None, "--mapping", help="列对应关系（YAML）；不填按常见表头识别。"),
    reply_column: str = typer.Option("", "--reply-column", help="单位答复的一列，用来起草条目。"),
    only_type: str = typer.Option("", "--type", help="只看一种工单类型，如 咨询。"),
    least: int = typer.Option(3, "--least", min=2, help="几条诉求算一个主题。"),
    no_text: bool = typer.Option(False, "--no-text", help="报告只写编号，不写诉求文字（仅 .json）。"),
    out: Path | None = _OUT,
    as_of: str = _AS_OF,
    as_json: bool = JSON_OPTION,
) -> None:
    config, instant = settings(), parse_instant(as_of)
    columns = Mapping.from_file(existing(mapping)) if mapping else None
    if out is not None:
        result_file(out, orders)
    if orders is not None:
        asked = list(read_asked(existing(orders), columns, config, reply_column=reply_column, only_type=only_type))
    else:
        with database() as (engine, _):
            asked = asked_since(engine, instant - timedelta(days=days))
    with steps(quiet=as_json) as progress:
        index = open_index(config, as_of=instant)
        found = find_gaps(
            asked, index, as_of=instant, least=least, source=orders.name if orders else "", progress=progress
        )
    document = without_text(gaps_document(found)) if no_text else gaps_document(found)
    if out is not None:
        write_report(out, document, gaps_sheets(found))
    if as_json:
        print_json(document)
        return
    in_topics = sum(len(one.asked) for one in found.topics)
    typer.echo(
        f"读了 {found.read} 条工单：{len(found.answerable)} 条有条目可答却派出；"
        f"{in_topics + found.alone} 条没有条目可答，其中 {in_topics} 条归为 {len(found.topics)} 个主题。"
    )
    for topic in found.topics[:_SHOWN]:
        typer.echo(f"  {len(topic.asked)} 条：{'、'.join(topic.terms)}　例：{samples(topic)[0][:60]}")
    typer.echo(
        f"全部在 {out.name}；“草稿”一页核对改写后，可用 zhipai kb import {out.name} --sheet 草稿 --draft 导入。"
        if out
        else "加 --out 报告.xlsx 看全部和草稿。"
    )
