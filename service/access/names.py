"""Who did something, in words: the one place that makes a name for people of what stands in the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, literal, select, union_all

from service.access.actor import LOCAL
from service.db.tables_access import ACCESS_KEYS, ACCOUNTS

#: What stands for no person. No account may be called so (:mod:`service.access.accounts`).
TECHNICAL = {LOCAL: "本机", "system": "系统", "import": "文件导入", "zhipai train": "命令行训练"}
NOBODY = "有人"


@dataclass(frozen=True, slots=True)
class Person:
    """``said``: what people read. ``account``: what stands in the record, where that is something else they may want."""

    said: str
    account: str = ""


def read_names(connection: Connection) -> dict[str, str]:
    """Account → name, and ``key:<id>`` → title. One query, for as many people as a page shows."""
    keys = select(literal("key:") + ACCESS_KEYS.c.key_id, ACCESS_KEYS.c.title)
    found = connection.execute(union_all(select(ACCOUNTS.c.name, ACCOUNTS.c.display), keys))
    return {row[0]: row[1] for row in found}


def person(actor: str, names: Mapping[str, str]) -> Person:
    """An actor of the records. A name that is no account (told without sign-in, or from elsewhere) stays as it is."""
    if not actor:
        return Person(NOBODY)
    if actor in TECHNICAL:
        return Person(TECHNICAL[actor])
    kind, _, rest = actor.partition(":")
    if kind == "shell" and rest:
        return Person(f"命令行 {rest}", actor)
    if kind == "key" and rest:
        key, _, behalf = rest.partition("/")
        by = f"接口 {names.get(f'key:{key}') or key}"
        return Person(f"{person(behalf, names).said}（经{by}）" if behalf else by, actor)
    name = names.get(actor, actor)
    return Person(name, actor if name != actor else "")


def said(connection: Connection, actor: str) -> str:
    """Who did something, for a sentence that is read once (an error, a toast)."""
    return person(actor, read_names(connection)).said


def account_of(typed: str, names: Mapping[str, str]) -> list[str]:
    """What somebody may mean by a name that he typed: it stands in the records as one of these."""
    if typed in names:
        return [typed]
    technical = [actor for actor, name in TECHNICAL.items() if name == typed]
    accounts = sorted(actor for actor, name in names.items() if name == typed)
    return technical or accounts or [typed]
