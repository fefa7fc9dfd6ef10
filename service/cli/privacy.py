"""``zhipai privacy``: see what is kept of an order, erase it, and what is due to go."""

from __future__ import annotations

import getpass
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, select

from intake.errors import ZhipaiError, register
from service import clock
from service.cli.common import JSON_OPTION, print_json
from service.db.engine import check_version, make_engine, reading
from service.db.tables import PROPOSALS, WORK_ORDERS
from service.privacy.erase import Erased, Eraser, Preview, Selection, erase, preview
from service.privacy.fields import WITHHELD
from service.privacy.retention import apply, due, load_retention
from service.privacy.store import Kind, is_open, opened
from service.settings import Settings, settings
from service.version import VERSION

register("E6560", "日期写法不对", "“{value}”不是日期。请写成 2026-05-01，当天零点以前登记的工单会被选中。")

app = typer.Typer(no_args_is_help=True)
YES = typer.Option(False, "--yes", help="真的执行；不加只显示会怎样。")
WHO = typer.Option("", "--who", help="谁执行的，记入日志；不填为登录本机的用户名。")


def _opened() -> tuple[Settings, Engine]:
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    return config, engine


@app.command("show", help="显示一张工单还存着的个人信息，并核对它与日志里的承诺值。")
def show(order_id: str = typer.Argument(..., help="工单编号"), as_json: bool = JSON_OPTION) -> None:
    _, engine = _opened()
    rows = _kept(engine, order_id)
    if as_json:
        print_json({"order_id": order_id, "kept": rows})
        return
    for row in rows:
        title = "工单原文" if row["kind"] == "filed" else f"建议 {row['owner']} 的脱敏文字"
        if row["fields"] is None:
            typer.echo(f"{title}：已删除")
            continue
        typer.echo(f"{title}（{row['created_at']} 存入，{'与承诺值相符' if row['open'] else '与承诺值不符！'}）")
        for path, value in row["fields"].items():
            typer.echo(f"  {path}  {value}")
    if any(row["open"] is False for row in rows):
        raise typer.Exit(4)


def _kept(engine: Engine, order_id: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        order = connection.execute(select(WORK_ORDERS.c.commitment).where(WORK_ORDERS.c.order_id == order_id)).first()
        if order is None:
            raise ZhipaiError("E6554", {"order_id": order_id[:80]})
        query = select(PROPOSALS.c.proposal_id, PROPOSALS.c.proposal).where(PROPOSALS.c.order_id == order_id)
        proposals = connection.execute(query.order_by(PROPOSALS.c.created_at)).all()
        commitments: list[tuple[Kind, str, str]] = [("filed", order_id, order.commitment)] + [
            ("shown", row.proposal_id, json.loads(row.proposal)[WITHHELD]["commitment"]) for row in proposals
        ]
        rows: list[dict[str, Any]] = []
        for kind, owner, commitment in commitments:
            found = opened(connection, kind, [owner]).get(owner)
            rows.append(
                {
                    "kind": kind,
                    "owner": owner,
                    "commitment": commitment,
                    "fields": found.fields if found else None,
                    "open": is_open(commitment, owner, found) if found else None,
                    "created_at": found.created_at if found else None,
                }
            )
    return rows


@app.command("erase", help="删除工单的个人信息。先显示会删什么、留什么，加 --yes 才执行；执行后不能恢复。")
def erase_orders(
    order: list[str] = typer.Option([], "--order", help="工单编号，可给多个。"),
    before: str = typer.Option("", "--before", help="这一天零点以前登记的工单，如 2026-01-01。"),
    with_text: bool = typer.Option(False, "--with-text", help="连同脱敏后的文字和从中读出的要素、证据。"),
    reason: str = typer.Option("", "--reason", help="为什么删，记入日志。"),
    who: str = WHO,
    rewrite: bool = typer.Option(False, "--rewrite", help="删除后重写整个数据库文件（慢，要一倍的磁盘空间）。"),
    yes: bool = YES,
    as_json: bool = JSON_OPTION,
) -> None:
    config, engine = _opened()
    selection = Selection(tuple(dict.fromkeys(order)), _day(before, config), with_text)
    seen = preview(engine, selection)
    if not yes:
        print_json({"written": False, "preview": seen.as_dict()}) if as_json else _show_preview(seen, selection)
        return
    eraser = Eraser(who or getpass.getuser(), reason)
    now = clock.now(config.time_zone)
    done = erase(engine, selection, eraser, software=f"zhipai {VERSION}", at=now, rewrite=rewrite)
    if as_json:
        print_json({"written": True, "preview": seen.as_dict(), "erased": done.as_dict()})
        return
    _show_preview(seen, selection)
    _show_done(done)


def _day(text: str, config: Settings) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZoneInfo(config.time_zone))
    except ValueError as error:
        raise ZhipaiError("E6560", {"value": text[:40]}) from error


def _show_preview(seen: Preview, selection: Selection) -> None:
    typer.echo(f"选中 {seen.orders} 张工单，其中 {seen.undecided} 张还没有派单决定。")
    typer.echo(
        f"会删：工单原文 {seen.filed} 份、脱敏文字与要素 {seen.shown} 份，共 {seen.characters} 字，连同它们的盐。"
    )
    typer.echo(
        f"会留：工单编号、渠道、类型、区，{seen.proposals} 条建议的单位、概率、判定和时限，"
        f"{seen.decisions} 条决定记录（日志和校验树不变，判定仍可回放）。"
    )
    if not selection.with_text:
        typer.echo("脱敏后的文字留着；要一并删除请加 --with-text。")
    if seen.decision_ids:
        more = "等" if seen.decisions > len(seen.decision_ids) else ""
        typer.echo(f"提到这些工单的记录：{'、'.join(seen.decision_ids)}{more}")
    if seen.logged_text:
        typer.echo(f"注意：有 {seen.logged_text} 条记录是个人信息分表之前写的，里面有脱敏后的文字，不能从日志里删除。")
    typer.echo("不在此列：备份、导出的文件、已训练的模型，须另行处理，见 docs/privacy.md。")


def _show_done(done: Erased) -> None:
    typer.echo(f"已删除 {done.orders} 张工单的个人信息，记为决定 {'、'.join(done.decision_ids)}。")
    if not done.scrubbed.journal:
        typer.echo("提醒：有人正在读数据库，预写日志里还有痕迹；请稍后再执行一次任意删除，或重启服务。")


@app.command("retention", help="保存期限表和到期的数据；加 --yes 才删除。")
def retention(who: str = WHO, yes: bool = YES, as_json: bool = JSON_OPTION) -> None:
    config, engine = _opened()
    table, now = load_retention(config.retention), clock.now(config.time_zone)
    waiting = due(engine, table, at=now)
    done = []
    if yes:
        who = who or getpass.getuser()
        done = apply(engine, table, actor=who, role="", software=f"zhipai {VERSION}", at=now)
    if as_json:
        print_json(
            {
                "retention": table.table(),
                "due": [seen.as_dict() | {"with_text": selection.with_text} for selection, seen in waiting],
                "written": yes,
                "erased": [one.as_dict() for one in done],
            }
        )
        return
    shown = Table("类别", "天数", "到期之后")
    for row in table.table():
        shown.add_row(row["title"], "没有填，不自动删" if row["days"] is None else str(row["days"]), row["then"])
    Console().print(shown)
    for selection, seen in waiting:
        title = "脱敏文字（连同原文）" if selection.with_text else "工单原文"
        typer.echo(f"到期的{title}：{seen.filed} 份原文、{seen.shown} 份脱敏文字。")
    for one in done:
        _show_done(one)
    if not yes and waiting:
        typer.echo("以上没有删除；加 --yes 执行。")
