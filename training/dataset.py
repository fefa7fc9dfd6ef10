"""Historic orders as a training set: prepared by the same code that serving uses, with what was left out counted."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.order import WorkOrder
from intake.prepare import prepare
from intake.readers import Row
from intake.unit import Unit, UnitDirectory
from models.fields import FIELDS

register(
    "E5001",
    "没有可训练的工单",
    "读了 {read} 行，没有一行能用来训练：{errors} 行有错误，{without_unit} 行没有承办单位，{unknown_unit} 行的单位不在名录。",
)
register("E5002", "只有一个单位", "可训练的 {kept} 条工单都属于“{unit}”，没有可学的区别。请加入其他单位的工单。")

#: Orders that are learned from at the most. More are no gain that the learning curve shows, and memory has to be bounded.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the rows of a file went."""

    read: int = 0
    errors: int = 0
    without_unit: int = 0
    unknown_unit: int = 0
    kept: int = 0
    #: Usable orders beyond the bound, the older ones.
    older: int = 0


@dataclass(frozen=True)
class TrainingSet:
    """Orders in columns, one entry an order.

    Parameters
    ----------
    texts : tuple of str
        ``Prepared.text``.
    units, groups, order_ids : tuple of str
        Accepted unit, group of repeated orders (never empty), 工单编号.
    districts, streets : tuple of str
        As filed, else from the place that the text names: ``Prepared.elements.place``, as serving reads it.
    received_at : tuple of datetime or None
    fields : tuple of mapping
        Fields known at filing (:data:`models.fields.FIELDS`) that are not empty; the tuple is empty when no order has any.
    directory : UnitDirectory
    counts : Counts
    unknown_units : dict
        Names that the directory does not have, and how many rows each had.
    vectors : ndarray or None, (n, dim)
        Set by :meth:`encoded`, so that a text is encoded once.
    """

    texts: tuple[str, ...]
    units: tuple[str, ...]
    groups: tuple[str, ...]
    order_ids: tuple[str, ...]
    districts: tuple[str, ...]
    streets: tuple[str, ...]
    received_at: tuple[datetime | None, ...]
    directory: UnitDirectory
    counts: Counts = Counts()
    unknown_units: dict[str, int] = field(default_factory=dict)
    fields: tuple[dict[str, str], ...] = ()
    vectors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def single_units(self) -> tuple[str, ...]:
        """Units with one order only: they are kept, and little can be said of them."""
        return tuple(sorted(unit for unit, count in Counter(self.units).items() if count == 1))

    def take(self, rows: Sequence[int] | np.ndarray) -> TrainingSet:
        """The orders of these row numbers, in their order."""
        numbers = [int(row) for row in rows]

        def pick(column: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(column[number] for number in numbers)

        return replace(
            self,
            texts=pick(self.texts),
            units=pick(self.units),
            groups=pick(self.groups),
            order_ids=pick(self.order_ids),
            districts=pick(self.districts),
            streets=pick(self.streets),
            received_at=pick(self.received_at),
            fields=pick(self.fields) if self.fields else (),
            vectors=None if self.vectors is None else self.vectors[numbers],
        )


def training_set(
    rows: Iterable[Row],
    *,
    gazetteer: Gazetteer,
    directory: UnitDirectory | None,
    least_units: int = 2,
    most: int = MOST,
) -> TrainingSet:
    """Prepare the rows of a file for training.

    Rows with an error, without a unit, or with a unit that the directory has under no date are left out and counted. Of
    more than ``most`` usable rows the newest are kept (the last of the file where no time is given), so that memory is
    bounded whatever the size of the file.

    Without a directory one is made of the units themselves. An order without a group joins those of the same text.
    To measure on, one unit is enough (``least_units``); there is nothing to learn from one.

    Raises
    ------
    ZhipaiError
        E5001 when nothing is left, E5002 when fewer units than ``least_units`` are left.
    """
    known = {unit.name for unit in directory.units} if directory else None
    newest: list[tuple[float, int, int, WorkOrder]] = []
    read = usable = errors = without_unit = 0
    unknown: Counter[str] = Counter()
    for row in rows:
        read += 1
        if row.order is None:
            errors += 1
        elif not row.order.unit:
            without_unit += 1
        elif known is not None and row.order.unit not in known:
            unknown[row.order.unit] += 1
        else:
            usable += 1
            instant = row.order.received_at
            one = (instant.timestamp() if instant else float("-inf"), read, row.number, row.order)
            # The second place tells any two apart, so that orders are never compared.
            if len(newest) < most:
                heapq.heappush(newest, one)
            else:
                heapq.heappushpop(newest, one)
    kept = []
    for _, _, number, order in sorted(newest, key=lambda one: one[1]):
        prepared = prepare(order, gazetteer)
        if prepared.text:
            kept.append((prepared, number))
        else:
            # Nothing but a dispatch hint: there is no text to learn from.
            errors += 1
    counts = Counts(read, errors, without_unit, unknown.total(), len(kept), usable - len(newest))
    if not kept:
        raise ZhipaiError(
            "E5001", {name: getattr(counts, name) for name in ("read", "errors", "without_unit", "unknown_unit")}
        )
    orders = [prepared.order for prepared, _ in kept]
    texts = tuple(prepared.text for prepared, _ in kept)
    units = tuple(order.unit for order in orders)
    if len(set(units)) < least_units:
        raise ZhipaiError("E5002", {"kept": len(kept), "unit": units[0]})
    fields = [{name: value for name in FIELDS if (value := getattr(order, name))} for order in orders]
    places = [prepared.elements.place for prepared, _ in kept]
    return TrainingSet(
        texts=texts,
        units=units,
        groups=_groups(texts, [order.group for order in orders]),
        order_ids=tuple(order.order_id or f"第 {number} 行" for order, (_, number) in zip(orders, kept, strict=True)),
        districts=tuple(place.district for place in places),
        streets=tuple(place.street for place in places),
        received_at=tuple(order.received_at for order in orders),
        directory=directory or UnitDirectory(Unit(name=name, function=name) for name in sorted(set(units))),
        counts=counts,
        unknown_units=dict(sorted(unknown.items())),
        fields=tuple(fields) if any(fields) else (),
    )


def _groups(texts: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """A group for each order: its own, or that of an order with the same text, or one made of its text."""
    by_text: dict[str, str] = {}
    for text, group in zip(texts, groups, strict=True):
        if group:
            by_text.setdefault(text, group)
    return tuple(
        group or by_text.get(text) or "text-" + hashlib.sha256(text.encode()).hexdigest()[:16]
        for text, group in zip(texts, groups, strict=True)
    )
