"""A frozen test: the same held-out orders for every model that is trained on one source, kept beside the models.

Two versions are compared on it with the answers of the rankers that had not seen it. What is kept are hashes and
answers, no text.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError, register
from models.files import scratch
from training.dataset import TrainingSet
from training.metrics import Answers

register(
    "E5105",
    "冻结测试读不出",
    "冻结测试的文件“{name}”读不出来（{problem}）。请从备份恢复模型库，或重新训练。",
    exit_code=3,
)

FOLDER = "frozen"
#: A frozen test serves on as long as this share of its orders is still in the data.
STILL_THERE = 0.8
#: And as long as it leaves at least this share of the data to train on.
LEFT_TO_TRAIN = 0.5
_COLUMNS = ("truth", "first", "place", "confidence", "covered", "set_size", "abstained", "group")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def row_keys(dataset: TrainingSet) -> tuple[str, ...]:
    """A key for each order, by its number and text; the second of two equal orders gets a key of its own."""
    seen: Counter[str] = Counter()
    keys = []
    for number, text in zip(dataset.order_ids, dataset.texts, strict=True):
        key = _hash(number, text)
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    return tuple(keys)


@dataclass(frozen=True)
class FrozenTest:
    """Orders that no measured ranker is trained on: their keys, and the hashes of their groups and texts.

    An order of the same group or text that comes later is held out with them, so that nothing of the test leaks.
    """

    source: str
    keys: tuple[str, ...]
    groups: frozenset[str]
    texts: frozenset[str]

    @property
    def id(self) -> str:
        """``frozen-`` and 16 hex digits of the hash of the row keys."""
        return "frozen-" + hashlib.sha256("\n".join(sorted(self.keys)).encode()).hexdigest()[:16]

    @classmethod
    def of(cls, dataset: TrainingSet, held: Sequence[int], *, source: str) -> FrozenTest:
        keys, part = row_keys(dataset), dataset.take(held)
        return cls(
            source,
            tuple(keys[row] for row in held),
            frozenset(_hash(group) for group in part.groups),
            frozenset(_hash(text) for text in part.texts),
        )

    def held(self, dataset: TrainingSet) -> tuple[int, ...]:
        """Rows of ``dataset`` to hold out: those of the test, and whatever shares a group or a text with one."""
        keys = set(self.keys)
        return tuple(
            row
            for row, (key, group, text) in enumerate(zip(row_keys(dataset), dataset.groups, dataset.texts, strict=True))
            if key in keys or _hash(group) in self.groups or _hash(text) in self.texts
        )

    def to_json(self, *, at: datetime) -> str:
        content = {
            "id": self.id,
            "source": self.source,
            "made_at": at.isoformat(),
            "keys": list(self.keys),
            "groups": sorted(self.groups),
            "texts": sorted(self.texts),
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def save(self, store: Path, *, at: datetime) -> None:
        """Keep it under ``store``; one that is there already stays as it is."""
        target = store / FOLDER / f"{self.id}.json"
        if target.is_file():
            return
        with scratch(store / FOLDER, self.id) as aside:
            (aside / "test.json").write_text(self.to_json(at=at), encoding="utf-8")
            (aside / "test.json").replace(target)


def latest(store: Path, dataset: TrainingSet, *, source: str) -> FrozenTest | None:
    """The newest frozen test of a source that still fits the data; E5105 for a file that cannot be read."""
    keys = set(row_keys(dataset))
    found = []
    for path in sorted((store / FOLDER).glob("frozen-*.json")):
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            test = FrozenTest(row["source"], tuple(row["keys"]), frozenset(row["groups"]), frozenset(row["texts"]))
            made_at = str(row["made_at"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ZhipaiError("E5105", {"name": path.name, "problem": type(error).__name__}) from error
        there = len(keys & set(test.keys))
        fits = there >= STILL_THERE * len(test.keys)
        if test.source == source and fits and len(test.held(dataset)) <= (1 - LEFT_TO_TRAIN) * len(dataset):
            found.append((made_at, test.id, test))
    return max(found, key=lambda one: one[:2])[2] if found else None


@dataclass(frozen=True)
class KeyedAnswers:
    """Answers with the key of each order, and the id of the frozen test they belong to."""

    keys: tuple[str, ...]
    answers: Answers
    test: str = ""

    def save(self, path: Path) -> None:
        """Plain arrays, no pickle."""
        columns = {name: getattr(self.answers, name) for name in _COLUMNS}
        np.savez_compressed(
            path,
            allow_pickle=False,
            keys=np.array(self.keys),
            units=np.array(self.answers.units),
            test=np.array([self.test]),
            **columns,
        )

    @classmethod
    def load(cls, path: Path) -> KeyedAnswers:
        """Read what :meth:`save` wrote; E5105."""
        try:
            with np.load(path, allow_pickle=False) as data:
                answers = Answers(**{name: data[name] for name in _COLUMNS}, units=tuple(map(str, data["units"])))
                return cls(tuple(map(str, data["keys"])), answers, str(data["test"][0]))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ZhipaiError("E5105", {"name": path.name, "problem": type(error).__name__}) from error
