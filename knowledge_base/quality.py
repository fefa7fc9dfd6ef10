"""Search by words, by meaning and by both, side by side: the section of docs/quality.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge_base.evaluate import METHODS, evaluate
from knowledge_base.quality_sets import SETS, QualitySet, half
from models.encoder import Encoder
from models.progress import Progress, silent

TITLES = {"bm25": "词（BM25）", "dense": "语义", "fused": "合用"}
MEASURES = ("recall_at_1", "recall_at_5", "mrr_at_10")


def quality_results(
    root: Path, data: Path, encoder: Encoder, *, progress: Progress | None = None
) -> dict[str, dict[str, Any]]:
    """Name of a set of :data:`knowledge_base.quality_sets.SETS` -> what :func:`evaluate` gives for it.

    Only questions that took part in no choice are asked. A set whose file is not below ``data`` is left out.
    """
    report = progress or silent
    there = [one for one in SETS.values() if not one.file or (data / one.file).is_file()]
    return {one.name: _measured(one, root, data, encoder, report) for one in there}


def _measured(one: QualitySet, root: Path, data: Path, encoder: Encoder, progress: Progress) -> dict[str, Any]:
    entries, queries = one.read(root, data)
    asked = [query for query in queries if half(query) == 1] if one.halved else queries
    return evaluate(entries, asked, encoder, progress=progress)


def quality_section(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table of :func:`quality_results`: percent, with 95% bootstrap intervals, and a line on "no answer"."""
    lines = ["| 数据 | 问 | 条目 | 办法 | R@1 | R@5 | MRR@10 |", "|---|---|---|---|---|---|---|"]
    for name, result in results.items():
        title = f"{SETS[name].title}（没有用来选择的一半）" if SETS[name].halved else SETS[name].title
        for number, method in enumerate(METHODS):
            head = f"{title} | {result['n']} | {result['entries']}" if number == 0 else " | | "
            found = result[method]
            cells = [_percent(found[one], found["intervals"][one]) for one in MEASURES]
            lines.append(f"| {head} | {TITLES[method]} | {' | '.join(cells)} |")
    lines += ["", "| 数据 | 有没有条目答得上：AUROC | 答案在库里时说答得上 | 不在库里时说答得上 |", "|---|---|---|---|"]
    for name, result in results.items():
        absent = result["no_answer"]
        low, high = absent["interval"]
        shares = f"{100 * absent['answered']:.1f} | {100 * absent['answered_without']:.1f}"
        lines.append(f"| {SETS[name].title} | {absent['auroc']:.3f} [{low:.3f}, {high:.3f}] | {shares} |")
    return "\n".join(lines) + "\n"


def _percent(value: float, interval: list[float]) -> str:
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
