"""``zhipai kb import`` and ``export``: sheets, Markdown folders and policy documents."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.errors import ZhipaiError
from knowledge_base.columns import to_day
from service.cli.common import JSON_OPTION, print_json, result_file
from service.cli.kb_life import database
from service.entries import ImportOrder, current_entries
from service.kb_files import Way, export_path, import_path
from service.version import VERSION

UNSIGNED = "命令行（未署名）"


def add_to(app: typer.Typer) -> None:
    app.command(
        "import", help="导入条目：.xlsx、.csv、.jsonl、Markdown 文件夹，或把 .docx、.pdf 政策文件按条切成草稿。"
    )(import_file)
    app.command(
        "export", help="导出条目：.xlsx、.csv、.jsonl；不带后缀的名字为 Markdown 文件夹。原样再导入不产生变化。"
    )(export_file)


def import_file(
    file: Path = typer.Argument(..., help="条目文件或 Markdown 文件夹"),
    who: str = typer.Option("", "--who", help="导入人（自报），记入决定日志。"),
    reason: str = typer.Option("", "--reason", help="理由。"),
    draft: bool = typer.Option(False, "--draft", help="存为草稿，不直接生效。"),
    submit: bool = typer.Option(False, "--submit", help="存为草稿并送审。"),
    unit: str = typer.Option("", "--unit", help="没有写责任单位的，都填这一个。"),
    district: str = typer.Option("", "--district", help="没有写适用辖区的，都填这一个。"),
    start: str = typer.Option("", "--effective-from", help="没有写生效日期的，都填这一天，如 2026-01-01。"),
    sheet: str = typer.Option("", "--sheet", help="工作表的名字；不填为第一个没有隐藏的。"),
    report: Path | None = typer.Option(
        None, "--report", help="逐行结果：你的表原样加一列“导入结果”（.xlsx 或 .csv）。"
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="只检查，什么也不写。"),
    as_json: bool = JSON_OPTION,
) -> None:
    if not file.exists():
        raise ZhipaiError("E7202", {"name": file.name})
    day = to_day(start)
    if start and not day:
        raise ZhipaiError("E4006", {"field": "--effective-from", "value": start[:20]})
    is_document = file.suffix.lower() in (".docx", ".pdf")
    way: Way = "submit" if submit else "draft" if draft or is_document else "as_written"
    with database() as (engine, at):
        summary = import_path(
            engine,
            file,
            defaults={"unit": unit, "district": district, "effective_from": day},
            order=ImportOrder(who.strip() or UNSIGNED, reason, software=f"zhipai {VERSION}"),
            at=at,
            way=way,
            sheet=sheet,
            report=result_file(report, file) if report else None,
            dry_run=dry_run,
        )
    if as_json:
        print_json(summary.as_dict())
        return
    typer.echo(
        ("预览（没有写入）：" if dry_run else "")
        + f"共 {summary.rows} 条，新增 {summary.added} 条，更新 {summary.changed} 条，未变 {summary.unchanged} 条，"
        f"出错 {summary.failed} 条"
        + (f"，未动 {summary.kept} 条（已有别人的草稿或待审稿）。" if summary.kept else "。")
    )
    for note in summary.notes:
        typer.echo(note)
    if summary.failed:
        typer.echo(f"第一处错误：{summary.first_error}")
        typer.echo(f"逐行结果在 {report.name}。" if report else "加 --report 结果.xlsx 看每一行。")
    if way != "as_written":
        typer.echo("存为草稿，" + ("已送审，" if submit else "") + "由另一个人 zhipai kb publish 后才可检索。")
    elif not dry_run and summary.added + summary.changed:
        typer.echo("运行中的服务随即可以检索到。")


def export_file(
    out: Path = typer.Argument(..., help="写到哪里：.xlsx、.csv、.jsonl，或不带后缀的文件夹"),
    unit: str = typer.Option("", "--unit", help="只导出一个责任单位的。"),
    state: str = typer.Option("", "--state", help="只导出一种状态的，如 发布。"),
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, _):
        entries = current_entries(engine)
    chosen = [one for one in entries if unit in ("", one.unit) and state in ("", one.state)]
    count = export_path(chosen, out)
    if as_json:
        print_json({"entries": count, "out": out.name})
    else:
        typer.echo(f"导出 {count} 条到 {out.name}。")
