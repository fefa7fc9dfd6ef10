"""The drift report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from training.plots import chinese_font, draw_windows

TEMPLATE = "drift_page.html"
KINDS = {"more": "变多", "fewer": "变少", "errors": "错误变多", "all_errors": "错误变多"}


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
        found=found, at=f"{at:%Y-%m-%d %H:%M}", model=model, kinds=KINDS, plots=plots
    )
