"""What is handed to somebody who does not have the database: one record and its proof, or the proof that one checkpoint
is the beginning of another. One JSON file each; ``tools/check_bundle.py`` checks both with nothing but Python."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from service.audit.checkpoint import newest, note_of, sign_checkpoint
from service.audit.merkle import HASHES, TreeHash, consistent, includes
from service.audit.note import Checkpoint, PublicKey, parse_checkpoint
from service.audit.tree import consistency_proof, identity_of, inclusion_proof, root_at
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.settings import Settings

register("E7814", "证明文件不完整", "证明文件“{name}”不是 zhipai audit bundle 或 consistency 写出的文件：{problem}。")
register("E7815", "证明不成立", "证明文件“{name}”不成立：{problem}。", exit_code=4)
register("E7816", "没有这条记录", "日志里没有编号为“{decision_id}”的记录。请核对编号。", status=404)
register(
    "E7817",
    "检查点与日志不一致",
    "{size} 条时的检查点与日志不符：签发之后历史被改写过。请运行 zhipai audit verify 查明。",
    status=409,
    exit_code=4,
)
register("E7820", "两个检查点的次序反了", "前一个检查点（{first} 条）比后一个（{second} 条）长，请交换次序。")

RECORD, CONSISTENCY = "zhipai-record/1", "zhipai-consistency/1"


def make_bundle(engine: Engine, settings: Settings, decision_id: str, *, at: datetime) -> bytes:
    """One record with the proof that a signed checkpoint holds it; canonical JSON.

    The newest checkpoint is used; a new one is signed if the record came after it.

    Raises
    ------
    ZhipaiError
        E7816 no such record, E7801 the tree does not reach it, E7804 and E7813 if a checkpoint has to be signed.
    """
    with reading(engine) as connection:
        row = connection.execute(
            select(DECISIONS.c.sequence, DECISIONS.c.record).where(DECISIONS.c.decision_id == decision_id)
        ).first()
        last = newest(connection)
    if row is None:
        raise ZhipaiError("E7816", {"decision_id": decision_id[:80]})
    if last is None or last.checkpoint.size < row.sequence:
        checkpoint = sign_checkpoint(engine, settings, at=at)
    else:
        checkpoint = last.checkpoint
    with reading(engine) as connection:
        hasher = identity_of(connection).hasher
        proof = inclusion_proof(connection, row.sequence, checkpoint.size, hasher)
    return canonical_json(
        {
            "format": RECORD,
            "hash": hasher.name,
            "decision_id": decision_id,
            "sequence": row.sequence,
            "record": row.record.decode(),
            "proof": _written(proof),
            "checkpoint": checkpoint.note,
            "key_id": checkpoint.signatures[0][1],
        }
    )


def make_consistency(engine: Engine, first: int, second: int, notes: Sequence[str] = ()) -> bytes:
    """The proof that the first ``first`` records are the beginning of the first ``second``; canonical JSON.

    Parameters
    ----------
    notes : sequence of str
        The signed checkpoints of both sizes; if not given, those that the database has (empty where it has none).

    Raises
    ------
    ZhipaiError
        E7803 the log is shorter, E7820 the first is larger than the second.
    """
    if first > second:
        raise ZhipaiError("E7820", {"first": first, "second": second})
    with reading(engine) as connection:
        hasher = identity_of(connection).hasher
        notes = notes or [note_of(connection, size) for size in (first, second)]
        ends: list[dict[str, str | int]] = [
            {"size": size, "root": _text(root_at(connection, size, hasher)), "checkpoint": note}
            for size, note in zip((first, second), notes, strict=True)
        ]
        proof = consistency_proof(connection, first, second, hasher)
    return canonical_json(
        {"format": CONSISTENCY, "hash": hasher.name, "from": ends[0], "to": ends[1], "proof": _written(proof)}
    )


def prove_consistency(engine: Engine, first: Checkpoint, second: Checkpoint) -> bytes:
    """The proof between two checkpoints whose signatures have been verified; E7817 if the log is not what both saw."""
    content = make_consistency(engine, first.size, second.size, (first.note, second.note))
    document = json.loads(content)
    for checkpoint, end in ((first, document["from"]), (second, document["to"])):
        if end["root"] != _text(checkpoint.root):
            raise ZhipaiError("E7817", {"size": checkpoint.size})
    return content


def check_proof(content: bytes, keys: Sequence[PublicKey], *, name: str) -> dict[str, Any]:
    """Check a file of :func:`make_bundle` or :func:`make_consistency` without any database.

    Returns
    -------
    dict
        ``says``, and what was proved.

    Raises
    ------
    ZhipaiError
        E7814 not such a file, E7815 it does not hold, E7812 a checkpoint in it cannot be read.
    """
    try:
        document = json.loads(content)
        kind, hash_name = document["format"], document["hash"]
        if hash_name not in HASHES:
            raise ZhipaiError("E7814", {"name": name, "problem": "摘要算法不认识"})
        hasher = TreeHash(hash_name)
        proof = [base64.b64decode(one, validate=True) for one in document["proof"]]
        if kind == RECORD:
            return _check_record(document, hasher, proof, keys, name)
        if kind == CONSISTENCY:
            return _check_consistency(document, hasher, proof, keys, name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ZhipaiError("E7814", {"name": name, "problem": "缺少内容或写法不对"}) from error
    raise ZhipaiError("E7814", {"name": name, "problem": "格式不认识"})


def _check_record(
    document: dict[str, Any], hasher: TreeHash, proof: list[bytes], keys: Sequence[PublicKey], name: str
) -> dict[str, Any]:
    record = document["record"].encode()
    said = json.loads(record)
    sequence, decision_id = said["sequence"], said["decision_id"]
    checkpoint, key = _trusted(document["checkpoint"], keys, name)
    if (sequence, decision_id) != (document["sequence"], document["decision_id"]):
        raise ZhipaiError("E7815", {"name": name, "problem": "封面上的序号或编号与记录里的不同"})
    if not includes(hasher, hasher.leaf(record), sequence - 1, checkpoint.size, proof, checkpoint.root):
        raise ZhipaiError("E7815", {"name": name, "problem": "记录不在检查点签过的日志里，或被改过"})
    says = f"记录 {decision_id} 是日志“{checkpoint.origin}”的第 {sequence} 号，一字未改（密钥 {key.id} 签过 {checkpoint.size} 条）。"
    return {
        "says": says,
        "format": RECORD,
        "decision_id": decision_id,
        "sequence": sequence,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "key_id": key.id,
    }


def _check_consistency(
    document: dict[str, Any], hasher: TreeHash, proof: list[bytes], keys: Sequence[PublicKey], name: str
) -> dict[str, Any]:
    ends = [document["from"], document["to"]]
    origins, signers = set(), []
    for end in ends:
        checkpoint, key = _trusted(end["checkpoint"], keys, name)
        origins.add(checkpoint.origin)
        signers.append(key.id)
        if (checkpoint.size, _text(checkpoint.root)) != (end["size"], end["root"]):
            raise ZhipaiError("E7815", {"name": name, "problem": "封面上的条数或根与检查点里的不同"})
    if len(origins) != 1:
        raise ZhipaiError("E7815", {"name": name, "problem": "两个检查点不是同一份日志的"})
    sizes, roots = [end["size"] for end in ends], [base64.b64decode(end["root"]) for end in ends]
    if not consistent(hasher, sizes[0], sizes[1], roots[0], roots[1], proof):
        raise ZhipaiError("E7815", {"name": name, "problem": "前一个检查点的日志不是后一个的开头"})
    says = (
        f"日志“{origins.pop()}”从 {sizes[0]} 条到 {sizes[1]} 条只增未改（密钥 {'、'.join(dict.fromkeys(signers))}）。"
    )
    return {"says": says, "format": CONSISTENCY, "from": sizes[0], "to": sizes[1], "key_ids": signers}


def _trusted(note: str, keys: Sequence[PublicKey], name: str) -> tuple[Checkpoint, PublicKey]:
    if not note:
        raise ZhipaiError("E7815", {"name": name, "problem": "里面没有签过名的检查点"})
    checkpoint = parse_checkpoint(note, name=name)
    key = checkpoint.verify(list(keys))
    if key is None:
        raise ZhipaiError("E7815", {"name": name, "problem": "检查点不是给出的公钥签的，或签名与内容不符"})
    return checkpoint, key


def _written(proof: Sequence[bytes]) -> list[str]:
    return [_text(one) for one in proof]


def _text(root: bytes) -> str:
    return base64.b64encode(root).decode()
