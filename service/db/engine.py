"""The database engine: SQLite in WAL mode with full sync by default, and errors that a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from intake.errors import ZhipaiError, register

register(
    "E6001",
    "数据库被占用",
    "数据库正被别的操作占用，没有轮到。刚才的内容没有保存，请稍后重试。",
    status=503,
    exit_code=3,
)
register(
    "E6002",
    "数据库只读",
    "数据库不能写入（只读的磁盘或文件权限）。刚才的内容没有保存，请让管理员检查数据文件夹的权限。",
    status=503,
    exit_code=3,
)
register(
    "E6003", "磁盘已满", "磁盘空间不足，刚才的内容没有保存。请清理数据文件夹所在的磁盘后重试。", status=507, exit_code=3
)
register(
    "E6004",
    "数据库打不开",
    "数据库打不开或已损坏。请检查数据文件夹；不要删除原文件，可从备份恢复。",
    status=503,
    exit_code=3,
)
register(
    "E6005",
    "数据库版本不符",
    "数据库的结构版本与程序不符（库：{found}，程序：{expected}）。请先运行 make install 或 zhipai setup。",
    status=503,
    exit_code=3,
)

BUSY_SECONDS = 5


def make_engine(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """Make an engine.

    SQLite gets WAL (readers never wait for the writer), ``synchronous=FULL`` (an acknowledged decision survives a power
    cut), foreign keys, and a bounded wait for the write lock.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": busy_seconds})

    @event.listens_for(engine, "connect")
    def _pragmas(connection, _record) -> None:  # type: ignore[no-untyped-def]
        # The driver's own BEGIN is DEFERRED: two writers would then fail at the upgrade instead of waiting their turn.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection) -> None:  # type: ignore[no-untyped-def]
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def database_error(error: DBAPIError) -> ZhipaiError:
    """Translate what the driver says into what a user can do."""
    said = str(error.orig).lower()
    if "locked" in said or "busy" in said:
        return ZhipaiError("E6001")
    if "readonly" in said or "read-only" in said:
        return ZhipaiError("E6002")
    if "full" in said:
        return ZhipaiError("E6003")
    return ZhipaiError("E6004")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; leaves nothing behind."""
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as error:
        raise database_error(error) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One unit of work: leave the block without ``commit()`` and nothing happened.

    The write lock is taken at the start, so that what is read inside the block still holds when it is written.
    """
    try:
        with engine.connect().execution_options(writing=True) as connection:
            yield connection
    except OperationalError as error:
        raise database_error(error) from error


def check_version(engine: Engine) -> None:
    """Raise E6005 if the database was made by another version of the program."""
    from service.db.migrate import current_revision, head_revision

    found, expected = current_revision(engine), head_revision()
    if found != expected:
        raise ZhipaiError("E6005", {"found": found or "空", "expected": expected})


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite address, or None for another database."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
