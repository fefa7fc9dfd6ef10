"""Fixtures come from tests/plugins/ranking.py; the training set made of them is here."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

NAME = "zhipai_tests_ranking"

if NAME not in sys.modules:
    spec = spec_from_file_location(NAME, Path(__file__).parents[1] / "plugins" / "ranking.py")
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])

from zhipai_tests_ranking import (  # noqa: E402
    City,
    as_of,  # noqa: F401
    encoder,  # noqa: F401
    encoder_folder,  # noqa: F401
    history,  # noqa: F401
    quick,
    quick_encoder,  # noqa: F401
    ranker,  # noqa: F401
    saved,  # noqa: F401
)

from training.dataset import Counts, TrainingSet  # noqa: E402


@pytest.fixture(scope="module")
def dataset(history: City) -> TrainingSet:  # noqa: F811
    """The invented city as a training set, already encoded."""
    count = len(history.texts)
    return TrainingSet(
        texts=tuple(history.texts),
        units=tuple(history.units),
        groups=tuple(group or f"own-{i}" for i, group in enumerate(history.groups)),
        order_ids=tuple(history.order_ids),
        districts=tuple(history.districts),
        streets=("",) * count,
        received_at=(None,) * count,
        directory=history.directory,
        counts=Counts(read=count, kept=count),
        vectors=quick().encode(history.texts),
    )
