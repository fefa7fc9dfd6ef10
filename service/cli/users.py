"""``zhipai users``: the first administrators, and help for one who is locked out. The rest is done in the service."""

from __future__ import annotations

import getpass

import typer

from service import clock
from service.access import ROLES, Actor, Scope
from service.access.accounts import Order, create_administrator, list_accounts, reset_password
from service.access.keys import create_key, list_keys, revoke_key
from service.cli.common import JSON_OPTION, print_json
from service.db.engine import check_version, make_engine
from service.settings import settings

app = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)
REASON = typer.Option(..., "--reason", help="理由，记入决定日志。")
OWN = typer.Option(False, "--ask-password", help="自己输入一次性密码；不加则由系统生成。")


def _operator() -> Actor:
    """Whoever has the command line of the server: the powers of a system administrator, and he is named in the log."""
    return Actor(f"shell:{getpass.getuser()}", "命令行", frozenset({"admin"}), Scope.everything(), "local")


def _order(reason: str) -> Order:
    return Order(_operator(), reason, clock.now(settings().time_zone))


@app.command("create-admin", help="建立系统管理员。有了第一个账号，网页和接口就都要登录。")
def create_admin(
    name: str = typer.Argument(..., help="账号名"),
    ask: bool = OWN,
) -> None:
    _create(name, ask, security=False)


@app.command("create-security-admin", help="建立安全管理员：授予审计员、删除个人信息，与系统管理员互相制约。")
def create_security_admin(
    name: str = typer.Argument(..., help="账号名"),
    ask: bool = OWN,
) -> None:
    _create(name, ask, security=True)


def _create(name: str, ask: bool, *, security: bool) -> None:
    engine = make_engine(settings().url, busy_seconds=settings().busy_seconds)
    check_version(engine)
    password = typer.prompt("一次性密码", hide_input=True, confirmation_prompt="再输一次") if ask else ""
    made = create_administrator(engine, _order("在服务器上建立"), name=name, security=security, password=password)
    title = ROLES["security_admin" if security else "admin"].title
    typer.echo(f"已建立{title}“{name}”。")
    if not ask:
        typer.echo(f"一次性密码（只显示这一次，72 小时内有效，登录后须先修改）：{made}")


@app.command("list", help="列出账号。")
def show(as_json: bool = JSON_OPTION) -> None:
    rows = list_accounts(make_engine(settings().url), _operator())
    if as_json:
        print_json({"accounts": rows})
        return
    for row in rows:
        roles = "、".join(ROLES[role].title for role in row["roles"]) or "没有角色"
        typer.echo(f"{row['name']}\t{row['display']}\t{roles}\t{'停用' if row['closed'] else '在用'}")
    typer.echo(
        f"共 {len(rows)} 个账号（不含审计员和安全管理员）。" if rows else "还没有账号：现在只给本机用，不用登录。"
    )


@app.command("reset-password", help="给忘记密码或被锁定的账号换一个一次性密码。")
def reset(name: str = typer.Argument(..., help="账号名"), reason: str = REASON) -> None:
    password = reset_password(make_engine(settings().url), _order(reason), name, at_the_machine=True)
    typer.echo(f"“{name}”的一次性密码（只显示这一次，72 小时内有效，登录后须先修改）：{password}")


@keys.command("list", help="列出接口密钥（不含密钥本身）。")
def show_keys(as_json: bool = JSON_OPTION) -> None:
    rows = list_keys(make_engine(settings().url), _operator())
    if as_json:
        print_json({"keys": rows})
        return
    for row in rows:
        state = "已撤销" if row["revoked_at"] else f"到 {row['expires_at'][:10]}"
        typer.echo(f"{row['key_id']}\t{row['title']}\t{state}\t最近使用 {row['used_at'] or '从未'}")
    typer.echo(f"共 {len(rows)} 个密钥。")


@keys.command("create", help="发放一个接口密钥，只显示这一次。")
def create(
    title: str = typer.Argument(..., help="给哪个系统用"),
    role: list[str] = typer.Option(..., "--role", help="角色编号，可以写几次。"),
    action: list[str] = typer.Option([], "--action", help="只开放这些操作；不写为角色的全部。"),
    district: list[str] = typer.Option([], "--district", help="可见的区；与 --unit 都不写为全市。"),
    unit: list[str] = typer.Option([], "--unit", help="可见的单位，连同下级。"),
    days: int = typer.Option(90, "--days", help="几天后到期。"),
    reason: str = REASON,
) -> None:
    _, key = create_key(
        make_engine(settings().url),
        _order(reason),
        title=title,
        roles=role,
        actions=action or None,
        districts=district,
        units=unit,
        days=days,
    )
    typer.echo(f"接口密钥（只显示这一次，{days} 天后到期）：{key}")


@keys.command("revoke", help="立即撤销一个接口密钥。")
def revoke(key_id: str = typer.Argument(..., help="密钥编号"), reason: str = REASON) -> None:
    revoke_key(make_engine(settings().url), _order(reason), key_id)
    typer.echo(f"密钥 {key_id} 已撤销。")
