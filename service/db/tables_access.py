"""Accounts, sessions, keys and failed sign-ins. The state of now: how it came about stands in the decision log."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class AccountRow(Base):
    """A person. Never deleted, for the log names him: closed. ``subject``: who he is at the OpenID provider.

    ``districts`` and ``units`` both empty stand for the whole city.
    """

    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    display: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    must_change: Mapped[bool] = mapped_column(Boolean)
    password_set_at: Mapped[str | None] = mapped_column(String(40))
    subject: Mapped[str | None] = mapped_column(String(255), unique=True)
    roles: Mapped[list] = mapped_column(JSON)
    districts: Mapped[list] = mapped_column(JSON)
    units: Mapped[list] = mapped_column(JSON)
    closed: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[str] = mapped_column(String(40))


class AccessSessionRow(Base):
    """A signed-in browser. Only a hash of its token is kept."""

    __tablename__ = "access_sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    started_at: Mapped[str] = mapped_column(String(40))
    seen_at: Mapped[str] = mapped_column(String(40))


class AccessKeyRow(Base):
    """A machine's key. Only a hash of its secret is kept. ``actions`` narrows what its roles allow; NULL does not."""

    __tablename__ = "access_keys"
    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(100))
    roles: Mapped[list] = mapped_column(JSON)
    actions: Mapped[list | None] = mapped_column(JSON(none_as_null=True))
    districts: Mapped[list] = mapped_column(JSON)
    units: Mapped[list] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[str] = mapped_column(String(40))
    expires_at: Mapped[str] = mapped_column(String(40))
    revoked_at: Mapped[str | None] = mapped_column(String(40))
    used_at: Mapped[str | None] = mapped_column(String(40))


class SignInFailureRow(Base):
    """How often a sign-in failed in a row, by a hash of the name that was typed: it may be a password, or nobody's name."""

    __tablename__ = "sign_in_failures"
    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[str] = mapped_column(String(40), index=True)
    locked_until: Mapped[str | None] = mapped_column(String(40))


ACCOUNTS = Base.metadata.tables["accounts"]
ACCESS_SESSIONS = Base.metadata.tables["access_sessions"]
ACCESS_KEYS = Base.metadata.tables["access_keys"]
SIGN_IN_FAILURES = Base.metadata.tables["sign_in_failures"]
