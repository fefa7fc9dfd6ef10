"""``zhipai demo``: fill a data folder of its own with a month of work, and serve it."""

from __future__ import annotations

import os
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from intake.errors import ZhipaiError
from service import clock
from service.cli.common import JSON_OPTION, print_json
from service.cli.progress import steps
from service.cli.serve import serve
from service.demo import Built, DemoPlan, build, environment, standing
from service.settings import ROOT, Settings, load_settings

#: How what happened is told, in the order in which it is told.
TITLES = {
    "filed": "登记工单", "accept": "采纳", "override": "改派", "refusal": "不予受理", "merge": "并单", "undo": "撤销",
    "case_return": "退单申请", "case_extension": "延期申请", "case_exclusion": "不纳入考核申请",
    "case_suspension": "挂账申请", "case_accepted": "申请同意", "case_refused": "申请不同意", "reply": "单位答复",
    "kb_publish": "知识条目发布", "model_promoted": "模型上线", "model_rolled_back": "模型退回",
    "rule_publication": "规则发布", "checkpoint": "检查点",
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command("demo", help="用随附的示范城市建一个月的演示数据（自己的文件夹，不碰真实数据），再启动服务。")(demo)


def demo(
    home: Path = typer.Option(ROOT / "var" / "demo", "--home", help="演示的数据文件夹。"),
    again: bool = typer.Option(False, "--again", help="删掉旧的演示数据，重新建。"),
    until: str = typer.Option("", "--until", help="这个月到哪一天为止（含），如 2026-10-31；不填到现在。"),
    orders: int = typer.Option(800, "--orders", min=40, max=2000, help="登记多少张工单。"),
    train: int = typer.Option(2400, "--train", min=600, max=3400, help="第二个模型用多少条工单训练（第一个用六成）。"),
    only_build: bool = typer.Option(False, "--build", help="只建数据，不启动服务。"),
    port: int = typer.Option(0, "--port", help="端口；不填用设置里的（默认 8000）。"),
    as_json: bool = JSON_OPTION,
) -> None:
    base, folder = load_settings(), home.absolute()
    built = None if again else standing(folder)
    if built is None:
        plan = DemoPlan(_end(until, base), orders=orders, train=train)
        started = time.monotonic()
        with steps(quiet=as_json) as progress:
            built = build(folder, base, plan, progress=progress)
        if not as_json:
            typer.echo(f"演示数据已建好，用时 {time.monotonic() - started:.0f} 秒，决定日志验证通过。", err=True)
    if as_json:
        print_json({"home": str(folder), "repeated": built.repeated, "counts": built.counts})
    else:
        _show(built, folder)
    if not only_build:
        os.environ.update(environment(folder))
        serve(port=port, workers=0)


def _end(until: str, base: Settings) -> datetime:
    """The end of that day, or now; E7963 for what is no date."""
    now = clock.now(base.time_zone)
    if not until:
        return now
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise ZhipaiError("E7963", {"until": until[:20]}) from None
    if day == now.date():
        return now
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(base.time_zone)) + timedelta(days=1)


def _show(built: Built, folder: Path) -> None:
    told = "，".join(f"{title} {built.counts[name]}" for name, title in TITLES.items() if built.counts.get(name))
    typer.echo(f"演示数据在 {folder}：{told}。", err=True)
    setting = " ".join(f"{name}={value}" for name, value in environment(folder).items())
    typer.echo(
        "没有建账号，本机打开即可使用全部页面。要看各角色登录后的样子，先建账号：\n"
        f"  {setting} zhipai users create-admin\n"
        "重建：make demo AGAIN=1。",
        err=True,
    )
