"""The same base in FAISS and in Milvus: milvus-lite is a server in this process, stopped with the test."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry, KnowledgeIndex, milvus, read_entries
from knowledge_base.filters import Where
from knowledge_base.milvus import PREFIX, MilvusBackend, open_backend
from models.encoder import Encoder

QUESTIONS = ("用公积金能贷多少钱", "居民医保啥时候交钱", "老年人优待证换发", "买房能把公积金取出来吗")


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[MilvusBackend]:
    pytest.importorskip("pymilvus", reason="没有安装 pymilvus（可选依赖 milvus），跳过 Milvus 的检查")
    manager = pytest.importorskip(
        "milvus_lite.server_manager", reason="没有安装 milvus-lite（只有部分系统有），跳过 Milvus 的检查"
    )
    uri = str(tmp_path / "milvus.db")
    backend = open_backend("milvus", uri=uri)
    assert isinstance(backend, MilvusBackend)
    yield backend
    backend.client.close()
    manager.server_manager_instance.release_server(uri)
    milvus._milvus.cache_clear()


def collections(backend: MilvusBackend) -> list[str]:
    return sorted(name for name in backend.client.list_collections() if name.startswith(PREFIX))


def both(entries: Any, encoder: Any, backend: MilvusBackend) -> tuple[KnowledgeIndex, KnowledgeIndex]:
    here = KnowledgeIndex.build(entries, encoder)
    return here, KnowledgeIndex.build(entries, encoder, cached=here.vectors, backend=backend)


def agree(one: KnowledgeIndex, other: KnowledgeIndex, text: str, as_of: datetime, **where: str) -> int:
    """Ten hits of each: the same entries, scores within a thousandth."""
    mine, theirs = (index.search(text, as_of=as_of, top=10, **where) for index in (one, other))
    assert [hit.entry.id for hit in mine] == [hit.entry.id for hit in theirs]
    for hit, twin in zip(mine, theirs, strict=True):
        assert hit.score == pytest.approx(twin.score, abs=1e-3)
        assert hit.parts == pytest.approx(twin.parts, abs=1e-3)
    return len(mine)


def test_questions_find_the_same_in_both(
    root: Path, real_encoder: Encoder, lite: MilvusBackend, as_of: datetime
) -> None:
    """A third of ``datasets/kb_queries`` over its entries and the city's."""
    folder = root / "datasets" / "kb_queries"
    entries = [*read_entries(root / "datasets" / "city" / "knowledge.jsonl"), *read_entries(folder / "entries.jsonl")]
    here, there = both(entries, real_encoder, lite)
    assert here.id == there.id
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()[::3]
    assert sum(agree(here, there, json.loads(line)["text"], as_of) for line in lines) > 8 * len(lines)


def test_filters_come_before_ranking_in_both(
    entries: tuple[KnowledgeEntry, ...], encoder: object, lite: MilvusBackend, as_of: datetime
) -> None:
    """Expired twins stand before the one in force; districts, units and states that would break a query's text."""
    twin = entries[2]
    expired = [replace(twin, id=f"a9{i:03d}", effective_to=date(2025, 1, 1)) for i in range(300)]
    odd = replace(twin, id="z", district="北\"区' or 1 == 1", unit='a\\b"]', title="怪单位的医保")
    here, there = both([*entries, *expired, odd], encoder, lite)
    for text in QUESTIONS:
        assert agree(here, there, text, as_of) >= 1
        for where in (
            {"district": "临江区"},
            {"unit": "市公安局"},
            {"state": "草稿"},
            {"district": odd.district},
            {"unit": odd.unit},
        ):
            agree(here, there, text, as_of, **where)
    assert [hit.entry.id for hit in there.search("医保", as_of=as_of, unit=odd.unit)] == ["z"]
    # The store itself passes over the 300, and says no more than is asked.
    vector = there.dense.query(encoder.encode([twin.title], kind="query")[0])
    where = Where(as_of.date())
    found = there.dense.nearest(vector, allowed=there.columns.mask(where), top=3, where=where)
    assert "a3" in [there.entries[position].id for position in found]
    assert len(found) == 3


def test_mask_that_is_no_filter_is_heeded(
    entries: tuple[KnowledgeEntry, ...], encoder: object, lite: MilvusBackend
) -> None:
    here, there = both(entries, encoder, lite)
    vector = here.dense.query(encoder.encode(["公积金"], kind="query")[0])
    allowed = np.array([True, False] * 4)
    for fetched in (2000, 0):
        milvus._FETCHED, before = fetched, milvus._FETCHED
        try:
            assert (
                here.dense.nearest(vector, allowed=allowed, top=3).tolist()
                == there.dense.nearest(vector, allowed=allowed, top=3).tolist()
            )
        finally:
            milvus._FETCHED = before


def test_changes_are_found_and_older_snapshots_stay(
    entries: tuple[KnowledgeEntry, ...], encoder: object, lite: MilvusBackend, as_of: datetime, tmp_path: Path
) -> None:
    """Twenty publications in one collection; every snapshot on the way still answers as it did, from the disk too."""
    chance = random.Random(0)
    here, there = both(entries, encoder, lite)
    before = [(here, there)]
    for step in range(20):
        new = replace(chance.choice(entries), id=f"n{step % 7}", answer=f"第{step}次改过的答复")
        removed = [chance.choice(here.entries).id] if step % 3 == 0 else []
        here, there = (index.changed([new], removed=removed) for index in (here, there))
        assert here.id == there.id
        before.append((here, there))
    assert len(collections(lite)) == 1
    for one, other in before:
        for text in QUESTIONS:
            agree(one, other, text, as_of)
    there.save(tmp_path / "index")
    loaded = KnowledgeIndex.load(tmp_path / "index", encoder, backend=lite)
    assert len(collections(lite)) == 1
    agree(here, loaded, QUESTIONS[0], as_of)


def test_base_that_is_mostly_new_is_made_aside(
    entries: tuple[KnowledgeEntry, ...],
    encoder: object,
    lite: MilvusBackend,
    as_of: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The alias moves when all rows are there; one that breaks off leaves the old one, and is gone on with."""
    monkeypatch.setattr(milvus, "_SLACK", 2)
    here, there = both(entries, encoder, lite)
    (first,) = collections(lite)
    alias = f"{PREFIX}_{encoder.dim}"
    new = [replace(entry, title=f"新{entry.title}") for entry in entries]
    monkeypatch.setattr(milvus, "_BATCH", 3)
    upserts = []

    def broken(*given: Any, **options: Any) -> None:
        upserts.append(given)
        if len(upserts) == 2:
            raise OSError("the server went away")
        return upsert(*given, **options)

    upsert = lite.client.upsert
    monkeypatch.setattr(lite.client, "upsert", broken)
    with pytest.raises(ZhipaiError) as caught:
        KnowledgeIndex.build(new, encoder, backend=lite)
    assert caught.value.code == "E4061"
    assert lite.client.describe_alias(alias)["collection_name"] == first
    for text in QUESTIONS:
        agree(here, there, text, as_of)
    rebuilt = KnowledgeIndex.build(new, encoder, backend=lite)
    second = lite.client.describe_alias(alias)["collection_name"]
    assert second != first
    assert sorted([first, second]) == collections(lite)  # The one that is still searched stays.
    assert len(upserts) == 4  # Of three batches the first had arrived.
    for text in QUESTIONS:
        agree(here, there, text, as_of)
        agree(KnowledgeIndex.build(new, encoder), rebuilt, text, as_of)


def test_empty_base_is_no_error(encoder: object, lite: MilvusBackend, as_of: datetime) -> None:
    index = KnowledgeIndex.build([], encoder, backend=lite)
    assert index.search("公积金", as_of=as_of) == ()
    entry = KnowledgeEntry("a", "居民医保缴费期", (), "每年九月至十二月缴费。", "市医疗保障局")
    assert [hit.entry.id for hit in index.changed([entry]).search("居民医保缴费期", as_of=as_of)] == ["a"]


def test_server_that_went_away_is_said(
    entries: tuple[KnowledgeEntry, ...], encoder: object, lite: MilvusBackend, as_of: datetime
) -> None:
    index = KnowledgeIndex.build(entries, encoder, backend=lite)
    lite.client.close()
    with pytest.raises(ZhipaiError) as caught:
        index.search("公积金", as_of=as_of)
    assert (caught.value.code, caught.value.status) == ("E4061", 503)


@pytest.mark.parametrize(("uri", "code"), [("", "E4062"), ("http://127.0.0.1:9", "E4061"), ("/nowhere/m.db", "E4061")])
def test_address_that_is_none_is_said(uri: str, code: str) -> None:
    pytest.importorskip("pymilvus", reason="没有安装 pymilvus（可选依赖 milvus），跳过 Milvus 的检查")
    with pytest.raises(ZhipaiError) as caught:
        open_backend("milvus", uri=uri, token="user:secret")
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_missing_client_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ZhipaiError) as caught:
        open_backend("milvus", uri="http://127.0.0.1:19530")
    assert caught.value.code == "E4060"
    assert "pip install" in str(caught.value)
