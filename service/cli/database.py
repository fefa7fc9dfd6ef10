"""``zhipai db``: what a database administrator needs."""

from __future__ import annotations

import typer

from service.db.engine import make_engine
from service.db.grants import grant_app, grants
from service.settings import settings

app = typer.Typer(no_args_is_help=True)


@app.command(
    "grant-app", help="PostgreSQL：让服务所用的角色对只增不改的表只能增加和查看。由表的主人运行，升级之后再运行一次。"
)
def grant(
    role: str = typer.Argument(..., help="服务登录用的角色，不是表的主人。", metavar="角色"),
    sql: bool = typer.Option(False, "--sql", help="只印出语句，不执行。"),
) -> None:
    if sql:
        for statement in grants(role):
            typer.echo(f"{statement};")
        return
    grant_app(make_engine(settings().url), role)
    typer.echo(f"已授权：“{role}”对决定日志等只增不改的表只能增加和查看。服务请用它登录（ZHIPAI_DATABASE_URL）。")
