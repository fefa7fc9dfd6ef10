"""Files of historic orders as a training set: one or several, each order once; and a file to measure on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.readers import Row, read_orders
from intake.unit import UnitDirectory
from service.settings import Settings
from service.snapshot import load_gazetteer
from training.dataset import TrainingSet, training_set

#: A file of orders and the mapping of its columns.
Source = tuple[Path, Mapping]


def read_training_set(
    settings: Settings,
    orders: Path,
    mapping: Mapping,
    *,
    own_city: bool | None = None,
    more: Sequence[Source] = (),
    directory: UnitDirectory | None = None,
) -> TrainingSet:
    """The orders of a file as a training set, with the directory that the mapping names beside them.

    The gazetteer of the settings is used for the bundled city only (``own_city``, by default: whether the file lies in
    its folder): another city's place names would be resolved to districts that it does not have.

    Parameters
    ----------
    more : sequence of (Path, Mapping)
        Further files of the same city. An order that stands in several counts once, with the unit that the last of them
        names: labels that decisions and returns taught replace those of the first dispatch.
    directory : UnitDirectory, optional
        Instead of the one beside the orders.
    """
    if own_city is None:
        own_city = orders.resolve().parent == settings.city.resolve()
    gazetteer = load_gazetteer(settings) if own_city else Gazetteer.empty()
    if directory is None:
        beside = (columns.directory_for(path) for path, columns in ((orders, mapping), *more))
        directory = next((found for found in beside if found is not None), None)
    if not more:
        return training_set(read_orders(orders, mapping), gazetteer=gazetteer, directory=directory)
    rows, merged = _merged([(orders, mapping), *more])
    found = training_set(rows, gazetteer=gazetteer, directory=directory)
    return replace(found, counts=replace(found.counts, read=found.counts.read + merged))


def _merged(sources: Sequence[Source]) -> tuple[list[Row], int]:
    """The rows of all files in their order, each order once, and how many rows went into another.

    A row of a later file gives its unit to the row that the order has already; text and fields stay those of the first.
    """
    rows: list[Row] = []
    places: dict[str, list[int]] = defaultdict(list)
    merged = 0
    for path, columns in sources:
        # Rows of one number within one file are left as they are.
        before = {number: tuple(found) for number, found in places.items()}
        for row in read_orders(path, columns):
            number = row.order.order_id if row.order else ""
            if row.order and number in before:
                merged += 1
                for place in before[number] if row.order.unit else ():
                    if order := rows[place].order:
                        rows[place] = replace(rows[place], order=replace(order, unit=row.order.unit))
                continue
            if number:
                places[number].append(len(rows))
            rows.append(row)
    return rows, merged


def read_test_set(orders: Path, mapping: Mapping, directory: UnitDirectory) -> TrainingSet:
    """The orders of a file to measure on: its own units make no directory, and one unit is enough.

    An order of a unit that ``directory`` never had stays in and counts as an error, as it would for a dispatcher.
    """
    found = training_set(
        read_orders(orders, replace(mapping, directory=None)),
        gazetteer=Gazetteer.empty(),
        directory=None,
        least_units=1,
    )
    return replace(found, directory=directory)
