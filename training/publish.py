"""From a trained ranker to a registered version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from models.files import scratch
from training.card import model_card
from training.evaluate import Evaluation
from training.registry import Registry, Version
from training.train import Trained


def publish(
    registry: Registry, trained: Trained, *, at: datetime, source: str = "", tags: Mapping[str, str] | None = None
) -> Version:
    """Save the ranker aside, write its card and register both. Nothing is promoted.

    ``at`` is when it was trained and ``source`` says in words what the orders are; both stand in the card.
    """
    with scratch(registry.store, "ranker") as aside:
        folder = aside / "ranker"
        trained.save(folder)
        return registry.register(
            folder,
            params=trained.config.as_params() | {"orders": len(trained.dataset), "encoder": trained.ranker.encoder_id},
            metrics=figures(trained.evaluation),
            tags={"source": source, **(tags or {})},
            card=model_card(trained, at=at, source=source),
        )


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
