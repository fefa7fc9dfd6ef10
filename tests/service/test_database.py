"""The database: its migrations make the tables of the code, and a wrong version is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from intake.errors import ZhipaiError
from knowledge_base import entry_from_dict
from service.db.engine import carry_over, check_version, make_engine
from service.db.migrate import upgrade
from service.db.tables import Base
from service.entries import current_entries, import_entries, last_event

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(engine)
    return engine


def test_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_upgrade_again_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    check_version(engine)


@pytest.mark.parametrize("revision", ["", "9999"])
def test_database_of_another_version_is_refused(tmp_path: Path, revision: str) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'b.db'}")
    if revision:
        upgrade(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": revision})
    with pytest.raises(ZhipaiError) as caught:
        check_version(engine)
    assert caught.value.code == "E6005"


def test_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.db").write_bytes(b"not a database, but long enough to look like one" * 50)
    with pytest.raises(ZhipaiError) as caught:
        check_version(make_engine(f"sqlite:///{tmp_path / 'c.db'}"))
    assert caught.value.code == "E6004"


@pytest.mark.parametrize("pragma", [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_sqlite_is_durable_and_checked(engine: Engine, pragma: tuple[str, object]) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma[0]}")).scalar() == pragma[1]


def test_the_log_is_carried_over_beside_the_calls(engine: Engine, tmp_path: Path) -> None:
    """No call carries it over before it is large; afterwards another copy of the file alone has what was committed."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE filled (id INTEGER PRIMARY KEY, body TEXT)"))
        body = {"body": "字" * 1000}
        connection.execute(text("INSERT INTO filled (body) VALUES (:body)"), [body] * 2000)
    log = tmp_path / "a.db-wal"
    assert log.stat().st_size > 1000 * 4096, "SQLite 自己会在 1000 页时写入"

    def rows_without_log() -> int:
        (tmp_path / "copy.db").write_bytes((tmp_path / "a.db").read_bytes())
        with make_engine(f"sqlite:///{tmp_path / 'copy.db'}").connect() as other:
            found = other.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'filled'")).scalar()
            return int(other.execute(text("SELECT count(*) FROM filled")).scalar() or 0) if found else 0

    assert rows_without_log() == 0
    carry_over(engine)
    assert rows_without_log() == 2000


def test_carrying_over_waits_for_nobody(engine: Engine) -> None:
    """Neither for a reader, whose pages stay in the log, nor for a writer."""
    with engine.connect() as reader, engine.connect().execution_options(writing=True) as writer:
        reader.execute(text("SELECT count(*) FROM alembic_version")).scalar()
        writer.execute(text("UPDATE alembic_version SET version_num = version_num"))
        carry_over(engine)
        writer.commit()
    check_version(engine)


def entry(**changes: object):
    row = {"id": "K1", "title": "居住证办理", "questions": ["外地人咋办证"], "answer": "带身份证到派出所。", "unit": "市公安局",
           "matter": "", "district": "", "effective_from": "2026-01-01", "effective_to": None, "clause": "", "source": "示范"}  # fmt: skip
    return entry_from_dict(row | changes, number=1)


def test_import_again_changes_nothing_and_a_change_is_a_new_version(engine: Engine) -> None:
    assert import_entries(engine, [entry()], at=AT) == {"added": 1, "changed": 0, "unchanged": 0}
    before = last_event(engine)
    assert import_entries(engine, [entry()], at=AT) == {"added": 0, "changed": 0, "unchanged": 1}
    assert last_event(engine) == before
    assert import_entries(engine, [entry(answer="改为网上办理。")], at=AT)["changed"] == 1
    assert last_event(engine) != before
    assert [one.answer for one in current_entries(engine)] == ["改为网上办理。"]
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from entries")).scalar() == 2, "旧版本仍在"
