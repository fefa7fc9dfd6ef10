"""The entries' vectors in Milvus, for a base that outgrows one machine. Needs the extra ``milvus``.

A row is named by what it holds: the hash of an entry's content and vector. Rows are added and never rewritten, so that
any number of snapshots and processes share a collection: each knows the names of its own rows and passes over others. A
base that is mostly new is put into a collection of its own, and the alias moves to it in one step when it is whole.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, TypeVar

import numpy as np

from intake.errors import ZhipaiError, register
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.filters import NEVER, Where
from knowledge_base.vectors import WIDE, Backend, FaissBackend, Vectors

register(
    "E4060",
    "没有安装 Milvus 客户端",
    "ZHIPAI_KB_BACKEND 是 milvus，但没有安装 pymilvus。请运行 pip install 'zhipai[milvus]'，或改回 faiss。",
    status=503,
    exit_code=3,
)
register(
    "E4061",
    "向量库用不了",
    "Milvus 向量库用不了（{problem}）。请检查 ZHIPAI_MILVUS_URI 和 Milvus 服务，或把 ZHIPAI_KB_BACKEND 改回 faiss。",
    status=503,
    exit_code=3,
)
register(
    "E4062",
    "没有写 Milvus 地址",
    "ZHIPAI_KB_BACKEND 是 milvus，但没有写 ZHIPAI_MILVUS_URI。请写服务地址，如 http://主机:19530。",
    status=503,
    exit_code=3,
)

PREFIX = "zhipai_kb"
#: Seconds that one request may take.
TIMEOUT = 10.0
_BATCH = 1000
#: Milvus gives no more than this in one search.
_MOST = 16_384
#: A mask that is no filter Milvus knows, with at most this many entries: their vectors are fetched and compared here.
_FETCHED = 2000
#: Rows that may be missing or left over in a collection before another is made.
_SLACK = 1000
_OUTPUT = ["name"]
Result = TypeVar("Result")


def open_backend(kind: Literal["faiss", "milvus"], *, uri: str = "", token: str = "") -> Backend:
    """The store that the settings name.

    Raises
    ------
    ZhipaiError
        E4060 without pymilvus, E4061 if the server does not answer, E4062 without an address.
    """
    return _milvus(uri, token) if kind == "milvus" else FaissBackend()


@cache
def _milvus(uri: str, token: str) -> MilvusBackend:
    if not uri:
        raise ZhipaiError("E4062")
    try:
        import pymilvus
    except ImportError as error:
        raise ZhipaiError("E4060") from error
    # It prints a stack trace for what is raised as well.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return MilvusBackend(_asked(lambda: pymilvus.MilvusClient(uri, token=token, timeout=TIMEOUT)))


def _asked(call: Callable[[], Result]) -> Result:
    """What Milvus answers; E4061 if it does not."""
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        return call()
    except (MilvusException, grpc.RpcError, OSError, ValueError) as error:
        # ValueError: a channel that was closed. The message may hold an address with a password: the kind is enough.
        raise ZhipaiError("E4061", {"problem": type(error).__name__}) from error


def name_of(entry: KnowledgeEntry, row: np.ndarray) -> str:
    """Name of an entry's row, 32 hex digits: of the content, and of the vector, which depends on encoder and word lists."""
    return hashlib.sha256(entry.content_hash.encode() + row.astype(np.float16).tobytes()).hexdigest()[:32]


def _number(word: str) -> int:
    """A word as a whole number: nothing that a user wrote gets into a filter's text."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:7], "big")


def _row(name: str, entry: KnowledgeEntry, vector: np.ndarray) -> dict[str, Any]:
    return {
        "name": name,
        "vector": vector.tolist(),
        "begin_day": entry.effective_from.toordinal(),
        "end_day": entry.effective_to.toordinal() if entry.effective_to else NEVER,
        "state": _number(entry.state),
        "district": _number(entry.district),
        "unit": _number(entry.unit),
    }


def _filter(where: Where) -> str:
    day = where.day.toordinal()
    parts = [f"begin_day <= {day}", f"end_day > {day}", f"state in {[_number(state) for state in where.states]}"]
    if where.district:
        parts.append(f"district in {[_number(''), _number(where.district)]}")
    if where.unit:
        parts.append(f"unit == {_number(where.unit)}")
    return " and ".join(parts)


class MilvusBackend:
    """Collections of one Milvus database. An installation should have a database of its own."""

    def __init__(self, client: Any):
        self.client = client

    def hold(self, entries: Sequence[KnowledgeEntry], rows: np.ndarray) -> MilvusVectors:
        """Adds what the collection in force lacks, or makes another aside and moves the alias when it is whole."""
        dim = rows.shape[1]
        names = [name_of(entry, row) for entry, row in zip(entries, rows, strict=True)]
        alias = f"{PREFIX}_{dim}"
        current = self._current(alias)
        held = self._names(current) if current else set()
        missing = [position for position, name in enumerate(names) if name not in held]
        slack = max(_SLACK, len(names) // 2)
        if not current or len(missing) > slack or len(held) + len(missing) - len(names) > slack:
            current = self._aside(alias, current, names, entries, rows)
        else:
            self.add(current, names, entries, rows, missing)
        return MilvusVectors(self, current, tuple(names), dim)

    def add(
        self,
        collection: str,
        names: Sequence[str],
        entries: Sequence[KnowledgeEntry],
        rows: np.ndarray,
        positions: Sequence[int],
    ) -> None:
        """Put in the rows at these positions of the others."""
        for first in range(0, len(positions), _BATCH):
            data = [
                _row(names[position], entries[position], rows[position])
                for position in positions[first : first + _BATCH]
            ]
            _asked(lambda data=data: self.client.upsert(collection, data, timeout=TIMEOUT))  # type: ignore[misc]

    def _aside(
        self, alias: str, before: str, names: Sequence[str], entries: Sequence[KnowledgeEntry], rows: np.ndarray
    ) -> str:
        # The same entries have the same name, so that two processes fill one collection, and one that was cut off is
        # gone on with.
        digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
        collection = f"{alias}_{digest}"
        if not _asked(lambda: self.client.has_collection(collection, timeout=TIMEOUT)):
            self._create(collection, rows.shape[1], len(names))
        held = self._names(collection)
        self.add(collection, names, entries, rows, [i for i, name in enumerate(names) if name not in held])
        if not self._names(collection) >= set(names):
            raise ZhipaiError("E4061", {"problem": "写入的条目没有全部到达"})
        if self._current(alias):
            _asked(lambda: self.client.alter_alias(collection, alias, timeout=TIMEOUT))
        else:
            _asked(lambda: self.client.create_alias(collection, alias, timeout=TIMEOUT))
        # The one before stays for the processes that still search it, those before that go.
        for old in _asked(lambda: self.client.list_collections(timeout=TIMEOUT)):
            if old.startswith(f"{alias}_") and old not in (collection, before):
                _asked(lambda old=old: self.client.drop_collection(old, timeout=TIMEOUT))  # type: ignore[misc]
        return collection

    def _create(self, collection: str, dim: int, size: int) -> None:
        from pymilvus import DataType

        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("name", DataType.VARCHAR, is_primary=True, max_length=32)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        for field in ("begin_day", "end_day", "state", "district", "unit"):
            schema.add_field(field, DataType.INT64)
        index = self.client.prepare_index_params()
        if size > WIDE:
            index.add_index("vector", index_type="HNSW", metric_type="IP", params={"M": 32, "efConstruction": 200})
        else:
            index.add_index("vector", index_type="FLAT", metric_type="IP")
        _asked(
            lambda: self.client.create_collection(
                collection, schema=schema, index_params=index, consistency_level="Strong", timeout=TIMEOUT
            )
        )

    def _current(self, alias: str) -> str:
        """The collection that the alias stands for; empty without one."""
        for collection in _asked(lambda: self.client.list_collections(timeout=TIMEOUT)):
            if collection.startswith(f"{alias}_"):
                found = _asked(lambda name=collection: self.client.list_aliases(name, timeout=TIMEOUT))  # type: ignore[misc]
                if alias in found["aliases"]:
                    return str(collection)
        return ""

    def _names(self, collection: str) -> set[str]:
        """The names of all rows."""

        def read() -> set[str]:
            names: set[str] = set()
            self.client.load_collection(collection, timeout=TIMEOUT)
            rows = self.client.query_iterator(collection, batch_size=_BATCH, output_fields=_OUTPUT, timeout=TIMEOUT)
            while batch := rows.next():
                names.update(row["name"] for row in batch)
            rows.close()
            return names

        return _asked(read)


@dataclass(frozen=True)
class MilvusVectors:
    """The rows of one snapshot in a collection, by the position of their entries: see :class:`Vectors`."""

    backend: MilvusBackend
    collection: str
    names: tuple[str, ...]
    dim: int

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def nearest(self, vector: np.ndarray, *, allowed: np.ndarray, where: Where | None, top: int) -> np.ndarray:
        admitted = np.flatnonzero(allowed)
        if where is None and len(admitted) <= _FETCHED:
            scores = self.rows(admitted) @ vector
            return admitted[np.lexsort((admitted, -scores))[:top]]
        limit = min(2 * top, _MOST)
        while True:
            found = _asked(lambda limit=limit: self._search(vector, where, limit))  # type: ignore[misc]
            known = [(self._position[name], score) for name, score in found if name in self._position]
            here = sorted((-score, position) for position, score in known if allowed[position])
            if len(here) >= min(top, len(admitted)) or len(found) < limit or limit == _MOST:
                return np.array([position for _, position in here[:top]], np.int64)
            limit = min(4 * limit, _MOST)

    def _search(self, vector: np.ndarray, where: Where | None, limit: int) -> list[tuple[str, float]]:
        hits = self.backend.client.search(
            self.collection,
            data=[vector.tolist()],
            filter=_filter(where) if where else "",
            limit=limit,
            output_fields=_OUTPUT,
            search_params={"metric_type": "IP", "params": {"ef": max(limit, 256)}},
            timeout=TIMEOUT,
        )
        return [(hit["name"], hit["distance"]) for hit in hits[0]]

    def rows(self, positions: np.ndarray) -> np.ndarray:
        rows = np.empty((len(positions), self.dim), np.float32)
        wanted = [self.names[position] for position in positions]
        for first in range(0, len(wanted), _BATCH):
            part = wanted[first : first + _BATCH]
            found = _asked(
                lambda part=part: self.backend.client.get(  # type: ignore[misc]
                    self.collection, ids=part, output_fields=["name", "vector"], timeout=TIMEOUT
                )
            )
            vectors = {row["name"]: row["vector"] for row in found}
            if len(vectors) < len(set(part)):
                raise ZhipaiError("E4061", {"problem": "有的条目不在向量库中"})
            rows[first : first + len(part)] = [vectors[name] for name in part]
        return rows

    def replaced(
        self, stay: np.ndarray, came: np.ndarray, entries: Sequence[KnowledgeEntry], rows: np.ndarray
    ) -> MilvusVectors:
        new = [entries[position] for position in np.flatnonzero(came).tolist()]
        names = [name_of(entry, row) for entry, row in zip(new, rows, strict=True)]
        self.backend.add(self.collection, names, new, rows, range(len(names)))
        kept, added = (name for name, stays in zip(self.names, stay, strict=True) if stays), iter(names)
        return MilvusVectors(
            self.backend, self.collection, tuple(next(added) if new else next(kept) for new in came), self.dim
        )

    def compact(self) -> Vectors:
        return self
