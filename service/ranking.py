"""Rank prepared orders as triage does: one place that says what of an order a model is given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from intake.prepare import Prepared
from models.fields import FIELDS
from models.ranker import UnitRanker
from models.ranking import Ranking


def rank_prepared(
    ranker: UnitRanker, prepared: Sequence[Prepared], vectors: np.ndarray, *, as_of: datetime, top: int = 5
) -> list[Ranking]:
    """The units of each order, without evidence. Where the text names a place it is believed before the field."""
    places = [one.elements.place for one in prepared]
    return ranker.rank_many(
        [one.text for one in prepared],
        vectors,
        as_of=as_of,
        districts=[place.district or one.order.district for place, one in zip(places, prepared, strict=True)],
        streets=[place.street or one.order.street for place, one in zip(places, prepared, strict=True)],
        fields=[{name: getattr(one.order, name) for name in FIELDS} for one in prepared],
        top=top,
        with_evidence=False,
    )
