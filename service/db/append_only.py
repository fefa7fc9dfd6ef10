"""Triggers that keep a table append-only: UPDATE and DELETE fail at the database, whoever asks."""

from __future__ import annotations

from sqlalchemy import Connection, text

#: Tables that migrations put :func:`append_only` on; a test compares.
APPEND_ONLY = frozenset(
    {
        "decision_facts", "decision_verdicts", "decisions", "entries", "entry_events", "log_checkpoints", "log_identity",
        "log_tree", "order_events", "order_replies", "proposals", "rule_bundles", "rule_publications", "snapshot_parts",
    }
)  # fmt: skip
#: Those with :func:`never_changed`.
DELETABLE = frozenset({"personal_data"})


def append_only(connection: Connection, table: str) -> None:
    """Put the triggers on a table."""
    for statement in _statements(connection.dialect.name, table):
        connection.execute(text(statement))


def never_changed(connection: Connection, table: str) -> None:
    """A trigger against UPDATE alone, for rows that may be deleted but say the same as long as they stand."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is never changed'); END"
            )
        )
        return
    connection.execute(
        text(
            f"CREATE FUNCTION {table}_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is never changed'; END $$"
        )
    )
    connection.execute(
        text(
            f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_never_changed()"
        )
    )


def writable(connection: Connection, table: str) -> None:
    """Take the triggers off for a migration that builds the table anew, in the same transaction."""
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER {table}_no_{verb}"))
        return
    connection.execute(text(f"DROP TRIGGER {table}_append_only ON {table}"))
    connection.execute(text(f"DROP FUNCTION {table}_append_only()"))


def _statements(dialect: str, table: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
    ]
