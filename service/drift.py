"""Read two files of orders, ask a model about both, and look for drift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.prepare import Prepared, prepare
from intake.readers import read_orders
from models.encoder import Encoder
from models.evidence import SHOWN
from models.progress import Progress
from models.ranker import UnitRanker
from models.ranking import Ranking
from service.ranking import rank_prepared
from training.drift import Observed

register("E7705", "没有可比的工单", "“{path}”里没有一条能用的工单，无法看漂移。")

STEP = "逐条排序"
PART = 200


def observe(
    ranker: UnitRanker, encoder: Encoder, orders: Path, mapping: Mapping, *, as_of: datetime, progress: Progress
) -> Observed:
    """The orders of a file, the earliest first, with the model's answers; E7705 when there is none."""
    prepared, numbers, empty = [], [], 0
    for row in read_orders(orders, mapping):
        one = prepare(row.order, Gazetteer.empty()) if row.order else None
        if one is None or not one.text:
            # Only a row without a text is an empty one; what else is wrong with a row is a matter of the file.
            empty += one is not None or (row.error is not None and row.error.code == "E1001")
            continue
        prepared.append(one)
        numbers.append(row.number)
    if not prepared:
        raise ZhipaiError("E7705", {"path": orders.name})
    timed = sorted(range(len(prepared)), key=lambda i: (_time(prepared[i]), i))
    prepared, numbers = [prepared[i] for i in timed], [numbers[i] for i in timed]
    vectors = encoder.encode([one.text for one in prepared], progress=progress)
    rankings: list[Ranking] = []
    for start in range(0, len(prepared), PART):
        part = prepared[start : start + PART]
        rankings += rank_prepared(ranker, part, vectors[start : start + PART], as_of=as_of)
        progress(STEP, len(rankings), len(prepared))
    trained = set(ranker.history.texts)
    return Observed(
        texts=[one.text for one in prepared],
        order_ids=[one.order.order_id or f"第 {number} 行" for one, number in zip(prepared, numbers, strict=True)],
        received_at=[one.order.received_at for one in prepared],
        vectors=vectors,
        rankings=rankings,
        truth=_today(ranker, [one.order.unit for one in prepared], as_of),
        empty=empty,
        learned=[one.text[:SHOWN] in trained for one in prepared],
    )


def _time(one: Prepared) -> float:
    return one.order.received_at.timestamp() if one.order.received_at else 0.0


def _today(ranker: UnitRanker, units: Sequence[str], as_of: datetime) -> list[str]:
    """Accepted units under the name they have on that day."""
    names = {name: (unit.name if (unit := ranker.directory.forward(name, as_of)) else name) for name in set(units)}
    return [names[name] if name else "" for name in units]
