"""The sets that search is measured by, each cut in two by a hash of the question: one to choose by, one to report."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.evaluate import Query
from knowledge_base.read import read_entries
from knowledge_base.words import normalise

#: Pairs of entries by different writers of the city that answer the same: the other one is right as well.
SAME = (
    "K3044/K5016 K3054/K5022 K3056/K5023 K3061/K5025 K3065/K5027 K3068/K5028 K3069/K5028 K3033/K5008 K3035/K5010 "
    "K3036/K5010 K3037/K5011 K3039/K5013 K3040/K5014 K3041/K5014 K3042/K5015 K3043/K5015 K3028/K5003 K3031/K5006 "
    "K3032/K5007 K3058/K5024 K3059/K5024 K3064/K5026 K3073/K5029 K3053/K5021 K3048/K5018 K3049/K5018 K2067/K2076 "
    "K3029/K5004 K3030/K5005 K3052/K5020 K3025/K5001 K1032/K2059 K3047/K5017 K3046/K5017 K3051/K5019 K2034/K2053 "
    "K3026/K5002"
)
Found = tuple[list[KnowledgeEntry], list[Query]]


@dataclass(frozen=True)
class QualitySet:
    """A set to report: ``read`` takes the project's folder and that of the real data.

    ``file`` is below the folder of the real data, empty for a set of the project's own. Of a set that was ``halved``, one
    half was used to choose by and only the other is reported.
    """

    name: str
    title: str
    file: str
    halved: bool
    read: Callable[[Path, Path], Found]


def half(query: Query) -> int:
    """0: to choose by, 1: to report."""
    return hashlib.sha256(query.id.encode()).digest()[0] % 2


def _question_answer(name: str, path: Path, key: str, asked: Sequence[str], answer: str) -> Found:
    """Entries are the distinct answers, with neither title nor questions; a query is relevant to its answer."""
    ids: dict[str, str] = {}
    queries = []
    with path.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            text = "\n".join(row[column] for column in asked)
            entry_id = ids.setdefault(normalise(row[answer]), f"{len(ids):05d}")
            queries.append(Query(f"{name}:{row[key]}:{number}", text, (entry_id,)))
    return [KnowledgeEntry(entry_id, "", (), text) for text, entry_id in ids.items()], queries


def _haikou(root: Path, data: Path) -> Found:
    return _question_answer("haikou", data / SETS["haikou"].file, "工单编号", ["问题"], "答案")


def _teddy(root: Path, data: Path) -> Found:
    return _question_answer("teddy", data / SETS["teddy"].file, "留言编号", ["留言主题", "留言详情"], "答复意见")


def _city(root: Path, data: Path) -> Found:
    """The city's entries without their questions; the questions are the queries. The halves part entries."""
    entries = read_entries(root / "datasets" / "city" / "knowledge.jsonl")
    same: dict[str, set[str]] = {entry.id: {entry.id} for entry in entries}
    for pair in SAME.split():
        one, other = pair.split("/")
        same[one].add(other)
        same[other].add(one)
    # The id of a query is that of its entry, so that no entry is asked for in both halves.
    queries = [Query(entry.id, text, tuple(sorted(same[entry.id]))) for entry in entries for text in entry.questions]
    return [replace(entry, questions=()) for entry in entries], queries


def _own(root: Path, data: Path) -> Found:
    """``datasets/kb_queries``: the city's entries as they are, and its own near-twins."""
    folder = root / "datasets" / "kb_queries"
    entries = [*read_entries(root / "datasets" / "city" / "knowledge.jsonl"), *read_entries(folder / "entries.jsonl")]
    rows = map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    rights = ((row["text"], row["id"]) for row in rows)
    return entries, [
        Query(str(number), text, tuple(right) if isinstance(right, list) else (right,))
        for number, (text, right) in enumerate(rights)
    ]


SETS = {
    one.name: one
    for one in (
        QualitySet("haikou", "海口咨询问答", "haikou_12345_orders/kb_consult.csv", True, _haikou),
        QualitySet("teddy", "泰迪杯留言与答复", "teddy2020_smartgov/a4_replies.csv", True, _teddy),
        QualitySet("city", "示范城市条目的问法", "", True, _city),
        QualitySet("kb_queries", "kb_queries 口语问题", "", False, _own),
    )
}
