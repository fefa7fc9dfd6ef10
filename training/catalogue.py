"""Every registered version with what its run kept, read from MLflow's own tables without importing mlflow.

For pages: importing mlflow takes about 2 s and 150 MB in every process. ``tests/training/test_catalogue.py`` holds the
answer to be the one that ``MlflowClient`` gives.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from training.champion import MODEL, MODEL_ID, PATH, Version, _ask

_VERSIONS = """
    SELECT version, run_id, creation_time, COALESCE(description, '') FROM model_versions WHERE name = :model
"""
_TAGS = "SELECT version, key, value FROM model_version_tags WHERE name = :model"
_ALIASES = "SELECT alias, version FROM registered_model_aliases WHERE name = :model ORDER BY alias"
_OF_RUNS = """
    SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN (SELECT run_id FROM model_versions WHERE name = :model)
"""


@dataclass(frozen=True)
class Registered:
    """A version with its run.

    Parameters
    ----------
    made_at : datetime
        When it was registered, UTC.
    kept : Path
        The folder of the files beside the model: data card, answers to the frozen test, plots.
    source : str
        The name of the orders that it was trained on.
    card : str
        The model card, Markdown.
    metrics, params : dict
        As MLflow holds them; ``top1``, ``top1_low`` … of :func:`training.publish.figures`.
    """

    version: Version
    made_at: datetime
    kept: Path
    source: str = ""
    card: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        return self.version.version


def catalogue(store: Path) -> list[Registered]:
    """All whole versions, the newest first, by six queries whatever their number; none without a store. E5101."""
    name = {"model": MODEL}
    versions = _ask(store, _VERSIONS, name)
    if not versions:
        return []
    tags: dict[int, dict[str, str]] = defaultdict(dict)
    for number, key, value in _ask(store, _TAGS, name):
        tags[number][key] = value
    aliases: dict[int, list[str]] = defaultdict(list)
    for alias, number in _ask(store, _ALIASES, name):
        aliases[int(number)].append(alias)
    metrics: dict[str, dict[str, float]] = defaultdict(dict)
    for run, key, value in _ask(store, _OF_RUNS.format(table="latest_metrics"), name):
        metrics[run][key] = float(value)
    params: dict[str, dict[str, str]] = defaultdict(dict)
    for run, key, value in _ask(store, _OF_RUNS.format(table="params"), name):
        params[run][key] = value
    found = [
        Registered(
            Version(str(number), store / tags[number][PATH], tags[number][MODEL_ID], tuple(aliases[number])),
            made_at=datetime.fromtimestamp(made / 1000, UTC),
            kept=store / "artifacts" / str(run) / "artifacts",
            source=tags[number].get("source", ""),
            card=card,
            metrics=metrics[run],
            params=params[run],
        )
        for number, run, made, card in versions
        # The tag with the place comes last: without it the registration was interrupted.
        if PATH in tags[number]
    ]
    return sorted(found, key=lambda one: -int(one.number))
