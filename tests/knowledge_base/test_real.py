"""With the real encoder and real or bundled texts: slow promises, kept small."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import pytest

from knowledge_base import KnowledgeEntry, KnowledgeIndex, read_entries
from knowledge_base.evaluate import Query, evaluate
from models.encoder import Encoder


@pytest.fixture(scope="module")
def city(root: Path, real_encoder: Encoder) -> KnowledgeIndex:
    return KnowledgeIndex.build(read_entries(root / "datasets" / "city" / "knowledge.jsonl")[::4], real_encoder)


def test_orders_of_the_city_find_an_entry_of_their_matter(root: Path, city: KnowledgeIndex, as_of: datetime) -> None:
    matters = {entry.matter for entry in city.entries if entry.in_force(as_of)}
    lines = (root / "datasets" / "city" / "orders.jsonl").read_text(encoding="utf-8").splitlines()[::10]
    orders = [order for order in map(json.loads, lines) if order["matter"] in matters]
    found = [
        order["matter"] in {hit.entry.matter for hit in city.search(order["text"], as_of=as_of)} for order in orders
    ]
    assert len(orders) >= 50
    assert sum(found) / len(found) >= 0.75


@pytest.mark.parametrize(
    "text", ["今天股票涨了没有", "hello world", "唐朝有几个皇帝", "给我讲个笑话", "世界杯谁赢了", "哈哈哈哈"]
)
def test_idle_talk_scores_low(city: KnowledgeIndex, as_of: datetime, text: str) -> None:
    assert all(hit.score < 0.5 for hit in city.search(text, as_of=as_of))


def test_fusion_is_no_worse_than_either_part_on_real_questions(shared_data: Path, real_encoder: Encoder) -> None:
    """Real questions of Haikou and the answers they got (half of them here, to save time)."""
    entries: dict[str, KnowledgeEntry] = {}
    queries = []
    with (shared_data / "haikou_12345_orders" / "kb_consult.csv").open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(list(csv.DictReader(stream))[::2]):
            answer = row["答案"]
            entry = entries.setdefault(answer, KnowledgeEntry(f"{len(entries):04d}", "", (), answer))
            queries.append(Query(str(number), row["问题"], (entry.id,)))
    result = evaluate(entries.values(), queries, real_encoder)
    fused = result["fused"]["mrr_at_10"]
    assert fused >= max(result[part]["mrr_at_10"] for part in ("bm25", "dense")) - 0.01
    assert fused >= 0.45
