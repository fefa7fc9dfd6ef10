"""Plots of an evaluation as SVG files: reliability, accuracy at coverage, confusion between units, learning curve.

Chinese labels need a font that has them. Where none is installed, units are numbers and a text file beside the plot
says which is which; nothing is drawn as an empty box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from training.figures import at_coverage, reliability
from training.metrics import Answers

#: Families that have the characters, the commonest first.
FONTS = (
    "Noto Sans CJK SC", "Noto Serif CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC", "Noto Sans CJK JP", "Noto Serif CJK JP",
)  # fmt: skip
#: Pairs of units in the plot of confusions.
PAIRS = 15
_WORDS = {
    "confidence": ("模型给出的概率", "probability"),
    "accuracy": ("实际命中率", "accuracy"),
    "coverage": ("直接决定的工单比例（最有把握的在前）", "coverage"),
    "orders": ("工单数", "orders"),
    "training": ("训练工单数", "training orders"),
    "top1": ("前 1 命中", "top-1"),
    "abstained": ("疑难比例", "abstained"),
}


def chinese_font() -> str:
    """The first installed family of :data:`FONTS`, or empty."""
    from matplotlib import font_manager

    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in FONTS if name in installed), "")


def draw(folder: Path, answers: Answers, *, font: str | None = None) -> list[Path]:
    """Write the plots of one evaluation into ``folder``; equal answers give equal bytes.

    ``font`` is the family for Chinese; by default the first that is installed, empty for none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    family = chinese_font() if font is None else font
    return [
        _reliability(folder / "reliability.svg", answers, family),
        _at_coverage(folder / "accuracy_at_coverage.svg", answers, family),
        *_confusion(folder / "confusion.svg", answers, family),
    ]


def draw_curves(path: Path, curves: Mapping[str, Sequence[tuple[float, float, float, float]]], *, font: str) -> Path:
    """A learning curve: name -> points ``(orders, accuracy, low, high)``. Names are drawn where ``font`` has them."""
    with _figure(path, font) as (axes, word):
        for number, (name, points) in enumerate(curves.items(), start=1):
            sizes, values, lows, highs = map(np.array, zip(*points, strict=True))
            label = name if font else f"curve {number}"
            axes.errorbar(sizes, values, yerr=[values - lows, highs - values], marker="o", capsize=3, label=label)
        axes.set_xscale("log")
        axes.set_xlabel(word("training"))
        axes.set_ylabel(word("top1"))
        axes.legend()
    return path


def draw_windows(target: TextIO, windows: Sequence[Mapping[str, Any]], *, font: str) -> None:
    """Accuracy and mean probability by window of time (:func:`training.drift.windows`), as SVG text."""
    with _figure(target, font, size=(9, 3.5)) as (axes, word):
        days = [one["from"] for one in windows]
        for name, color in (("top1", "C0"), ("confidence", "C1"), ("abstained", "0.6")):
            values = [np.nan if one[name] is None else one[name] for one in windows]
            axes.plot(days, values, marker="o", color=color, label=word(name))
        axes.set_ylim(0, 1)
        axes.tick_params(axis="x", rotation=45)
        axes.legend()


@contextmanager
def _figure(path: Path | TextIO, font: str, *, size: tuple[float, float] = (6, 4)) -> Iterator[tuple[Any, Any]]:
    """Axes of a figure that is saved at the end of the block, and the words in a language that the font has."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Outlines, not text: the file shows the same on a machine without the font. The salt makes ids repeat.
    style: dict[str, Any] = {"svg.fonttype": "path", "svg.hashsalt": "zhipai", "axes.unicode_minus": False}
    if font:
        style["font.family"] = [font, "DejaVu Sans"]
    with mpl.rc_context(style):  # type: ignore[arg-type]
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        yield axes, lambda name: _WORDS[name][0 if font else 1]
        figure.savefig(path, format="svg", metadata={"Date": None})


def _reliability(path: Path, answers: Answers, font: str) -> Path:
    bins = reliability(answers)
    confidence, accuracy, counts = (np.array([one[key] for one in bins]) for key in ("confidence", "accuracy", "n"))
    with _figure(path, font) as (axes, word):
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axes.scatter(confidence, accuracy, s=4 + 200 * counts / counts.max())
        axes.plot(confidence, accuracy, linewidth=1)
        axes.set_xlabel(word("confidence"))
        axes.set_ylabel(word("accuracy"))
    return path


def _at_coverage(path: Path, answers: Answers, font: str) -> Path:
    with _figure(path, font) as (axes, word):
        axes.plot(*at_coverage(answers))
        axes.axhline(0.95, color="0.7", linewidth=1)
        axes.set_xlabel(word("coverage"))
        axes.set_ylabel(word("accuracy"))
    return path


def confusions(answers: Answers, count: int = PAIRS) -> list[dict[str, Any]]:
    """The commonest wrong pairs: accepted unit, unit named first, orders."""
    wrong = ~answers.right
    pairs, counts = np.unique(
        np.stack([answers.truth[wrong], answers.first[wrong]], axis=1), axis=0, return_counts=True
    )
    rows = [
        {"accepted": answers.units[i], "first": answers.units[j], "orders": int(n)}
        for (i, j), n in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["orders"], row["accepted"], row["first"]))[:count]


def _confusion(path: Path, answers: Answers, font: str) -> list[Path]:
    rows = confusions(answers)
    names = [f"{row['accepted']} → {row['first']}" for row in rows]
    labels = names if font else [str(number) for number in range(1, len(rows) + 1)]
    with _figure(path, font, size=(8, 1.2 + 0.3 * max(1, len(rows)))) as (axes, word):
        axes.barh(labels, [row["orders"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel(word("orders"))
    if font:
        return [path]
    legend = path.with_suffix(".txt")
    lines = [f"{number}\t{name}" for number, name in enumerate(names, start=1)]
    legend.write_text("序号\t办理单位 → 模型首选\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return [path, legend]
