"""The section of the quality page: only what took part in no choice, and every figure with its interval."""

from __future__ import annotations

from pathlib import Path

from knowledge_base import quality_sets
from knowledge_base.evaluate import Query
from knowledge_base.quality import quality_results, quality_section
from knowledge_base.quality_sets import SETS, half


def test_only_the_reported_half_is_asked(root: Path, tmp_path: Path, encoder: object) -> None:
    """Without the real data two sets are left; the halves of the city's are parted by entry."""
    results = quality_results(root, tmp_path, encoder)
    assert list(results) == ["city", "kb_queries"]
    _, queries = SETS["city"].read(root, tmp_path)
    assert results["city"]["n"] == sum(half(query) == 1 for query in queries) < len(queries)
    assert results["kb_queries"]["n"] == 301
    section = quality_section(results)
    assert section.count("| 合用 |") == section.count("| 词（BM25） |") == 2
    for method in ("bm25", "dense", "fused"):
        found = results["kb_queries"][method]
        low, high = found["intervals"]["recall_at_1"]
        assert f"{100 * found['recall_at_1']:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in section


def test_halves_are_cut_by_the_question_alone() -> None:
    sides = [half(Query(str(number), "", ())) for number in range(1000)]
    assert 430 < sum(sides) < 570
    assert sides == [half(Query(str(number), "other", ("x",))) for number in range(1000)]


def test_entries_that_answer_the_same_are_both_right(root: Path, tmp_path: Path) -> None:
    entries, queries = SETS["city"].read(root, tmp_path)
    ids = {entry.id for entry in entries}
    one, other = quality_sets.SAME.split()[0].split("/")
    rights = {query.id: set(query.relevant) for query in queries}
    assert {one, other} <= rights[one]
    assert all(set(pair.split("/")) <= ids for pair in quality_sets.SAME.split())
