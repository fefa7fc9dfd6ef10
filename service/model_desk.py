"""What the model pages show: versions with their evaluation, and every time an alias was moved, with the checks behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from intake.errors import ZhipaiError
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.model_life import KIND
from service.settings import Settings
from training.catalogue import Registered, catalogue
from training.evaluate import SURE
from training.figures import at_coverage, reliability
from training.frozen import KeyedAnswers
from training.metrics import Answers, coverage_at, ece, macro_f1, top, worst_units
from training.plots import confusions
from training.publish import ANSWERS, CURVE

#: Moves that are listed, the newest first.
MOST = 50
#: Points of the curve of accuracy at coverage: a screen shows no more.
POINTS = 120


def find_registered(settings: Settings, number: str) -> Registered:
    """The version of a number; E5102."""
    for one in catalogue(settings.mlruns):
        if one.number == number:
            return one
    raise ZhipaiError("E5102", {"wanted": number[:40]})


@dataclass(frozen=True)
class Evidence:
    """The figures of a version on its frozen test, worked out from the answers that it kept.

    Parameters
    ----------
    figures : dict
        ``n``, ``top1``, ``top3``, ``top5``, ``macro_f1``, ``ece``, ``coverage_at_95``.
    reliability : list of dict
        :func:`training.figures.reliability`.
    curve : list of (float, float)
        Share that is decided without a look, and how often the first unit is right there.
    confusions : list of dict
    worst : list of dict
    """

    figures: dict[str, float]
    reliability: list[dict[str, Any]]
    curve: list[tuple[float, float]]
    confusions: list[dict[str, Any]]
    worst: list[dict[str, Any]]


def evidence_of(one: Registered) -> Evidence | None:
    """None for a version of older software, which kept no answers. E5105 for answers that cannot be read."""
    path = one.kept / ANSWERS
    return _evidence(KeyedAnswers.load(path).answers) if path.is_file() else None


def _evidence(answers: Answers) -> Evidence:
    shares, right = at_coverage(answers)
    shown = np.unique(np.linspace(0, len(shares) - 1, min(POINTS, len(shares))).astype(int))
    return Evidence(
        figures={
            "n": len(answers),
            "top1": top(1)(answers),
            "top3": top(3)(answers),
            "top5": top(5)(answers),
            "macro_f1": macro_f1(answers),
            "ece": ece(answers),
            "coverage_at_95": coverage_at(answers, SURE),
        },
        reliability=reliability(answers),
        curve=[(float(shares[i]), float(right[i])) for i in shown],
        confusions=confusions(answers),
        worst=worst_units(answers),
    )


def moves(engine: Engine, *, version: str = "", most: int = MOST) -> list[dict[str, Any]]:
    """The records of promotions and rollbacks, the newest first; with ``version`` those that put it in force."""
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind == KIND).order_by(DECISIONS.c.sequence.desc())
    with reading(engine) as connection:
        records = [json.loads(record) for record in connection.execute(query.limit(most)).scalars()]
    return [record for record in records if not version or record["version"] == version]


def learning_curve_of(settings: Settings, one: Registered) -> tuple[dict[str, Any] | None, bool]:
    """A learning curve and whether it is the version's own (``zhipai train --curve``); else the one that
    ``zhipai quality`` measured last, None where it did not."""
    own = _read(one.kept / CURVE)
    if own is not None:
        return own, True
    measured = _read(settings.home / "quality" / "learning_curve.json")
    return (measured["result"] if measured else None), False


def data_card_of(one: Registered) -> dict[str, Any] | None:
    """Orders, days and hash of the data that a version was trained on."""
    return _read(one.kept / "data_card.json")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
