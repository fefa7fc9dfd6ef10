"""Sessions of people: a random token in a cookie, its hash in the database, an idle and an absolute limit."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, RowMapping, delete, insert, select, update

from intake.errors import ZhipaiError
from service.access.actor import Actor, Scope
from service.db.engine import reading, writing
from service.db.tables_access import ACCESS_SESSIONS, ACCOUNTS

#: The last use is written down at most this often.
SEEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts without use, and at all."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. ``must_change``: nothing but a new password is allowed."""

    actor: Actor
    token: str
    must_change: bool

    @property
    def csrf(self) -> str:
        return csrf_of(self.token)


def csrf_of(token: str) -> str:
    """The token that goes with a session's pages: worked out from the secret in the cookie, which it does not give away."""
    return hashlib.sha256(f"csrf:{token}".encode()).hexdigest()


def hash_of(token: str) -> str:
    """What of a random 256-bit token is stored. It cannot be guessed, so that a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def start(engine: Engine, account: str, *, at: datetime, limits: Limits) -> str:
    """Begin a session and return its token. Sessions that are over, whoever's, are cleared away."""
    token = secrets.token_urlsafe(32)
    with writing(engine) as connection:
        for row in connection.execute(select(ACCESS_SESSIONS)).mappings().all():
            if _over(row, at, limits):
                connection.execute(delete(ACCESS_SESSIONS).where(ACCESS_SESSIONS.c.token_hash == row["token_hash"]))
        connection.execute(
            insert(ACCESS_SESSIONS).values(
                token_hash=hash_of(token), account=account, started_at=at.isoformat(), seen_at=at.isoformat()
            )
        )
        connection.commit()
    return token


def find(engine: Engine, token: str, *, at: datetime, limits: Limits) -> Session | None:
    """The session of a token; None if there is none, if it is over, or if the account was closed."""
    with reading(engine) as connection:
        row = (
            connection.execute(
                select(ACCESS_SESSIONS, ACCOUNTS)
                .join(ACCOUNTS, ACCOUNTS.c.name == ACCESS_SESSIONS.c.account)
                .where(ACCESS_SESSIONS.c.token_hash == hash_of(token))
            )
            .mappings()
            .first()
        )
    if row is None or row["closed"] or _over(row, at, limits):
        return None
    if at - datetime.fromisoformat(row["seen_at"]) >= SEEN:
        # A busy database must not cost a reader his page; the next request tries again.
        with suppress(ZhipaiError), writing(engine) as connection:
            connection.execute(
                update(ACCESS_SESSIONS)
                .where(ACCESS_SESSIONS.c.token_hash == row["token_hash"])
                .values(seen_at=at.isoformat())
            )
            connection.commit()
    scope = Scope.of(districts=row["districts"], units=row["units"])
    actor = Actor(row["name"], row["display"], frozenset(row["roles"]), scope, "session")
    return Session(actor, token, row["must_change"])


def end(engine: Engine, token: str) -> None:
    """Sign out. Doing it again is no error."""
    with writing(engine) as connection:
        connection.execute(delete(ACCESS_SESSIONS).where(ACCESS_SESSIONS.c.token_hash == hash_of(token)))
        connection.commit()


def end_all(engine: Engine, account: str) -> int:
    """Sign out everywhere; how many sessions that were."""
    with writing(engine) as connection:
        ended = connection.execute(delete(ACCESS_SESSIONS).where(ACCESS_SESSIONS.c.account == account)).rowcount
        connection.commit()
    return ended


def _over(row: RowMapping, at: datetime, limits: Limits) -> bool:
    started, seen = (datetime.fromisoformat(row[key]) for key in ("started_at", "seen_at"))
    # A clock that stepped back must not keep a session alive for longer.
    return not (started - SEEN <= at < started + limits.longest) or at >= seen + limits.idle
