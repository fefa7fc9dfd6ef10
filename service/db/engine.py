"""The database engine: SQLite in WAL mode with full sync by default, or PostgreSQL; errors that a user can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError

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
register(
    "E6010",
    "数据库账号没有权限",
    "服务所用的数据库账号没有这项权限。刚才的内容没有保存，请让数据库管理员运行 zhipai db grant-app 授权。",
    status=503,
    exit_code=3,
)
register(
    "E6011",
    "数据库连接断了",
    "与数据库的连接断了，刚才的操作没有得到确认。请稍后重试；用同一个幂等键重发，不会记两次。",
    status=503,
    exit_code=3,
)
register(
    "E6012",
    "数据库不让登录",
    "数据库不让登录，或没有这个库。请检查 ZHIPAI_DATABASE_URL 里的主机、库名、用户和密码。",
    status=503,
    exit_code=3,
)
register("E6013", "有人抢先一步", "同一内容刚被另一处写入，刚才的内容没有保存。请看过现在的内容再操作。", status=409)
register(
    "E6014",
    "数据库地址写法不对",
    "ZHIPAI_DATABASE_URL 不是能用的地址。PostgreSQL 写成 postgresql://用户:密码@主机/库名；不填则用 SQLite。",
    exit_code=3,
)

Found = TypeVar("Found")

BUSY_SECONDS = 5
#: Pages of SQLite's write-ahead log (4 KB each) after which the call that wrote the last of them carries the log over into
#: the database, and waits for the disk meanwhile. The service does so beside its calls (:func:`carry_over`); SQLite's own
#: 1,000 were reached by every sixtieth proposal, which then took four times as long as the others.
WAL_PAGES = 16_000
#: Seconds to reach a PostgreSQL server.
CONNECT_SECONDS = 5
#: Key of PostgreSQL's advisory lock that stands for SQLite's write lock.
WRITE_LOCK = 0x5A504C47
_TAKE = text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=WRITE_LOCK)
#: SQLSTATE or its class (https://www.postgresql.org/docs/15/errcodes-appendix.html) → what to tell; the longer one wins.
STATES = {
    "08": "E6011",  # connection exception
    "23": "E6013",  # integrity constraint: somebody wrote the same in between
    "25006": "E6002",  # read-only transaction
    "28": "E6012",  # invalid authorization
    "3D000": "E6012",  # no such database
    "40": "E6001",  # serialization failure, deadlock
    "42501": "E6010",  # insufficient privilege
    "53100": "E6003",  # disk full
    "53": "E6001",  # out of memory, too many connections
    "55P03": "E6001",  # lock not available
    "57": "E6011",  # shut down, terminated by the administrator, starting up
    "57014": "E6001",  # canceled after its time
}

#: What a PostgreSQL server says when it refuses a connection.
REFUSED = ("authentication failed", "does not exist", "pg_hba.conf", "no password supplied")


def make_engine(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """Make an engine; E6014 for an address that cannot be meant.

    SQLite gets WAL (readers never wait for the writer), ``synchronous=FULL`` (an acknowledged decision survives a power
    cut), foreign keys, and a bounded wait for the write lock. PostgreSQL gets the same bound for its locks, and a
    connection is tried before it is used, so that the service goes on after the server was restarted.
    """
    if not url.startswith("sqlite"):
        return _make_postgres(url, busy_seconds)
    engine = create_engine(url, connect_args={"timeout": busy_seconds})

    @event.listens_for(engine, "connect")
    def _pragmas(connection, _record) -> None:  # type: ignore[no-untyped-def]
        # The driver's own BEGIN is DEFERRED: two writers would then fail at the upgrade instead of waiting their turn.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        cursor.execute("PRAGMA foreign_keys=ON")
        # What is deleted or moved to another page is overwritten with zeros: erased personal data leaves no residue.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection) -> None:  # type: ignore[no-untyped-def]
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def carry_over(engine: Engine) -> None:
    """Carry SQLite's write-ahead log over into the database, as far as no reader needs it; nobody waits for it.

    What was answered is safe before that: it stands, synced, in the log. PostgreSQL does so by itself.
    """
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            connection.close()


def _make_postgres(url: str, busy_seconds: float) -> Engine:
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        bounds: dict[str, object] = {"connect_timeout": CONNECT_SECONDS}
        if "options" not in address.query:
            bounds["options"] = f"-c lock_timeout={int(busy_seconds * 1000)}"
        return create_engine(address, pool_pre_ping=True, connect_args=bounds)
    except (ArgumentError, ImportError) as error:
        # Not chained: what the library says may repeat the password.
        raise ZhipaiError("E6014") from (None if isinstance(error, ArgumentError) else error)


def database_error(error: DBAPIError) -> ZhipaiError:
    """Translate what the driver says into what a user can do."""
    state = getattr(error.orig, "sqlstate", "")
    said = str(error.orig).lower()
    if state is None:
        # psycopg has no SQLSTATE where no connection came about or it broke; only the words tell a wrong password.
        return ZhipaiError("E6012" if any(words in said for words in REFUSED) else "E6011")
    if state:
        fitting = max((key for key in STATES if state.startswith(key)), key=len, default="")
        return ZhipaiError(STATES.get(fitting, "E6004"))
    if isinstance(error, IntegrityError):
        return ZhipaiError("E6013")
    if "locked" in said or "busy" in said:
        return ZhipaiError("E6001")
    if "readonly" in said or "read-only" in said:
        return ZhipaiError("E6002")
    if "full" in said:
        return ZhipaiError("E6003")
    if "closed" in said:
        return ZhipaiError("E6011")
    return ZhipaiError("E6004")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; leaves nothing behind. All that is read in it is of one moment, as it is on SQLite."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with _translated(), engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def writing(engine: Engine, *, late: bool = False) -> Iterator[Connection]:
    """One unit of work: leave the block without ``commit()`` and nothing happened.

    The write lock is taken at the start, so that what is read inside the block still holds when it is written: SQLite's
    own, or on PostgreSQL an advisory lock until the end of the transaction. ``late`` leaves it out on PostgreSQL, for
    work that is done again with it when somebody was quicker (:func:`once_more`).
    """
    with _translated(), engine.connect().execution_options(writing=True) as connection:
        if not late:
            hold(connection)
        yield connection


def hold(connection: Connection) -> None:
    """Keep every other writer out until the end of the transaction; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE)


def once_more(engine: Engine, work: Callable[[Connection], Found]) -> Found:
    """Run one unit of work, which commits. On PostgreSQL first without the write lock, so that several processes prepare
    theirs side by side; if another wrote the same in between, again with it, and then what stands is seen."""
    try:
        with writing(engine, late=True) as connection:
            return work(connection)
    except IntegrityError:
        if engine.dialect.name != "postgresql":
            raise
    with writing(engine) as connection:
        return work(connection)


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever the driver says becomes a sentence, but what it says about the data, which the caller can judge."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except DBAPIError as error:
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
