"""Checkpoints of the log: signed, remembered, and written to a folder that another office can take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select

from intake.errors import ZhipaiError, register
from service.audit.keys import KeyStore, write_whole
from service.audit.note import Checkpoint, parse_checkpoint
from service.audit.tree import identity_of, root_at, size_of
from service.db.engine import reading, writing
from service.db.tables_audit import LOG_CHECKPOINTS
from service.settings import Settings

register(
    "E7804",
    "日志与签过的检查点矛盾",
    "日志前 {size} 条与签过的检查点（{where}）不符，不能再签发。请运行 zhipai audit verify 查明，并从备份恢复。",
    status=503,
    exit_code=4,
)
register("E7805", "日志还是空的", "决定日志里还没有记录，没有可签发的检查点。", status=404)
register(
    "E7806",
    "检查点写不进去",
    "检查点不能写到文件夹“{folder}”：{problem}。检查点已签发并存在数据库里，请修好文件夹后再运行。",
    status=503,
    exit_code=3,
)

SUFFIX = ".checkpoint"


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint and when it was signed."""

    checkpoint: Checkpoint
    signed_at: str


def newest(connection: Connection) -> Stored | None:
    """The checkpoint that was signed last."""
    row = connection.execute(
        select(LOG_CHECKPOINTS.c.note, LOG_CHECKPOINTS.c.created_at).order_by(LOG_CHECKPOINTS.c.id.desc()).limit(1)
    ).first()
    return Stored(parse_checkpoint(row.note, name="数据库"), row.created_at) if row else None


def note_of(connection: Connection, size: int) -> str:
    """The checkpoint that was signed last at a size; empty if none was."""
    table = LOG_CHECKPOINTS.c
    return (
        connection.execute(select(table.note).where(table.size == size).order_by(table.id.desc()).limit(1)).scalar()
        or ""
    )


def sign_checkpoint(engine: Engine, settings: Settings, *, at: datetime) -> Checkpoint:
    """A checkpoint of the log as it stands; the last one again if nothing was added since and its key is in use.

    Raises
    ------
    ZhipaiError
        E7805 empty log, E7804 the log contradicts the last checkpoint, E7813 no usable key.
    """
    with reading(engine) as connection:
        identity, size, last = identity_of(connection), size_of(connection), newest(connection)
        if size == 0 and last is None:
            raise ZhipaiError("E7805")
        if last is not None:
            _agrees(connection, last.checkpoint, size)
        public, private = KeyStore(settings.key_folder).current(identity.origin, at=at)
        if last and last.checkpoint.size == size and last.checkpoint.signatures[0][1] == public.id:
            return last.checkpoint
        root = root_at(connection, size, identity.hasher)
    signed = Checkpoint(identity.origin, size, root).signed(public.name, private)
    with writing(engine) as connection:
        standing = newest(connection)
        if standing is not None and standing.checkpoint.size > size:
            # Another process was faster, and its checkpoint holds ours.
            return standing.checkpoint
        connection.execute(
            insert(LOG_CHECKPOINTS).values(size=size, key_id=public.id, note=signed.note, created_at=at.isoformat())
        )
        connection.commit()
    return signed


def _agrees(connection: Connection, last: Checkpoint, size: int) -> None:
    hasher = identity_of(connection).hasher
    if last.size > size or root_at(connection, last.size, hasher) != last.root:
        raise ZhipaiError("E7804", {"size": last.size, "where": "数据库"})


def file_name(checkpoint: Checkpoint) -> str:
    """Sorted by size; two keys may sign the same size."""
    return f"{checkpoint.size:012d}-{checkpoint.signatures[0][1]}{SUFFIX}"


def publish(checkpoint: Checkpoint, folder: Path, keys: KeyStore) -> Path:
    """Write a checkpoint, and the public keys beside it, into a folder.

    A file of that name that says something else is left as it is: it may be the only witness.

    Raises
    ------
    ZhipaiError
        E7804 the folder holds another checkpoint of this size, E7806 the folder cannot be written.
    """
    path = folder / file_name(checkpoint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            if path.read_text(encoding="utf-8") != checkpoint.note:
                raise ZhipaiError("E7804", {"size": checkpoint.size, "where": path.name})
            return path
        for entry in keys.entries():
            public = folder / f"log-{entry.key.id}.pub"
            if not public.exists():
                write_whole(public, f"{entry.key.line}\n".encode())
        write_whole(path, checkpoint.note.encode())
    except (OSError, UnicodeDecodeError) as error:
        problem = {2: "文件夹不存在", 13: "没有权限", 28: "磁盘空间不足", 30: "只读的磁盘"}.get(
            getattr(error, "errno", 0) or 0, "系统拒绝"
        )
        raise ZhipaiError("E7806", {"folder": folder.name, "problem": problem}) from error
    return path


def checkpoints_in(folder: Path) -> list[tuple[str, str]]:
    """The notes in a folder by file name, smallest first; what cannot be read as text gives an empty note."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            found.append((path.name, path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            found.append((path.name, ""))
    return found
