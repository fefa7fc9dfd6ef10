"""``zhipai kb draft … due``: an entry from its first words to its end, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from intake.errors import ZhipaiError
from knowledge_base.life import ACTIONS, REMINDERS
from knowledge_base.markdown_files import one_entry
from knowledge_base.versions import Change
from service import clock
from service.cli.common import JSON_OPTION, existing, print_json
from service.db.engine import check_version, make_engine
from service.kb_history import entry_diff, entry_document, entry_history, list_entries, what_is_due
from service.kb_life import EntryConflict, Step, archive, publish, roll_back, save_draft, take_step
from service.settings import settings
from service.version import VERSION

_ID = typer.Argument(..., help="条目编号")
_WHO = typer.Option(..., "--who", help="操作人（自报），记入条目的经过和决定日志。")
_REASON = typer.Option("", "--reason", help="理由。")
_REVISION = typer.Option(
    None, "--revision", help="你看到的是第几次改动（kb show 里有）；被别人先改了会提示，不会覆盖。"
)


def add_to(app: typer.Typer) -> None:
    app.command("list", help="列出条目：状态、版本、单位、失效日期。")(show_list)
    app.command("show", help="一个条目：现行版本、在改的草稿、与现行版本的不同。")(show)
    app.command("draft", help="起草新条目，或对已有条目写一份修改稿（.md 或 .json）。")(draft)
    app.command("submit", help="送审。")(submit)
    app.command("review", help="等待审核的条目，连同改了什么。")(review)
    app.command("return", help="退回修改，写明理由。")(send_back)
    app.command("publish", help="审核通过并发布：起草的人不能审自己的稿；成为新的一版，记入决定日志。")(publish_entry)
    app.command("rollback", help="把旧的一版再发布一次，成为新的一版。")(rollback)
    app.command("archive", help="归档，不再检索；记入决定日志。")(archive_entry)
    app.command("ask", help="请责任单位更新这个条目（待更新），期间仍可检索。")(ask)
    app.command("discard", help="放弃在改的草稿，现行版本不变。")(discard)
    app.command("history", help="一个条目的全部经过。")(show_history)
    app.command("diff", help="两个版本逐字段的不同；不填版本为最近一次发布改了什么。")(show_diff)
    app.command("due", help="快到期的、已请单位更新的，以及各单位的更新次数与及时情况。")(due)


@contextmanager
def database() -> Iterator[tuple[Engine, datetime]]:
    """The database of this installation and the present instant; E6005 if it is of another version."""
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    try:
        check_version(engine)
        yield engine, clock.now(config.time_zone)
    finally:
        engine.dispose()


def step(who: str, reason: str = "", revision: int | None = None) -> Step:
    return Step(who, reason, revision, f"zhipai {VERSION}")


def _table(title: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console().print(table)


def _tell(told: dict[str, Any], did: str, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    version = f"，第 {told['version']} 版" if told["version"] else ""
    typer.echo(f"{did}：{told['id']}，{told['state']}{version}，第 {told['revision']} 次改动。")
    for change in told.get("changes", ()):
        typer.echo(f"  {Change(**change)}")
    if told.get("decision_id"):
        typer.echo(f"决定编号 {told['decision_id']}。运行中的服务一秒内可检索到。")


def draft(
    file: Path = typer.Argument(..., help="条目文件：.md（开头是字段，下面是正文）或 .json（一个对象）"),
    who: str = _WHO,
    revision: int | None = _REVISION,
    as_json: bool = JSON_OPTION,
) -> None:
    content = one_entry(existing(file))
    with database() as (engine, at):
        try:
            told = save_draft(engine, content, step(who, "", revision), at=at)
        except EntryConflict as conflict:
            _tell_conflict(conflict, file, as_json=as_json)
            raise
    _tell(told, "已存为草稿", as_json=as_json)


def _tell_conflict(conflict: EntryConflict, file: Path, *, as_json: bool) -> None:
    """Show the other's change; both texts put together go to a file beside the user's own, which stays as it is."""
    merged = file.with_name(f"{file.stem}.合并.json")
    merged.write_text(json.dumps(conflict.details["merged"], ensure_ascii=False, indent=2), encoding="utf-8")
    if as_json:
        print_json(conflict.details)
        return
    typer.echo("对方改了：")
    for change in conflict.details["changes"]:
        typer.echo(f"  {Change(**change)}")
    both = "、".join(conflict.details["conflicts"]) or "无"
    typer.echo(f"两边都改的字段：{both}。合在一起的稿子在 {merged.name}（都改的字段取你的），")
    typer.echo(f"核对后用 --revision {conflict.details['revision']} 再交一次。")


def _simple(entry_id: str, action: str, who: str, reason: str, revision: int | None, as_json: bool) -> None:
    with database() as (engine, at):
        told = take_step(engine, entry_id, action, step(who, reason, revision), at=at)
    _tell(told, f"已{ACTIONS[action]}", as_json=as_json)


def submit(entry_id: str = _ID, who: str = _WHO, revision: int | None = _REVISION, as_json: bool = JSON_OPTION) -> None:
    _simple(entry_id, "submit", who, "", revision, as_json)


def send_back(
    entry_id: str = _ID,
    who: str = _WHO,
    reason: str = _REASON,
    revision: int | None = _REVISION,
    as_json: bool = JSON_OPTION,
) -> None:
    _simple(entry_id, "return", who, reason, revision, as_json)


def ask(
    entry_id: str = _ID,
    who: str = _WHO,
    reason: str = _REASON,
    revision: int | None = _REVISION,
    as_json: bool = JSON_OPTION,
) -> None:
    _simple(entry_id, "ask", who, reason, revision, as_json)


def discard(
    entry_id: str = _ID, who: str = _WHO, revision: int | None = _REVISION, as_json: bool = JSON_OPTION
) -> None:
    _simple(entry_id, "discard", who, "", revision, as_json)


def publish_entry(
    entry_id: str = _ID,
    who: str = _WHO,
    reason: str = _REASON,
    revision: int | None = _REVISION,
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, at):
        told = publish(engine, entry_id, step(who, reason, revision), at=at)
    _tell(told, "已发布", as_json=as_json)


def archive_entry(
    entry_id: str = _ID,
    who: str = _WHO,
    reason: str = _REASON,
    revision: int | None = _REVISION,
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, at):
        told = archive(engine, entry_id, step(who, reason, revision), at=at)
    _tell(told, "已归档", as_json=as_json)


def rollback(
    entry_id: str = _ID,
    version: int = typer.Option(..., "--version", min=1, help="回退到第几版。"),
    who: str = _WHO,
    reason: str = _REASON,
    revision: int | None = _REVISION,
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, at):
        told = roll_back(engine, entry_id, version, step(who, reason, revision), at=at)
    _tell(told, f"已回退到第 {version} 版的内容", as_json=as_json)


def show_list(
    state: str = typer.Option("", "--state", help="只看一种状态：草稿、待审、发布、待更新、失效、归档。"),
    unit: str = typer.Option("", "--unit", help="只看一个责任单位。"),
    text: str = typer.Option("", "--title", help="标题里有这些字。"),
    limit: int = typer.Option(50, "--limit", min=1, max=500),
    after: str = typer.Option("", "--after", help="从这个编号之后列起。"),
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, at):
        page = list_entries(engine, day=at.date(), state=state, unit=unit, text=text, after=after, limit=limit)
    if as_json:
        print_json(page)
        return
    names = ("id", "state", "version", "revision", "title", "unit", "effective_to")
    rows = [[entry[name] for name in names] for entry in page["entries"]]
    _table("知识条目", ("编号", "状态", "版本", "改动", "标题", "责任单位", "失效日期"), rows)
    if page["next"]:
        typer.echo(f"还有更多，加 --after {page['next']}")


def show(entry_id: str = _ID, as_json: bool = JSON_OPTION) -> None:
    with database() as (engine, at):
        document = entry_document(engine, entry_id, day=at.date())
    if as_json:
        print_json(document)
        return
    version = f"第 {document['version']} 版" if document["version"] else "还没有发布过"
    typer.echo(f"{entry_id}：{document['state']}，{version}，第 {document['revision']} 次改动。")
    for name, value in (document["entry"] or document["draft"] or {}).items():
        if value and name not in ("id", "state", "body_html"):
            typer.echo(f"  {Change(name, _title(name), None, value)}".replace("（空） → ", ""))
    if document["changes"]:
        typer.echo(f"在改的草稿（{'、'.join(document['authors'])}）：")
        for change in document["changes"]:
            typer.echo(f"  {Change(**change)}")


def _title(name: str) -> str:
    from knowledge_base.versions import TITLES

    return TITLES.get(name, "依据（拆开）" if name == "citations" else name)


def review(limit: int = typer.Option(50, "--limit", min=1, max=500), as_json: bool = JSON_OPTION) -> None:
    with database() as (engine, at):
        waiting = list_entries(engine, day=at.date(), state="待审", limit=limit)["entries"]
        documents = [entry_document(engine, one["id"], day=at.date()) for one in waiting]
    documents = [one for one in documents if one["state"] == "待审"]
    if as_json:
        print_json(documents)
        return
    typer.echo(f"待审 {len(documents)} 条。")
    for one in documents:
        typer.echo(f"{one['id']}（{'、'.join(one['authors'])} 起草，第 {one['revision']} 次改动）{one['title']}")
        for change in one["changes"]:
            typer.echo(f"  {Change(**change)}")


def show_history(entry_id: str = _ID, as_json: bool = JSON_OPTION) -> None:
    with database() as (engine, _):
        rows = entry_history(engine, entry_id)
    if as_json:
        print_json({"id": entry_id, "events": rows})
        return
    cells = [
        [row["revision"], ACTIONS[row["action"]], f"{datetime.fromisoformat(row['at']):%Y-%m-%d %H:%M}", row["actor"],
         row["version"], row["note"], row["decision_id"]]
        for row in rows
    ]  # fmt: skip
    _table(f"{entry_id} 的经过", ("改动", "做了什么", "时刻", "何人", "版本", "理由", "决定编号"), cells)


def show_diff(
    entry_id: str = _ID,
    old: int | None = typer.Option(None, "--from", min=1, help="旧的是第几版；不填为前一版。"),
    new: int | None = typer.Option(None, "--to", min=0, help="新的是第几版，0 为在改的草稿；不填为最近一版。"),
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, _):
        found = entry_diff(engine, entry_id, old, new)
    if as_json:
        print_json(found)
        return
    names = [f"第 {number} 版" if number else "（无）" for number in (found["old"], found["new"])]
    typer.echo(f"{entry_id}：{names[0]} → {names[1] if found['new'] else '草稿'}，改了 {len(found['changes'])} 个字段")
    for change in found["changes"]:
        typer.echo(f"  {Change(**change)}")


def due(
    days: int = typer.Option(REMINDERS[0], "--days", min=0, help="几天内到期的。"),
    since: str = typer.Option("", "--since", help="各单位的数字从哪一天算起，如 2026-01-01；不填为全部。"),
    as_json: bool = JSON_OPTION,
) -> None:
    with database() as (engine, at):
        start = _day(since, at) if since else None
        found = what_is_due(engine, now=at, within=days, limit=settings().kb_update_days, since=start)
    if as_json:
        print_json(found)
        return
    rows = [
        [one[name] for name in ("id", "title", "unit", "effective_to", "days", "reminder")] for one in found["expiring"]
    ]
    _table("到期提醒（提前 30、7、1 天）", ("编号", "标题", "责任单位", "失效日期", "还剩天数", "提醒档"), rows)
    late = {None: "没有填时限", True: "超时", False: "未超时"}
    asked = [
        [one["id"], one["unit"], one["asked_at"][:10], one["days"], late[one["overdue"]]] for one in found["asked"]
    ]
    _table("已请单位更新", ("编号", "责任单位", "何日请的", "已过天数", "是否超时"), asked)
    names = ("unit", "published", "unasked", "asked", "answered", "open", "in_time", "late")
    units = [["—" if one[name] is None else one[name] for name in names] for one in found["units"]]
    _table("各单位的更新", ("责任单位", "发布次数", "主动更新", "被请更新", "已更新", "未更新", "按时", "超时"), units)
    if found["update_days"] is None:
        typer.echo("没有填更新时限（ZHIPAI_KB_UPDATE_DAYS，天），按时与否不作判断。")


def _day(value: str, at: datetime) -> datetime:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=at.tzinfo)
    except ValueError as error:
        raise ZhipaiError("E4006", {"field": "--since", "value": value[:20]}) from error
