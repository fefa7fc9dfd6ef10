"""Retention (保存期限): how long each class of data is kept, and what is due to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from service.privacy.erase import Erased, Eraser, Preview, Selection, erase, preview

register("E6558", "保存期限有误", "保存期限文件“{name}”不对：{problem}。写法请对照 docs/privacy.md。", exit_code=3)

DEFAULTS = Path(__file__).with_name("retention.yaml")
#: What the law asks of network logs is six months; the longest six months have this many days.
LEAST_SYSTEM_LOG = 184
TITLES = {
    "filed": "工单原文",
    "shown": "脱敏文字与要素",
    "decision_log": "决定日志",
    "system_log": "运行日志",
}


@dataclass(frozen=True, slots=True)
class Retention:
    """Days to keep each class; None: not filled in, nothing goes by itself."""

    filed: int | None
    shown: int | None
    system_log: int

    def selections(self, at: datetime) -> list[Selection]:
        """What is due at an instant, the masked text first: it takes the original with it."""
        found = []
        if self.shown is not None:
            found.append(Selection(before=at - timedelta(days=self.shown), with_text=True))
        if self.filed is not None:
            found.append(Selection(before=at - timedelta(days=self.filed)))
        return found

    def table(self) -> list[dict[str, Any]]:
        """Class, title, days and what happens at their end, for people."""
        rows = [
            ("filed", self.filed, "删除，记一条 erasure 决定"),
            ("shown", self.shown, "删除，记一条 erasure 决定"),
            ("decision_log", None, "不删除（只增不改）"),
            ("system_log", self.system_log, "由收存日志的系统保存，软件不代删"),
        ]
        return [{"class": name, "title": TITLES[name], "days": days, "then": then} for name, days, then in rows]


def load_retention(path: Path | None = None) -> Retention:
    """The retention table of the installation, by default that of the package.

    Raises
    ------
    ZhipaiError
        E6558 for a file that cannot be used.
    """
    path = path or DEFAULTS
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ZhipaiError("E6558", {"name": path.name, "problem": "读不出来"}) from error

    def wrong(problem: str) -> ZhipaiError:
        return ZhipaiError("E6558", {"name": path.name, "problem": problem})

    if not isinstance(data, dict):
        raise wrong("应是“类别: 天数”")
    if unknown := sorted(str(name) for name in data if name not in TITLES):
        raise wrong(f"没有类别“{unknown[0]}”，可用的有 {'、'.join(TITLES)}")
    if data.get("decision_log", "keep") != "keep":
        raise wrong("决定日志不能删除，decision_log 只能写 keep")
    days: dict[str, int | None] = {}
    for name in ("filed", "shown", "system_log"):
        value = data.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise wrong(f"{name} 应是正整数，或空着")
        days[name] = value
    filed, shown, log = days["filed"], days["shown"], days["system_log"] or LEAST_SYSTEM_LOG
    if log < LEAST_SYSTEM_LOG:
        raise wrong(f"system_log 不能少于六个月（{LEAST_SYSTEM_LOG} 天）")
    if shown is not None and (filed is None or shown < filed):
        raise wrong("shown 不能早于 filed：删脱敏文字时原文一并删除")
    return Retention(filed, shown, log)


def due(engine: Engine, retention: Retention, *, at: datetime) -> list[tuple[Selection, Preview]]:
    """What would go now. Writes nothing."""
    return [(selection, preview(engine, selection)) for selection in retention.selections(at)]


def apply(engine: Engine, retention: Retention, *, actor: str, role: str, software: str, at: datetime) -> list[Erased]:
    """Erase what is due; nothing due is no error."""
    done = []
    for selection in retention.selections(at):
        seen = preview(engine, selection)
        if not seen.filed and not seen.shown:
            continue
        eraser = Eraser(actor, "保存期限届满", role, basis="retention")
        done.append(erase(engine, selection, eraser, software=software, at=at))
    return done
