"""Sign in with a password: one sentence for every failure, and a growing wait after too many of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, insert, select, update

from intake.errors import ZhipaiError, register
from service.access.passwords import is_password
from service.db.engine import reading, writing
from service.db.tables_access import ACCOUNTS, SIGN_IN_FAILURES
from service.logging import get_logger

register("E6522", "登录失败", "账号或密码不对，或账号已停用。请核对后重试；忘记密码请找系统管理员。", status=401)
register("E6529", "登录暂停", "这个账号登录失败次数过多，请 {seconds} 秒后再试，或请系统管理员重设密码。", status=429)
register("E6531", "一次性密码已过期", "一次性密码超过 {hours} 小时没有使用，已经失效。请找系统管理员重设。", status=403)

ONE_TIME_HOURS = 72
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
#: After so long without another failure the count begins anew.
FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LockRule:
    """After ``failures`` in a row the account waits; ``password_days``: a password older than that has to be changed."""

    failures: int = 5
    password_days: int = 0


def name_hash(name: str) -> str:
    """What of a typed name is stored: it may be a password that went into the wrong box."""
    return hashlib.sha256(f"sign-in:{name}".encode("utf-8", "replace")).hexdigest()


def sign_in(engine: Engine, name: str, password: str, *, rule: LockRule, at: datetime) -> str:
    """Check a name and a password; the name of the account. A session is started by the caller.

    Raises
    ------
    ZhipaiError
        E6522 whatever is wrong, E6529 while the name is locked (also one that nobody has), E6531 an old one-time password.
    """
    subject = name_hash(name)
    with reading(engine) as connection:
        failed = (
            connection.execute(select(SIGN_IN_FAILURES).where(SIGN_IN_FAILURES.c.name_hash == subject))
            .mappings()
            .first()
        )
        row = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.name == name)).mappings().first()
    if failed is not None and failed["locked_until"]:
        wait = datetime.fromisoformat(failed["locked_until"]) - at
        # A wait longer than we ever give means that the clock stepped back.
        if timedelta(0) < wait <= LONGEST_WAIT:
            raise ZhipaiError("E6529", {"seconds": int(wait.total_seconds()) + 1})
    known = is_password(password, row["password_hash"] if row else None)
    if row is None or not known or row["closed"]:
        _count(engine, subject, rule=rule, at=at)
        get_logger().warning("sign_in_failed", account=row["name"] if row else "")
        raise ZhipaiError("E6522")
    age = at - datetime.fromisoformat(row["password_set_at"])
    if row["must_change"] and age > timedelta(hours=ONE_TIME_HOURS):
        raise ZhipaiError("E6531", {"hours": ONE_TIME_HOURS})
    too_old = rule.password_days > 0 and age > timedelta(days=rule.password_days)
    with writing(engine) as connection:
        connection.execute(delete(SIGN_IN_FAILURES).where(SIGN_IN_FAILURES.c.name_hash == subject))
        if too_old:
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name).values(must_change=True))
        connection.commit()
    get_logger().info("signed_in", account=name)
    return name


def _count(engine: Engine, subject: str, *, rule: LockRule, at: datetime) -> None:
    """One more failure. What was long ago is cleared away, whoever's it was."""
    with writing(engine) as connection:
        connection.execute(delete(SIGN_IN_FAILURES).where(SIGN_IN_FAILURES.c.last_at < (at - FORGET).isoformat()))
        column = SIGN_IN_FAILURES.c.name_hash
        failures = 1 + (connection.execute(select(SIGN_IN_FAILURES.c.failures).where(column == subject)).scalar() or 0)
        over = failures - rule.failures
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(over, 10)) if over >= 0 else None
        values = {
            "failures": failures,
            "last_at": at.isoformat(),
            "locked_until": (at + wait).isoformat() if wait else None,
        }
        if failures == 1:
            connection.execute(insert(SIGN_IN_FAILURES).values(name_hash=subject, **values))
        else:
            connection.execute(update(SIGN_IN_FAILURES).where(column == subject).values(**values))
        connection.commit()
