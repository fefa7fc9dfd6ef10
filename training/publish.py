"""From a trained ranker to a registered version, with everything that a later reader will ask for."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from models.artifact import LIBRARIES
from models.files import scratch
from training.card import data_card, model_card
from training.champion import SOURCE
from training.evaluate import Evaluation
from training.figures import curve_points
from training.frozen import FrozenTest, KeyedAnswers, row_keys
from training.plots import chinese_font, draw, draw_curves
from training.registry import Registry, Version
from training.train import Trained

ANSWERS = "frozen_answers.npz"
CHAMPION_ANSWERS = "champion_answers.npz"
FROZEN = "frozen_test.json"
CURVE = "learning_curve.json"


@dataclass(frozen=True)
class Beside:
    """The champion's own answers to the same frozen test, taken while the orders were at hand."""

    model_id: str
    answers: KeyedAnswers


def publish(
    registry: Registry,
    trained: Trained,
    *,
    at: datetime,
    source: str = "",
    tags: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    beside: Beside | None = None,
    curve: Mapping[str, Any] | None = None,
) -> Version:
    """Save the ranker aside, write its card, plots, frozen test and answers, and register all. Nothing is promoted.

    Parameters
    ----------
    at : datetime
        When it was trained.
    source : str
        Says in words what the orders are; both stand in the card.
    files : mapping, optional
        Name -> content of an input of the run (the mapping) whose SHA-256 the run keeps.
    beside : Beside, optional
    curve : mapping, optional
        From :func:`training.learning_curve.learning_curve` on the same orders: kept as it is, and drawn.
    """
    frozen = FrozenTest.of(trained.dataset, trained.held, source=source)
    data = data_card(trained.dataset, source=source, files=files or {})
    with scratch(registry.store, "ranker") as aside:
        folder, kept = aside / "ranker", aside / "files"
        trained.save(folder)
        kept.mkdir()
        (kept / FROZEN).write_text(frozen.to_json(at=at), encoding="utf-8")
        held_answers(trained, frozen).save(kept / ANSWERS)
        if beside is not None:
            beside.answers.save(kept / CHAMPION_ANSWERS)
        _write(kept / "data_card.json", json.dumps(data, ensure_ascii=False, indent=1))
        _write(kept / "run.yaml", yaml.safe_dump(_run(trained, source), allow_unicode=True, sort_keys=False))
        _write(kept / "environment.json", json.dumps(environment(), ensure_ascii=False, indent=1))
        draw(kept / "plots", trained.measured.answers)
        if curve is not None:
            _write(kept / CURVE, json.dumps(curve, ensure_ascii=False, indent=1))
            draw_curves(kept / "plots" / "learning_curve.svg", curve_points(curve), font=chinese_font())
        made = registry.register(
            folder,
            params=trained.config.as_params()
            | {
                "orders": len(trained.dataset),
                "encoder": trained.ranker.encoder_id,
                "data_hash": data["hash"],
                "frozen_test": frozen.id,
                "frozen_rows": len(frozen.keys),
            },
            metrics=figures(trained.evaluation),
            tags={SOURCE: source, "zhipai.beside": beside.model_id if beside else "", **(tags or {})},
            card=model_card(trained, at=at, source=source),
            files=kept,
        )
    frozen.save(registry.store, at=at)
    return made


def held_answers(trained: Trained, frozen: FrozenTest) -> KeyedAnswers:
    """The answers of the evaluation, with the keys of their orders."""
    keys = row_keys(trained.dataset)
    rows = [trained.held[row] for row in trained.measured.rows]
    return KeyedAnswers(tuple(keys[row] for row in rows), trained.measured.answers, frozen.id)


def environment() -> dict[str, str]:
    """Versions of Python and of the libraries that make the numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _run(trained: Trained, source: str) -> dict[str, object]:
    """One YAML that says what the run was; its recipe can be given to ``zhipai train --config``."""
    config = trained.config
    flat = config.as_params()
    top: dict[str, object] = {name: flat.pop(name) for name in ("seed", "holdout") if name in flat}
    return {"source": source, "config": top | {"bootstrap": config.bootstrap, "recipe": flat}}


def _write(path: Path, text: str) -> None:
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def figures(evaluation: Evaluation) -> dict[str, float]:
    """The numbers of an evaluation under flat names, as a registry keeps them."""
    flat: dict[str, float] = {}
    for name, value in evaluation.as_dict().items():
        if isinstance(value, (int, float)):
            flat[name] = float(value)
        elif name in ("conformal", "abstained"):
            flat |= {f"{name}_{key}": float(one) for key, one in value.items()}
        elif name == "intervals":
            for key, (low, high) in value.items():
                flat |= {f"{key}_low": low, f"{key}_high": high}
    return flat
