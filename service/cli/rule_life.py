"""``zhipai rules publish``, ``history`` and ``diff``: from a draft to what is in force, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from rules.diff import PackDiff, compare
from rules.load import find_folder
from rules.pack import PACKS, RulePack
from service import clock
from service.cli.common import JSON_OPTION, existing, parse_instant, print_json
from service.db.engine import check_version, make_engine, reading
from service.packs import overrides_of, pack_in_use, pack_name
from service.publication import Order, attach_backtest, check_folder, check_published, publish
from service.rule_versions import STATES, find_version, history, load_bundle, pack_of, published, version_at
from service.settings import settings
from service.version import VERSION

_PACK_OPTION = typer.Option("", "--pack", help="规则包的名字或文件夹；不填为正在使用的。")


def add_to(app: typer.Typer) -> None:
    app.command("publish", help="发布一个规则版本：检查、测试、存档、记入决定日志，到时刻自动生效。")(publish_version)
    app.command("history", help="一个规则包的发布记录：谁、为什么、何时起、何时止。")(show_history)
    app.command("diff", help="比较两个规则版本，逐项列出新增、删去和改动。")(show_diff)


@contextmanager
def _database() -> Iterator[Engine]:
    """The database of this installation; E6005 if it is of another version."""
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    try:
        check_version(engine)
        yield engine
    finally:
        engine.dispose()


def publish_version(
    pack: str = _PACK_OPTION,
    version: str = typer.Option("", "--hash", help="重新发布一个发布过的版本（回退）：内容散列或 名字@散列。"),
    effective_from: str = typer.Option("", "--effective-from", help="生效时刻，带时区；不填为立即生效。"),
    who: str = typer.Option("", "--who", help="发布人。"),
    reason: str = typer.Option("", "--reason", help="为什么发布，记入决定日志。"),
    backtest: Path | None = typer.Option(None, "--backtest", help="这个版本的回测报告（JSON），记入它的散列。"),
    dry_run: bool = typer.Option(False, "--dry-run", help="只检查和预览，什么也不写。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config, start = settings(), parse_instant(effective_from) if effective_from else None
    name = pack or config.pack
    with _database() as engine:
        if version:
            candidate = check_published(engine, version, pack=pack_name(pack) if pack else "")
        else:
            candidate = check_folder(name, overrides=overrides_of(config, name))
        for line in candidate.obstacles:
            typer.echo(line, err=True)
        new, _ = candidate.require()
        record = publish(
            engine,
            candidate,
            Order(who, reason, start),
            backtest=attach_backtest(existing(backtest), new) if backtest else None,
            software=f"zhipai {VERSION}",
            at=clock.now(config.time_zone),
            dry_run=dry_run,
        )
        old = load_bundle(engine, record["replaces"]) if record["replaces"] else None
    changes = compare(old, new) if old else None
    if as_json:
        print_json({**record, "dry_run": dry_run, "changes": changes.counts() if changes else None})
        return
    _tell(record, changes, dry_run=dry_run)


def _tell(record: Mapping[str, Any], changes: PackDiff | None, *, dry_run: bool) -> None:
    start = datetime.fromisoformat(record["effective_from"])
    did = "预览（没有写入）：" if dry_run else "已发布："
    typer.echo(f"{did}{record['version']}，自 {start:%Y-%m-%d %H:%M} 起生效。")
    warnings = sum(record["lint"]["warnings"].values())
    typer.echo(f"检查：错误 0 处，提醒 {warnings} 处。规则测试：通过 {record['tests']['passed']} 个。")
    if record["backtest"]:
        typer.echo(
            f"回测报告：{record['backtest']['name']}（{record['backtest']['sha256'][:12]}），{record['backtest']['evaluated']} 条工单。"
        )
    if changes:
        typer.echo(f"取代 {changes.old}：{changes.summary()}")
    if record["decision_id"]:
        typer.echo(f"决定编号 {record['decision_id']}。运行中的服务几秒内换上生效的版本，不必重启。")


def show_history(pack: str = _PACK_OPTION, as_json: bool = JSON_OPTION) -> None:
    config = settings()
    name = pack_name(pack or config.pack)
    with _database() as engine:
        rows = history(engine, name, at=clock.now(config.time_zone))
    if as_json:
        print_json({"pack": name, "publications": rows})
        return
    if not rows:
        typer.echo(f"{name} 没有发布过，用的是文件夹里的规则。")
        return
    table = Table(title=f"{name} 的发布记录", title_justify="left")
    for title in ("序", "版本", "状态", "生效", "止于", "发布人", "理由"):
        table.add_column(title, overflow="fold")
    for row in rows:
        end = row["superseded_at"]
        cells = [row["version"], STATES[row["state"]], _minute(row["effective_from"]), _minute(end) if end else "—"]
        table.add_row(str(row["sequence"]), *cells, Text(row["actor"]), Text(row["reason"]))
    Console().print(table)


def _minute(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M}"


def show_diff(
    old: str = typer.Argument(..., help="规则包的名字、文件夹，或版本（内容散列、名字@散列）。"),
    new: str = typer.Argument("", help="同上；不填则比较第一个规则包的现行发布版本与文件夹里的草稿。"),
    as_json: bool = JSON_OPTION,
) -> None:
    found = compare(_resolve(old), _resolve(new)) if new else compare(_in_force(old), _resolve(old))
    if as_json:
        print_json(found.as_dict())
        return
    typer.echo(f"{found.old} → {found.new}：{found.summary()}")
    for line in found.lines():
        typer.echo(line)


def _resolve(text: str) -> RulePack:
    """A pack by name or folder; else a published version."""
    if find_folder(text, PACKS) is not None:
        return pack_in_use(settings(), text)
    with _database() as engine:
        with reading(engine) as connection:
            content_hash = find_version(connection, text)
        return load_bundle(engine, content_hash)


def _in_force(text: str) -> RulePack:
    """The version of a pack that is in force now; that of the folder if none was published."""
    config = settings()
    with _database() as engine:
        standing = version_at(published(engine, text), clock.now(config.time_zone))
        return pack_of(engine, config, standing, text)
