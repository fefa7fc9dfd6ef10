"""Reports that commands left in the data folder: of backtests and of drift. Found by listing, opened by name only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from intake.errors import ZhipaiError, register
from service.settings import Settings

register("E7988", "没有这份报告", "没有名为“{name}”的报告，可能已被删除或移走。请回到列表，从那里打开。", status=404)

BACKTEST, DRIFT = "backtest", "drift"
#: Reports that are listed, the newest first.
MOST = 50


@dataclass(frozen=True)
class Report:
    """An HTML report. ``name`` is its path under the folder of its kind; ``summary`` what stands beside it as JSON."""

    name: str
    path: Path
    made_at: datetime
    summary: dict[str, Any]

    @property
    def data(self) -> Path:
        """The same report as JSON."""
        return self.path.with_suffix(".json")


def reports(settings: Settings, kind: str) -> list[Report]:
    """The reports in ``home/<kind>`` and in its folders, the newest first. A link is not followed."""
    root = settings.home / kind
    found = [
        path for path in (*root.glob("*.html"), *root.glob("*/*.html")) if path.is_file() and not path.is_symlink()
    ]
    dated = sorted(((path.stat().st_mtime, path) for path in found), reverse=True)[:MOST]
    zone = ZoneInfo(settings.time_zone)
    return [
        Report(path.relative_to(root).as_posix(), path, datetime.fromtimestamp(changed, zone), _summary(path))
        for changed, path in dated
    ]


def find_report(settings: Settings, kind: str, name: str) -> Report:
    """The listed report of a name; E7988. Whatever is not in the list is never opened, wherever a name points to."""
    for one in reports(settings, kind):
        if one.name == name:
            return one
    raise ZhipaiError("E7988", {"name": name[:60]})


def _summary(path: Path) -> dict[str, Any]:
    """The head of the JSON beside a report; empty where there is none, or it cannot be read."""
    try:
        data = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {key: data[key] for key in ("pack", "against", "as_of", "source", "totals", "compared") if key in data}
