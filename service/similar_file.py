"""Repeated orders and bursts in a file of orders, for those who have no running service or look back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from intake.prepare import Prepared, prepare
from intake.readers import read_orders
from models.bursts import Burst, Event, replay
from models.candidates import latest_units
from models.duplicates import PairModel, Side, kind_of, nearest_couples, pair_features
from models.progress import Progress
from service.similar import EXCERPT
from service.similar_orders import sides_of
from service.snapshot import Snapshot
from service.table_writer import open_writer

register("E6312", "工单太多", "文件里的工单超过 {most:,} 条，比较需要的内存过大。请按月份拆开后分别比较。")
register("E6313", "没有受理时间", "文件里没有一条工单有受理时间，看不出突发。请在列映射里写明 received_at。")

#: Orders of one file: their vectors take 1.5 KB each.
MOST = 200_000
PART = 256
READ, COMPARED = "读取与编码", "比较"
HEADER = (
    "工单1", "工单2", "概率", "类别", "依据", "相隔天数", "单位1", "单位2", "诉求1", "诉求2",
)  # fmt: skip
KINDS = {"duplicate": "重复（可由人并单）", "same_matter": "同一件事（只关联）"}


@dataclass(frozen=True, slots=True)
class PairSummary:
    """Orders compared, rows with an error, and pairs written of each kind."""

    orders: int
    failed: int
    duplicate: int
    same_matter: int

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def compare_file(
    path: Path, mapping: Mapping, out: Path, *, snapshot: Snapshot, least: float, progress: Progress
) -> PairSummary:
    """Write the pairs of a file that tell of the same matter with probability ``least`` or more, the likeliest first.

    Each order is compared with its nearest others only. Nothing is merged.

    Raises
    ------
    ZhipaiError
        E6312 for too many orders, E6601 for an output format; errors of the file and the mapping.
    """
    writer = open_writer(out, HEADER)
    try:
        sides, failed = read_file(path, mapping, snapshot=snapshot, progress=progress)
        kinds = dict.fromkeys(KINDS, 0)
        for chance, one, other in likely_pairs(sides, least=least, progress=progress):
            kind, reason = kind_of(one, other)
            kinds[kind] += 1
            row = (one.order_id, other.order_id, f"{chance:.3f}", KINDS[kind], reason, _days(one, other))
            writer.write([*row, one.unit, other.unit, one.text[:EXCERPT], other.text[:EXCERPT]])
        writer.commit()
    finally:
        writer.close()
    return PairSummary(len(sides), failed, **kinds)


def likely_pairs(sides: list[Side], *, least: float, progress: Progress) -> Iterator[tuple[float, Side, Side]]:
    """Probability and both orders of each likely pair, the likeliest first."""
    if len(sides) < 2:
        return
    model = PairModel.from_file()
    couples = nearest_couples(np.stack([side.direction for side in sides]))
    chances = np.zeros(len(couples))
    for start in range(0, len(couples), PART * 40):
        part = couples[start : start + PART * 40]
        chances[start : start + len(part)] = model.probabilities(
            np.array([pair_features(sides[i], sides[j]) for i, j in part.tolist()])
        )
        progress(COMPARED, start + len(part), len(couples))
    for row in np.argsort(-chances, kind="stable").tolist():
        if chances[row] < least:
            return
        one, other = couples[row]
        yield float(chances[row]), sides[one], sides[other]


def bursts_in_file(path: Path, mapping: Mapping, *, snapshot: Snapshot, progress: Progress) -> tuple[list[Burst], int]:
    """The bursts in a file, the least likely first, and how many orders had a time; E6313 when none had."""
    sides, _ = read_file(path, mapping, snapshot=snapshot, progress=progress)
    timed = [side for side in sides if side.received_at is not None]
    if not timed:
        raise ZhipaiError("E6313")
    directory = mapping.directory_for(path) or snapshot.directory
    functions = {name: unit.function for name, unit in latest_units(directory).items()}
    return replay(Event(side, functions.get(side.unit, side.unit)) for side in timed), len(timed)


def read_file(path: Path, mapping: Mapping, *, snapshot: Snapshot, progress: Progress) -> tuple[list[Side], int]:
    """The orders of a file ready to compare, and how many rows had an error. One without a number gets its row's.

    The unit is the one of the file; where it has none, the first that the model would propose is not asked for.
    """
    key = secrets.token_bytes(32)
    sides: list[Side] = []
    failed = 0
    waiting: list[Prepared] = []
    filed = []
    for row in read_orders(path, mapping):
        prepared = prepare(row.order, snapshot.gazetteer) if row.order else None
        if row.order is None or prepared is None or not prepared.text:
            failed += 1
            continue
        number = row.order.order_id or f"第 {row.number} 行"
        waiting.append(replace(prepared, order=replace(prepared.order, order_id=number)))
        filed.append(row.order)
        if len(waiting) == PART:
            sides += sides_of(waiting, filed, snapshot, key=key)
            waiting.clear()
            filed.clear()
            progress(READ, len(sides), 0)
        if len(sides) > MOST:
            raise ZhipaiError("E6312", {"most": MOST})
    sides += sides_of(waiting, filed, snapshot, key=key)
    progress(READ, len(sides), len(sides))
    return sides, failed


def _days(one: Side, other: Side) -> str:
    if one.received_at is None or other.received_at is None:
        return ""
    return f"{abs((one.received_at - other.received_at).total_seconds()) / 86_400:.1f}"
