"""Keys for machines: ``zk_<id>_<secret>``, shown once, kept as a hash, narrowed to roles, actions and a scope, expiring."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select, update

from intake.errors import ZhipaiError, register
from service.access.accounts import Order
from service.access.actor import Actor, Scope
from service.access.grants import check_grant, check_roles, require, within_reach
from service.access.records import record_change
from service.access.roles import ACTIONS, ADMIN, ROLES, SECURITY_ADMIN
from service.access.sessions import SEEN, hash_of
from service.db.engine import reading, writing
from service.db.tables_access import ACCESS_KEYS

register(
    "E6525",
    "接口密钥无效",
    "接口密钥不对、已过期或已撤销。请在 Authorization 头里写 Bearer zk_…，或请系统管理员换发。",
    status=401,
)
register("E7858", "没有这个密钥", "没有编号为“{key_id}”的接口密钥。", status=404)
register("E7860", "密钥的范围不对", "接口密钥的范围不对：{problem}。")

PREFIX = "zk_"
LONGEST_DAYS = 366


def create_key(
    engine: Engine,
    order: Order,
    *,
    title: str,
    roles: list[str],
    actions: list[str] | None,
    districts: list[str],
    units: list[str],
    days: int,
) -> tuple[str, str]:
    """Make a key; its id and the whole key, which nobody can read again.

    Raises
    ------
    ZhipaiError
        E7854–E7856 roles, E7860 administrators' roles, unknown actions, or days out of range.
    """
    granted = check_roles(roles)
    if not granted or granted & {ADMIN, SECURITY_ADMIN}:
        raise ZhipaiError("E7860", {"problem": "至少一个角色，且不能是管理员"})
    allowed = frozenset[str]().union(*(ROLES[role].actions for role in granted))
    if actions is not None and (not actions or not allowed >= set(actions)):
        raise ZhipaiError("E7860", {"problem": f"这些角色可用的操作是：{'、'.join(sorted(allowed))}"})
    if not 1 <= days <= LONGEST_DAYS:
        raise ZhipaiError("E7860", {"problem": f"有效期为 1 至 {LONGEST_DAYS} 天"})
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    permission = check_grant(order.actor, f"key:{key_id}", (), granted)
    row = {
        "key_id": key_id,
        "secret_hash": hash_of(secret),
        "title": title,
        "roles": sorted(granted),
        "actions": None if actions is None else sorted(actions),
        "districts": sorted(districts),
        "units": sorted(units),
        "created_by": order.actor.name,
        "created_at": order.at.isoformat(),
        "expires_at": (order.at + timedelta(days=days)).isoformat(),
        "revoked_at": None,
        "used_at": None,
    }
    with writing(engine) as connection:
        connection.execute(insert(ACCESS_KEYS).values(row))
        record_change(
            connection,
            actor=order.actor,
            permission=permission,
            what="create_key",
            subject=f"key:{key_id}",
            before=None,
            after=row,
            reason=order.reason.strip(),
            at=order.at,
            request_id=order.request_id,
        )
        connection.commit()
    return key_id, f"{PREFIX}{key_id}_{secret}"


def revoke_key(engine: Engine, order: Order, key_id: str) -> dict[str, Any]:
    """Revoke a key at once. Doing it again is no error."""
    with writing(engine) as connection:
        row = connection.execute(select(ACCESS_KEYS).where(ACCESS_KEYS.c.key_id == key_id)).mappings().first()
        if row is None or not within_reach(order.actor, row["roles"]):
            raise ZhipaiError("E7858", {"key_id": key_id[:16]})
        permission = check_grant(order.actor, f"key:{key_id}", row["roles"], row["roles"])
        after = dict(row) | {"revoked_at": row["revoked_at"] or order.at.isoformat()}
        if row["revoked_at"] is None:
            connection.execute(
                update(ACCESS_KEYS).where(ACCESS_KEYS.c.key_id == key_id).values(revoked_at=after["revoked_at"])
            )
            record_change(
                connection,
                actor=order.actor,
                permission=permission,
                what="revoke_key",
                subject=f"key:{key_id}",
                before=dict(row),
                after=after,
                reason=order.reason.strip(),
                at=order.at,
                request_id=order.request_id,
            )
            connection.commit()
    return shown(after)


def list_keys(engine: Engine, actor: Actor) -> list[dict[str, Any]]:
    """The keys that ``actor`` may see, the newest first. Never a secret."""
    if not actor.may("access.grant_auditor").allowed:
        require(actor, "access.manage")
    with reading(engine) as connection:
        rows = connection.execute(select(ACCESS_KEYS).order_by(ACCESS_KEYS.c.created_at.desc())).mappings().all()
    return [shown(dict(row)) for row in rows if within_reach(actor, row["roles"])]


def find_key(engine: Engine, presented: str, *, at: datetime) -> Actor:
    """Whoever holds a key; E6525 whatever is wrong with it."""
    key_id, _, secret = presented.removeprefix(PREFIX).partition("_")
    with reading(engine) as connection:
        row = connection.execute(select(ACCESS_KEYS).where(ACCESS_KEYS.c.key_id == key_id[:16])).mappings().first()
    # Compared even when there is no such key, so that the time tells nothing.
    same = hmac.compare_digest(hash_of(secret), row["secret_hash"] if row else hash_of("")) and row is not None
    if not same or row is None or row["revoked_at"] or at >= datetime.fromisoformat(row["expires_at"]):
        raise ZhipaiError("E6525")
    if row["used_at"] is None or at - datetime.fromisoformat(row["used_at"]) >= SEEN:
        with suppress(ZhipaiError), writing(engine) as connection:
            connection.execute(
                update(ACCESS_KEYS).where(ACCESS_KEYS.c.key_id == row["key_id"]).values(used_at=at.isoformat())
            )
            connection.commit()
    actions = None if row["actions"] is None else frozenset(row["actions"])
    scope = Scope.of(districts=row["districts"], units=row["units"])
    return Actor(f"key:{row['key_id']}", row["title"], frozenset(row["roles"]), scope, "key", actions)


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A key as an administrator sees it."""
    return {name: row[name] for name in row if name != "secret_hash"} | {
        "action_titles": None if row["actions"] is None else [ACTIONS[one] for one in row["actions"]]
    }
