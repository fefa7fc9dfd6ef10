"""The drift report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from training.drift import LEAST
from training.plots import chinese_font, draw_windows

TEMPLATE = "drift_page.html"
#: Said where orders of training leave too few to compare errors on.
NOT_COMPARED = (
    f"其余不足 {LEAST} 条，没有比较疑难和错误：模型在训练过的工单上几乎不错。请用训练之后、一切正常的一段作参照。"
)
KINDS = {"more": "变多", "fewer": "变少", "errors": "错误变多", "all_errors": "错误变多"}


def learned_says(found: Mapping[str, Any]) -> str:
    """How many orders of each side the model was trained on, and what that means; empty for none."""
    before, now = found["learned"]["reference"], found["learned"]["orders"]
    if not before and not now:
        return ""
    says = f"模型训练过的：参照里 {before} 条，本期里 {now} 条；疑难和错误只看其余的。"
    return says if found["errors_compared"] else says + NOT_COMPARED


def drift_page(found: Mapping[str, Any], *, at: datetime, model: str) -> str:
    """HTML of what :func:`training.drift.drift` found. Texts of orders are not in it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(), undefined=StrictUndefined
    )
    plots = []
    if found["windows"]:
        text = StringIO()
        draw_windows(text, found["windows"], font=chinese_font())
        # The XML prologue does not belong inside a page.
        plots.append(text.getvalue()[text.getvalue().index("<svg") :])
    return environment.get_template(TEMPLATE).render(
        found=found, at=f"{at:%Y-%m-%d %H:%M}", model=model, kinds=KINDS, plots=plots, learned=learned_says(found)
    )
