"""``zhipai setup`` and ``zhipai serve``."""

from __future__ import annotations

import time

import typer

from service import clock
from service.cli.progress import steps as progress_steps
from service.readiness import calendar_says
from service.rule_versions import pack_in_force
from service.serve import accounts_exist, check_host, check_port
from service.serve import serve as run_service
from service.settings import Settings, load_settings
from service.setup import check_machine
from service.setup import steps as setup_steps
from service.work_calendar import load_calendar


def add_to(app: typer.Typer) -> None:
    app.command("setup", help="准备运行所需的一切：编码器、数据库、知识、默认模型。可重复运行，做过的不重做。")(setup)
    app.command("serve", help="启动服务（缺什么先准备什么）。")(serve)


def setup() -> None:
    config = load_settings()
    if prepare(config) == 0:
        typer.echo("已经准备好了，没有要做的。")


def prepare(config: Settings) -> int:
    """Run the steps that are not done; returns how many were run."""
    check_machine(config)
    ran = 0
    todo = setup_steps(config, at=clock.now(config.time_zone))
    for number, step in enumerate(todo, start=1):
        if step.is_done():
            continue
        typer.echo(f"[{number}/{len(todo)}] {step.title}（{step.takes}）", err=True)
        started = time.monotonic()
        with progress_steps() as progress:
            step.run(progress)
        typer.echo(f"[{number}/{len(todo)}] {step.title}：完成，用时 {time.monotonic() - started:.0f} 秒", err=True)
        ran += 1
    return ran


def serve(
    port: int = typer.Option(0, "--port", help="端口；不填用设置里的（默认 8000）。"),
    workers: int = typer.Option(0, "--workers", help="进程数；不填用设置里的（默认 2）。"),
) -> None:
    overrides: dict[str, object] = {}
    if port:
        overrides["port"] = port
    if workers:
        overrides["workers"] = workers
    config = load_settings(**overrides)
    check_host(config.host, accounts=accounts_exist(config), names=config.allowed_hosts)
    check_port(config.host, config.port)
    prepare(config)
    now = clock.now(config.time_zone)
    calendar = calendar_says(load_calendar(config, pack_in_force(config, now)), today=now.date())
    if not calendar.startswith("ok"):
        typer.echo(calendar, err=True)
    typer.echo("正在启动……", err=True)

    def ready() -> None:
        base = f"http://{config.host}:{config.port}"
        typer.echo(f"智派已就绪：\n  起始页    {base}/\n  接口文档  {base}/docs\n按 Ctrl+C 停止。", err=True)

    run_service(config, on_ready=ready)
