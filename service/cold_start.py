"""Train and register a model for a city that has a list of units and no orders yet."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.prepare import prepare
from intake.readers import read_orders
from intake.unit import UnitDirectory
from models.encoder import Encoder
from models.neighbours import Space
from models.progress import Progress
from service.settings import ROOT, Settings
from training.cold_start import WEAK, cold_start, order_space
from training.dataset import training_set
from training.evaluate import Evaluation, evaluate
from training.registry import Registry

CITY_MAPPING = ROOT / "datasets" / "mappings" / "city.yaml"
#: Texts of the bundled corpus that tell where orders lie in the encoder's space.
TEXTS = 1000


@dataclass(frozen=True, slots=True)
class ColdOutcome:
    """Units that may be named, those with duties, the registered version, and what it was worth on orders, if asked."""

    units: int
    with_duties: int
    version: str
    model_id: str
    evaluation: Evaluation | None

    def as_dict(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in ("units", "with_duties", "version", "model_id")}
        return found | {"cold_start": True, "evaluation": self.evaluation.as_dict() if self.evaluation else None}


def train_cold(
    settings: Settings,
    directory: UnitDirectory,
    *,
    at: datetime,
    source: str,
    orders: Path | None = None,
    mapping: Mapping | None = None,
    register: bool = True,
    progress: Progress,
) -> ColdOutcome:
    """Build the model, measure it on ``orders`` when they are given (it never learns from them), and register it.

    Raises
    ------
    ZhipaiError
        E5211, E5212 for a directory that has too little; errors of the file and of the registry.
    """
    encoder = Encoder.load(settings.encoder_folder, threads=2)
    ranker = cold_start(directory, encoder=encoder, space=bundled_space(settings, encoder, progress), progress=progress)
    found = None
    if orders is not None and mapping is not None:
        tests = training_set(read_orders(orders, mapping), gazetteer=Gazetteer.empty(), directory=directory)
        found = evaluate(ranker, tests, as_of=at, encoder=encoder, progress=progress)
    version = model_id = ""
    if register:
        with tempfile.TemporaryDirectory() as folder:
            model_id = ranker.save(Path(folder) / "ranker")
            made = Registry(settings.mlruns).register(
                Path(folder) / "ranker",
                params={"cold_start": True, "units": len(ranker.units)},
                metrics={name: getattr(found, name) for name in ("top1", "top3", "top5", "ece")} if found else {},
                tags={"cold_start": "true", "source": source},
                card=_card(ranker.units, found, source=source, at=at),
            )
            version = made.version
    units = [unit for unit in directory.units if unit.effective_to is None]
    return ColdOutcome(len(ranker.units), sum(bool(unit.duties) for unit in units), version, model_id, found)


def bundled_space(settings: Settings, encoder: Encoder, progress: Progress) -> Space:
    """Where orders lie: from texts of the bundled corpus."""
    rows = read_orders(settings.city / "orders.jsonl", Mapping.from_file(CITY_MAPPING))
    texts = [prepare(row.order, Gazetteer.empty()).text for row in islice(rows, TEXTS) if row.order]
    return order_space(texts, encoder, progress=progress)


def _card(units: tuple[str, ...], found: Evaluation | None, *, source: str, at: datetime) -> str:
    measured = (
        f"在 {found.n} 条工单上（没有用来训练）：前 1 命中 {found.top1:.3f}，前 3 {found.top3:.3f}，前 5 {found.top5:.3f}，"
        f"校准误差 {found.ece:.3f}。"
        if found
        else "没有本地工单可量。别处的量法与数字见 docs/duplicates.md 与 docs/quality.md。"
    )
    return (
        f"# 冷启动模型\n\n{WEAK}。\n\n| 项 | 值 |\n|---|---|\n| 名录 | {source} |\n| 单位 | {len(units)} |\n"
        f"| 训练时间 | {at.isoformat()} |\n| 历史工单 | 0 |\n\n{measured}\n"
    )
