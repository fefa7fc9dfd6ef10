"""``zhipai audit replay``: compute again what a decision was taken on, or ask what it would be today."""

from __future__ import annotations

from typing import Any

import typer

from intake.errors import ZhipaiError, register
from models.encoder import Encoder
from service import clock
from service.cli.common import JSON_OPTION, parse_instant, print_json
from service.db.engine import check_version, make_engine
from service.replay import Replay, Subject, replay, subject_of_decision, subject_of_proposal, what_if
from service.replay_diff import TOLERANCE
from service.replay_parts import Finder
from service.settings import settings
from service.snapshot import load_snapshot

register("E6559", "不知道回放什么", "请写明决定编号，或用 --proposal 写明建议编号，二者只写一个。")

#: Differences that are listed on the screen; ``--json`` has all.
SHOWN = 20


def add_to(app: typer.Typer) -> None:
    app.command("replay", help="回放：在当日的快照下重算当时的建议；有不同时退出码为 4。")(run)


def run(
    decision_id: str = typer.Argument("", help="决定编号"),
    proposal: str = typer.Option("", "--proposal", help="建议编号；没有作出决定的建议也能回放。"),
    as_of: str = typer.Option("", "--as-of", help="换一个时刻问：按那时的规则、条目和现在的模型会怎样，带时区。"),
    today: bool = typer.Option(False, "--today", help="按今天的快照和此刻再问一次。"),
    tolerance: float = typer.Option(TOLERANCE, "--tolerance", min=0, help="概率和得分相差多少仍算在容差内。"),
    as_json: bool = JSON_OPTION,
) -> None:
    if bool(decision_id) == bool(proposal):
        raise ZhipaiError("E6559")
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    subject = subject_of_decision(engine, decision_id) if decision_id else subject_of_proposal(engine, proposal)
    if as_of or today:
        at = clock.now(config.time_zone) if today else parse_instant(as_of)
        found = what_if(subject, load_snapshot(config, engine, as_of=at), as_of=at)
        print_json(found) if as_json else _show_changes(subject, found)
        return
    done = replay(subject, Finder(config, engine, Encoder.load(config.encoder_folder)), tolerance=tolerance)
    print_json(done.as_dict()) if as_json else _show(done)
    if done.outcome == "different":
        raise typer.Exit(4)


def _show(done: Replay) -> None:
    typer.echo(f"{done.as_dict()['says']}：建议 {done.subject.proposal_id}，工单 {done.subject.order_id}")
    typer.echo(f"按 {done.subject.proposal['as_of']} 的快照：{'、'.join(done.subject.proposal['snapshot'].values())}")
    for missing in done.missing:
        typer.echo(f"找不到 {missing.part} {missing.id}：{missing.why}")
    for note in [*done.subject.broken, *done.notes]:
        typer.echo(f"说明：{note}")
    if done.skipped:
        typer.echo(f"没有重算：{'、'.join(done.skipped)}")
    for one in done.differences[:SHOWN]:
        mark = "在容差内" if one.within else "不同"
        typer.echo(f"{mark} {one.path}：当时 {_brief(one.then)}，现在 {_brief(one.now)}（{one.why}）")
    if len(done.differences) > SHOWN:
        typer.echo(f"还有 {len(done.differences) - SHOWN} 处，见 --json。")
    if done.environment and not done.differences:
        typer.echo(f"环境已变而结果相同：{'；'.join(done.environment)}")


def _show_changes(subject: Subject, found: dict[str, Any]) -> None:
    typer.echo(f"当时 {subject.proposal['as_of']}，换成 {found['as_of']}")
    typer.echo(f"换了的快照：{'、'.join(found['changed_snapshot']) or '没有'}")
    changes = found["changes"]
    if not any(changes.values()):
        typer.echo("单位、判定、时限都不变。")
    for one in changes["units"]:
        typer.echo(f"单位 {one['unit']}：{_place(one['then'])} → {_place(one['now'])}")
    for one in changes["verdicts"]:
        typer.echo(f"规则 {one['rule_id']}：{_state(one['then'])} → {_state(one['now'])}")
    for one in changes["deadlines"]:
        typer.echo(f"时限 {one['title']}：{_due(one['then'])} → {_due(one['now'])}")


def _brief(value: Any) -> str:
    text = "没有" if value is None else str(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _place(row: dict[str, Any] | None) -> str:
    return f"第 {row['rank']}（{row['probability']:.4f}）" if row else "不在前五"


def _state(row: dict[str, Any] | None) -> str:
    names = {"hit": "命中", "pass": "未命中", "not_evaluated": "无法判断"}
    return names[row["state"]] if row else "未列出"


def _due(row: dict[str, Any] | None) -> str:
    return (row["due_at"] or "算不出") if row else "没有"
