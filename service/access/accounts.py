"""Accounts: made, changed, closed and given a new password by an administrator, each with its record in the log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from intake.errors import ZhipaiError, register
from service.access.actor import Actor
from service.access.grants import check_grant, check_roles, within_reach
from service.access.names import TECHNICAL
from service.access.passwords import PasswordRule, check_password, hash_password, is_password, one_time_password
from service.access.records import record_change
from service.access.roles import ADMIN, SECURITY_ADMIN
from service.access.sign_in import name_hash
from service.db.engine import reading, writing
from service.db.tables_access import ACCESS_SESSIONS, ACCOUNTS, SIGN_IN_FAILURES

register(
    "E7850",
    "账号名不合要求",
    "账号名须为 2 至 64 个字母、数字、汉字或 . _ - @，不能以符号开头，也不能是 local、system 或 import。",
)
register("E7851", "没有这个账号", "没有账号“{name}”。", status=404)
register("E7852", "账号已存在", "账号“{name}”或这个统一登录编号已经有人使用，请换一个。", status=409)
register(
    "E7859", "还没有管理员", "第一个账号在服务器上用命令 zhipai users create-admin 建立。", status=409, exit_code=4
)
register("E7861", "原密码不对", "原密码不对，没有修改。请重新输入。", status=403)
register("E7862", "缺少理由", "修改账号、角色或密钥须写明理由（至少 2 个字），会记入决定日志。")

_NAME = re.compile(r"\w[\w.@-]{1,63}")
_CHANGEABLE = ("display", "roles", "districts", "units", "subject", "closed")
# Made once: it is asked at every request until there is an account.
_ONE = select(ACCOUNTS.c.name).limit(1)


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants an account changed, and why."""

    actor: Actor
    reason: str
    at: datetime
    request_id: str = ""

    def __post_init__(self) -> None:
        if len(self.reason.strip()) < 2:
            raise ZhipaiError("E7862")


def any_account(engine: Engine) -> bool:
    """Whether there is one. From then on people have to sign in."""
    with reading(engine) as connection:
        return _any(connection)


def list_accounts(engine: Engine, actor: Actor) -> list[dict[str, Any]]:
    """The accounts that ``actor`` may see, by name."""
    with reading(engine) as connection:
        rows = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.name)).mappings().all()
    return [_shown(dict(row)) for row in rows if within_reach(actor, row["roles"])]


def create_account(
    engine: Engine,
    order: Order,
    *,
    name: str,
    display: str = "",
    roles: list[str],
    districts: list[str],
    units: list[str],
    subject: str = "",
) -> str:
    """Make an account and return its one-time password; empty for one that signs in at the OpenID provider (``subject``).

    Raises
    ------
    ZhipaiError
        E7850 name, E7852 taken, E7854–E7856 roles, E7859 if it would be the first one.
    """
    with writing(engine) as connection:
        if not _any(connection):
            raise ZhipaiError("E7859")
        permission = check_grant(order.actor, name, (), check_roles(roles))
        return _insert(connection, order, permission, name, display, roles, districts, units, subject)


def create_administrator(engine: Engine, order: Order, *, name: str, security: bool, password: str = "") -> str:
    """Make a system or security administrator from the command line, and return the one-time password."""
    role = SECURITY_ADMIN if security else ADMIN
    with writing(engine) as connection:
        return _insert(connection, order, "access.manage", name, "", [role], [], [], "", password)


def change_account(engine: Engine, order: Order, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change what is named of display, roles, districts, units, subject and closed. The person is signed out everywhere,
    so that no page shows what he may no longer see.

    Raises
    ------
    ZhipaiError
        E7851 unknown (or out of the administrator's reach), E7852 subject taken, E7853–E7856 roles.
    """
    with writing(engine) as connection:
        before = _read(connection, order.actor, name)
        after = before | {key: value for key, value in changes.items() if key in _CHANGEABLE and value is not None}
        after["roles"] = sorted(check_roles(after["roles"]))
        after["subject"] = after["subject"] or None
        permission = check_grant(order.actor, name, before["roles"], after["roles"])
        try:
            connection.execute(
                update(ACCOUNTS).where(ACCOUNTS.c.name == name).values({key: after[key] for key in _CHANGEABLE})
            )
        except IntegrityError as error:
            raise ZhipaiError("E7852", {"name": name}) from error
        connection.execute(delete(ACCESS_SESSIONS).where(ACCESS_SESSIONS.c.account == name))
        _record(connection, order, permission, "change_account", name, before, after)
        connection.commit()
    return _shown(after)


def reset_password(engine: Engine, order: Order, name: str, *, at_the_machine: bool = False) -> str:
    """A new one-time password; the account is unlocked and signed out everywhere. ``at_the_machine``: whoever has the
    command line may also help an administrator who lost his."""
    with writing(engine) as connection:
        before = _read(connection, order.actor, name, anyone=at_the_machine)
        permission = (
            "access.manage" if at_the_machine else check_grant(order.actor, name, before["roles"], before["roles"])
        )
        password = one_time_password()
        _set_password(connection, name, password, at=order.at, must_change=True)
        connection.execute(delete(SIGN_IN_FAILURES).where(SIGN_IN_FAILURES.c.name_hash == name_hash(name)))
        _record(connection, order, permission, "reset_password", name, before, before)
        connection.commit()
    return password


def change_own_password(engine: Engine, name: str, *, old: str, new: str, rule: PasswordRule, at: datetime) -> None:
    """Change the password of the one who knows the old one; E7861, E7857. All his sessions end."""
    with reading(engine) as connection:
        stored = connection.execute(select(ACCOUNTS.c.password_hash).where(ACCOUNTS.c.name == name)).scalar()
    if not is_password(old, stored):
        raise ZhipaiError("E7861")
    check_password(new, name=name, rule=rule)
    if old == new:
        raise ZhipaiError("E7857", {"problem": "不能与原来的相同"})
    with writing(engine) as connection:
        _set_password(connection, name, new, at=at, must_change=False)
        connection.commit()


def _any(connection: Connection) -> bool:
    return connection.execute(_ONE).first() is not None


def _read(connection: Connection, actor: Actor, name: str, *, anyone: bool = False) -> dict[str, Any]:
    row = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.name == name)).mappings().first()
    if row is None or not (anyone or within_reach(actor, row["roles"])):
        raise ZhipaiError("E7851", {"name": name[:64]})
    return dict(row)


def _insert(
    connection: Connection,
    order: Order,
    permission: str,
    name: str,
    display: str,
    roles: list[str],
    districts: list[str],
    units: list[str],
    subject: str,
    password: str = "",
) -> str:
    if not _NAME.fullmatch(name) or name.lower() in TECHNICAL:
        raise ZhipaiError("E7850")
    if password:
        check_password(password, name=name, rule=PasswordRule())
    password = "" if subject else password or one_time_password()
    row = {
        "name": name,
        "display": display or name,
        "password_hash": hash_password(password) if password else None,
        "must_change": bool(password),
        "password_set_at": order.at.isoformat() if password else None,
        "subject": subject or None,
        "roles": sorted(roles),
        "districts": sorted(districts),
        "units": sorted(units),
        "closed": False,
        "created_at": order.at.isoformat(),
    }
    try:
        connection.execute(insert(ACCOUNTS).values(row))
    except IntegrityError as error:
        raise ZhipaiError("E7852", {"name": name}) from error
    _record(connection, order, permission, "create_account", name, None, row)
    connection.commit()
    return password


def _set_password(connection: Connection, name: str, password: str, *, at: datetime, must_change: bool) -> None:
    values = {
        "password_hash": hash_password(password),
        "password_set_at": at.isoformat(),
        "must_change": must_change,
    }
    connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name).values(values))
    connection.execute(delete(ACCESS_SESSIONS).where(ACCESS_SESSIONS.c.account == name))


def _record(
    connection: Connection,
    order: Order,
    permission: str,
    what: str,
    name: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    record_change(
        connection,
        actor=order.actor,
        permission=permission,
        what=what,
        subject=name,
        before=before,
        after=after,
        reason=order.reason.strip(),
        at=order.at,
        request_id=order.request_id,
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """An account as an administrator sees it. Never its hash."""
    names = ("name", "display", "roles", "districts", "units", "subject", "closed", "must_change", "created_at")
    return {key: row[key] for key in names}
