"""An index on disk: what was saved, or a clear refusal."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeIndex


@pytest.fixture
def folder(index: KnowledgeIndex, tmp_path: Path) -> Path:
    folder = tmp_path / "indexes" / "now"
    index.save(folder)
    return folder


def test_loaded_index_answers_like_the_saved_one(
    index: KnowledgeIndex, encoder: object, folder: Path, as_of: datetime
) -> None:
    loaded = KnowledgeIndex.load(folder, encoder)
    assert loaded.id == index.id
    assert loaded.entries == index.entries
    for text in ("公积金贷款", "老年人优待证", "医保"):
        assert loaded.search(text, as_of=as_of) == index.search(text, as_of=as_of)


def test_loading_encodes_nothing(encoder: object, folder: Path) -> None:
    encoder.encoded.clear()
    KnowledgeIndex.load(folder, encoder)
    assert encoder.encoded == []


def test_saving_again_replaces_the_folder(index: KnowledgeIndex, encoder: object, folder: Path) -> None:
    (folder / "entries.jsonl").write_text("", encoding="utf-8")
    index.save(folder)
    assert KnowledgeIndex.load(folder, encoder).id == index.id


def test_empty_index_is_saved_and_loaded(encoder: object, tmp_path: Path) -> None:
    empty = KnowledgeIndex.build([], encoder)
    empty.save(tmp_path / "empty")
    assert KnowledgeIndex.load(tmp_path / "empty", encoder).id == empty.id


@pytest.mark.parametrize("name", ["manifest.json", "entries.jsonl", "vectors.npz", "lexical.npz"])
def test_missing_file_is_named(encoder: object, folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ZhipaiError) as caught:
        KnowledgeIndex.load(folder, encoder)
    assert caught.value.code == "E4021"
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["entries.jsonl", "vectors.npz", "lexical.npz"])
@pytest.mark.parametrize("harm", [lambda content: content[:-20], lambda content: bytes([content[0] ^ 1]) + content[1:]])
def test_damaged_file_is_named(encoder: object, folder: Path, name: str, harm: object) -> None:
    (folder / name).write_bytes(harm((folder / name).read_bytes()))
    with pytest.raises(ZhipaiError) as caught:
        KnowledgeIndex.load(folder, encoder)
    assert caught.value.code == "E4021"
    assert name in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', "\x00\x01"])
def test_damaged_manifest_is_named(encoder: object, folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        KnowledgeIndex.load(folder, encoder)
    assert caught.value.code == "E4021"
    assert "manifest.json" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "word"), [("encoder", "another", "编码器"), ("lexicon", "0" * 16, "词表"), ("format", 0, "格式")]
)
def test_index_of_another_make_is_refused(encoder: object, folder: Path, field: str, value: object, word: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {field: value}), encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        KnowledgeIndex.load(folder, encoder)
    assert caught.value.code == "E4022"
    assert word in str(caught.value)
