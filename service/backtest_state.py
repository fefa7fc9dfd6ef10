"""What a backtest is about and where it stands: the plan, and the checkpoint that lets it go on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from rules import RulePack
from rules.backtest import Tally, Truth
from service.backtest_facts import derivation_id
from service.backtest_sources import Source

register(
    "E3404",
    "不能接着回测",
    "不能接着上次的回测：{problem}。请去掉 --resume 从头开始，或恢复原来的规则包、工单文件和选项。",
)
#: Rows between two checkpoints.
EVERY = 2000
_PARTS = {
    "new": "新规则包",
    "old": "对照的规则包",
    "file": "工单文件",
    "mapping": "列映射",
    "log": "决定记录或起止时刻",
    "directory": "单位名录",
    "gazetteer": "地名表",
    "derivation": "事实的推断方法",
    "gates": "关口",
    "limit": "行数上限",
    "truths": "对照列",
    "moment": "判断时刻",
}


@dataclass(frozen=True)
class Plan:
    """What to compare and how.

    Parameters
    ----------
    as_of : datetime or None
        The instant at which rules are read; None: each order at its own.
    moment : str
        How ``as_of`` was chosen: an ISO instant, ``now`` or ``received``. A continued run keeps the first run's ``now``.
    limit : int
        Rows at most; 0 for all.
    cache : Path or None
        Where derived facts are kept.
    """

    new: RulePack
    old: RulePack | None
    gates: tuple[str, ...]
    as_of: datetime | None
    moment: str
    gazetteer: Gazetteer
    gazetteer_id: str = ""
    truths: tuple[Truth, ...] = ()
    limit: int = 0
    workers: int = 1
    cache: Path | None = None
    every: int = EVERY

    def identity(self, source: Source) -> dict[str, str]:
        """Content hashes of everything the outcome depends on."""
        return {
            "new": self.new.content_hash,
            "old": self.old.content_hash if self.old else "",
            **source.identity,
            "gazetteer": self.gazetteer_id,
            "derivation": derivation_id(),
            "gates": " ".join(self.gates),
            "limit": str(self.limit),
            "truths": " ".join(truth.name for truth in self.truths),
            "moment": self.moment,
        }


@dataclass
class Speed:
    """``wall`` seconds of the run; seconds of processor time for deriving and counting, summed over the processes.

    No part of the outcome.
    """

    wall: float = 0.0
    deriving: float = 0.0
    derived: int = 0
    counting: float = 0.0
    evaluations: int = 0
    cached: int = 0


@dataclass
class Outcome:
    """Where a backtest stands: rows read, counts, and the examples as they are shown, by number of the order."""

    as_of: datetime | None
    rows: int = 0
    tally: Tally = field(default_factory=Tally)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    speed: Speed = field(default_factory=Speed)

    def save(self, path: Path, identity: dict[str, str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        body = {
            "identity": identity,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "rows": self.rows,
            "tally": self.tally.to_data(),
            "shown": self.shown,
            "causes": self.causes,
        }
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
        part.replace(path)

    @classmethod
    def load(cls, path: Path, identity: dict[str, str]) -> Outcome:
        """Where the last run stopped; E3404 if there is none, or it was of something else."""
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            before, as_of = body["identity"], body["as_of"]
            outcome = cls(
                as_of=datetime.fromisoformat(as_of) if as_of else None,
                rows=body["rows"],
                tally=Tally(**body["tally"]),
                shown=body["shown"],
                causes=body["causes"],
            )
        except FileNotFoundError:
            raise ZhipaiError("E3404", {"problem": f"没有进度文件“{path.name}”"}) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ZhipaiError("E3404", {"problem": f"进度文件“{path.name}”损坏"}) from error
        changed = [_PARTS[part] for part in _PARTS if before.get(part) != identity.get(part)]
        if changed:
            raise ZhipaiError("E3404", {"problem": f"{'、'.join(changed)}已改变"})
        return outcome
