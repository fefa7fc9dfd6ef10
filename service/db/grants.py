"""What the service's own PostgreSQL role may do: add to the append-only tables and read them, and nothing else with them.

Triggers stop whoever asks, but the owner of a table can take its triggers off. A service that does not run as the owner
cannot. SQLite has no roles: there the triggers stand alone, and the checkpoints in another office.
"""

from __future__ import annotations

import re

from sqlalchemy import Engine, text

from intake.errors import ZhipaiError, register
from service.db.append_only import APPEND_ONLY, DELETABLE
from service.db.engine import check_version, reading, writing
from service.db.tables import Base

register(
    "E6015",
    "角色名不对",
    "“{role}”不能作服务的数据库角色：{why}。",
)
register(
    "E6016",
    "不是 PostgreSQL",
    "这个库是 SQLite，没有角色可以授权；它由触发器和交给别的部门的检查点守着。",
)

ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def grants(role: str) -> list[str]:
    """The statements, to be run by the owner of the tables; repeatable. E6015 for a name that is no plain identifier."""
    if not ROLE.fullmatch(role):
        raise ZhipaiError("E6015", {"role": role[:63], "why": "只能由小写字母、数字和下划线组成，不以数字开头"})
    tables = sorted(Base.metadata.tables)
    everything = ", ".join(["alembic_version", *tables])
    statements = [
        f"REVOKE ALL ON {everything} FROM {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
        f"GRANT SELECT, INSERT ON {', '.join(sorted(APPEND_ONLY))} TO {role}",
        f"GRANT SELECT, INSERT, DELETE ON {', '.join(sorted(DELETABLE))} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(sorted(set(tables) - APPEND_ONLY - DELETABLE))} TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
    ]
    return statements


def grant_app(engine: Engine, role: str) -> None:
    """Run them; after every update of the program again, for tables that are new.

    Raises
    ------
    ZhipaiError
        E6015 if the role is not there, is a superuser or owns the log itself, E6016 on SQLite, E6005 for a database of
        another version, E6010 if the caller is not the owner.
    """
    statements = grants(role)
    if engine.dialect.name != "postgresql":
        raise ZhipaiError("E6016")
    check_version(engine)
    with reading(engine) as connection:
        powers = connection.execute(
            text("SELECT rolsuper FROM pg_roles WHERE rolname = :role"), {"role": role}
        ).scalar()
        owner = connection.execute(
            text(
                "SELECT pg_has_role(:role, tableowner, 'MEMBER') FROM pg_tables WHERE tablename = 'decisions'"
                " AND EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :role)"
            ),
            {"role": role},
        ).scalar()
    for wrong, why in (
        (powers is None, "没有这个角色，请先 CREATE ROLE"),
        (bool(powers), "它是超级用户，授权管不住它"),
        (bool(owner), "它是表的主人或属于主人，能关掉触发器；请另建一个"),
    ):
        if wrong:
            raise ZhipaiError("E6015", {"role": role, "why": why})
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()
