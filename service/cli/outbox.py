"""``zhipai outbox list | retry | drop``."""

from __future__ import annotations

import getpass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service import clock
from service.cli.common import JSON_OPTION, print_json
from service.db.engine import check_version, make_engine
from service.outbox.by_hand import NAMES, STATES, Action, ByHand, act, listed
from service.settings import Settings, settings
from service.version import VERSION

app = typer.Typer(no_args_is_help=True)

DECISIONS = typer.Argument(None, help="决定编号（d-…），可写多个。")
TARGET = typer.Option(..., "--target", help="目标的名字。")
ALL_DEAD = typer.Option(False, "--dead", help="不写决定编号，处理这个目标的全部死信（一次最多 1,000 条）。")
WHO = typer.Option("", "--who", help="谁作的决定；不填为系统用户名。")
REASON = typer.Option(..., "--reason", help="理由，记入决定日志。")


def _engine(config: Settings) -> Any:
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    return engine


@app.command("list", help="看没有送达的通知；--dead 只看死信，--all 连同已送达、已放弃的。")
def show(
    dead: bool = typer.Option(False, "--dead", help="只看死信。"),
    everything: bool = typer.Option(False, "--all", help="连同已送达、已放弃的。"),
    target: str = typer.Option("", "--target", help="只看一个目标。"),
    limit: int = typer.Option(100, "--limit", min=1, max=10_000, help="最多列几条。"),
    as_json: bool = JSON_OPTION,
) -> None:
    states = ("dead",) if dead else () if everything else ("waiting", "dead")
    found = listed(_engine(settings()), target=target, states=states, limit=limit)
    if as_json:
        print_json({"events": found})
        return
    if not found:
        typer.echo("没有死信。" if dead else "没有通知。" if everything else "没有等待的通知，也没有死信。")
        return
    table = Table(title="对外通知", title_justify="left")
    for head in ("目标", "序号", "决定编号", "工单", "状态", "次数", "最近的问题", "更新于"):
        table.add_column(head, overflow="fold")
    for row in found:
        cells = (row["target"], str(row["sequence"]), row["decision_id"], row["order_id"], STATES[row["state"]])
        table.add_row(*map(Text, (*cells, str(row["attempts"]), row["problem"], row["updated_at"][:19])))
    Console().print(table)


@app.command("retry", help="重送：从头再试，次数归零；记入决定日志。")
def retry(
    decisions: list[str] = DECISIONS,
    target: str = TARGET,
    dead: bool = ALL_DEAD,
    who: str = WHO,
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    _do("retry", decisions, target, dead, who, reason, as_json)


@app.command("drop", help="放弃：不再送；同一工单后面的通知随之放行；记入决定日志。")
def drop(
    decisions: list[str] = DECISIONS,
    target: str = TARGET,
    dead: bool = ALL_DEAD,
    who: str = WHO,
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    _do("drop", decisions, target, dead, who, reason, as_json)


def _do(
    action: Action, decisions: list[str] | None, target: str, dead: bool, who: str, reason: str, as_json: bool
) -> None:
    if bool(decisions) == dead:
        raise typer.BadParameter("写决定编号，或写 --dead")
    config = settings()
    wanted = ByHand(
        action=action,
        target=target,
        actor=who or getpass.getuser(),
        reason=reason,
        decision_ids=tuple(dict.fromkeys(decisions or ())),
    )
    record = act(_engine(config), wanted, software=f"zhipai {VERSION}", at=clock.now(config.time_zone))
    if as_json:
        print_json(record)
        return
    typer.echo(f"{NAMES[action]} {len(record['events'])} 条，已记入决定日志：{record['decision_id']}")
