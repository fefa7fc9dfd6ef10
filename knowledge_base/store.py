"""An index on disk: a folder that appears whole or not at all, with the hash of each file in its manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError, register
from knowledge_base.dense import Frame
from knowledge_base.entry import KnowledgeEntry, entry_from_dict, entry_to_dict
from knowledge_base.lexical import LexicalIndex
from models.files import building, sha256

register("E4021", "知识索引损坏", "知识索引“{folder}”不完整或已损坏（{problem}）。请重新建立索引。", exit_code=3)
register(
    "E4022", "知识索引已过时", "知识索引“{folder}”是用别的{what}建的，不能和现在的混用。请重新建立索引。", exit_code=3
)

#: Codes of what is put right by building the index again.
DAMAGED = frozenset({"E4021", "E4022"})
MANIFEST, ENTRIES, VECTORS, LEXICAL = "manifest.json", "entries.jsonl", "vectors.npz", "lexical.npz"
_FORMAT = 4


@dataclass(frozen=True)
class Stored:
    """What an index is made of."""

    entries: tuple[KnowledgeEntry, ...]
    vectors: np.ndarray
    frame: Frame
    lexical: LexicalIndex


def write(folder: Path, stored: Stored, *, index: str, encoder: str, lexicon: str) -> None:
    """Write an index, with the ids of itself, its encoder and its word lists."""
    with building(folder) as aside:
        lines = (json.dumps(entry_to_dict(entry), ensure_ascii=False) + "\n" for entry in stored.entries)
        (aside / ENTRIES).write_text("".join(lines), encoding="utf-8", newline="\n")
        np.savez(aside / VECTORS, vectors=stored.vectors.astype(np.float16), frame=stored.frame.array)
        np.savez(aside / LEXICAL, **stored.lexical.arrays())  # type: ignore[arg-type]
        files = {name: sha256(aside / name) for name in (ENTRIES, VECTORS, LEXICAL)}
        manifest = {"format": _FORMAT, "index": index, "encoder": encoder, "lexicon": lexicon, "files": files}
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def read(folder: Path, *, encoder: str, lexicon: str) -> Stored:
    """Read an index after checking every file against the manifest.

    Raises
    ------
    ZhipaiError
        E4021 if it is missing or damaged, E4022 if it is of another format, encoder or word lists.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        ids = {"格式": manifest["format"], "编码器": manifest["encoder"], "词表": manifest["lexicon"]}
        for what, wanted in {"格式": _FORMAT, "编码器": encoder, "词表": lexicon}.items():
            if ids[what] != wanted:
                raise ZhipaiError("E4022", {"folder": folder.name, "what": what})
        for name in (ENTRIES, VECTORS, LEXICAL):
            if sha256(folder / name) != manifest["files"][name]:
                raise ZhipaiError("E4021", {"folder": folder.name, "problem": f"{name} 的校验和不符"})
    except OSError as error:
        raise ZhipaiError("E4021", {"folder": folder.name, "problem": _reason(error)}) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ZhipaiError("E4021", {"folder": folder.name, "problem": f"{MANIFEST} 读不懂"}) from error
    entries = _entries(folder / ENTRIES)
    with np.load(folder / VECTORS) as arrays:
        vectors, frame = arrays["vectors"].astype(np.float32), Frame.from_array(arrays["frame"])
    with np.load(folder / LEXICAL) as arrays:
        lexical = LexicalIndex.from_arrays(arrays)
    return Stored(entries, vectors, frame, lexical)


def _entries(path: Path) -> tuple[KnowledgeEntry, ...]:
    lines: Sequence[str] = path.read_text(encoding="utf-8").split("\n")[:-1]
    return tuple(entry_from_dict(json.loads(line), number=number) for number, line in enumerate(lines, start=1))


def _reason(error: OSError) -> str:
    return f"缺少文件 {Path(error.filename).name}" if isinstance(error, FileNotFoundError) else type(error).__name__
