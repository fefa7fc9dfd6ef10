"""Whether two orders tell of the same matter: a small logistic model over how alike they are.

What the probability does not say is whether the same person called. That is told apart by :func:`kind_of`: one caller
with one matter repeats himself (重复诉求, 并单处理: 国办函〔2025〕66号（五）); several callers with one matter are 集中诉求, which
are linked and never merged. The model proposes; a person merges, and a merge can be taken back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from intake.errors import ZhipaiError, register
from intake.gazetteer import Place

register("E2301", "重复诉求模型有误", "重复诉求模型“{path}”读不出来：{problem}。请从软件包恢复这个文件。", exit_code=3)

Kind = Literal["duplicate", "same_matter"]
FEATURES = ("cosine", "shared", "place", "days")
#: Runs of characters that two texts are compared by.
GRAMS = (2, 3)
#: Days after which the distance in time no longer grows.
LONGEST = 30.0
SECONDS_A_DAY = 86_400.0
#: Orders that each order is compared with: the nearest by ``cosine``. The probabilities are for such pairs.
NEAREST = 20
SAME_CALLER, CITED, SAME_TEXT = "留有同一个电话", "工单之间有引用", "文字相同，来电人未核实"
OTHER_CALLER, UNKNOWN_CALLER = "留的电话不同", "来电人未知"


@dataclass(frozen=True)
class Side:
    """One order, ready to be compared with many.

    Parameters
    ----------
    order_id : str
    text : str
        ``Prepared.text``.
    direction : ndarray of float32, (dim,)
        ``Space.direction`` of its vector: length 1.
    place : Place
    received_at : datetime or None
        Aware.
    unit : str
        Where it went, else the first unit proposed; shown, not compared.
    callers : frozenset of str
        Keyed hashes of the numbers left for calling back, never the numbers; empty when not known.
    related : frozenset of str
        关联工单.
    """

    order_id: str
    text: str
    direction: np.ndarray
    place: Place = field(default_factory=Place)
    received_at: datetime | None = None
    unit: str = ""
    callers: frozenset[str] = frozenset()
    related: frozenset[str] = frozenset()

    @cached_property
    def grams(self) -> frozenset[str]:
        return _grams(self.text, GRAMS)

    @cached_property
    def place_grams(self) -> frozenset[str]:
        return _grams(self.place.mention, (2,))


def _grams(text: str, sizes: Sequence[int]) -> frozenset[str]:
    plain = "".join(character for character in text.lower() if character.isalnum())
    return frozenset(plain[i : i + size] for size in sizes for i in range(len(plain) - size + 1))


def pair_features(one: Side, other: Side) -> tuple[float, ...]:
    """The values of :data:`FEATURES` for two orders; symmetric. What is not known on either side counts as 0.

    ``cosine`` of the directions; ``shared``, the share of character runs that both have; ``place``, how much of the
    shorter place name stands in the longer; ``days`` between them, 0 for the same moment and 1 from :data:`LONGEST` days
    on, logarithmic between.
    """
    both = len(one.grams & other.grams)
    either = len(one.grams) + len(other.grams) - both
    least = min(len(one.place_grams), len(other.place_grams))
    days = 0.0
    if one.received_at is not None and other.received_at is not None:
        passed = abs((one.received_at - other.received_at).total_seconds()) / SECONDS_A_DAY
        days = math.log1p(min(passed, LONGEST)) / math.log1p(LONGEST)
    return (
        float(one.direction @ other.direction),
        both / either if either else 0.0,
        len(one.place_grams & other.place_grams) / least if least else 0.0,
        days,
    )


def nearest_couples(directions: np.ndarray, *, nearest: int = NEAREST) -> np.ndarray:
    """Every order with its nearest others, each couple of row numbers once, the smaller first: (couples, 2)."""
    import faiss

    index = faiss.IndexFlatIP(directions.shape[1])
    index.add(directions)
    # One more than asked for: the nearest of all is the order itself.
    _, found = index.search(directions, min(nearest + 1, len(directions)))
    rows = np.repeat(np.arange(len(directions)), found.shape[1])
    couples = np.unique(np.sort(np.stack([rows, found.ravel()], axis=1), axis=1), axis=0)
    return couples[couples[:, 0] != couples[:, 1]]


@dataclass(frozen=True, slots=True)
class PairModel:
    """Weights over :data:`FEATURES`, kept as plain numbers in ``models/duplicates.json``.

    Parameters
    ----------
    weights : tuple of float
    bias : float
    facts : dict
        What it was trained on and measured by; for people.
    """

    weights: tuple[float, ...]
    bias: float
    facts: dict[str, object] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path | None = None) -> PairModel:
        """Read the model that comes with the software, or another; E2301."""
        path = path or Path(__file__).with_suffix(".json")
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            weights = tuple(float(row["weights"][name]) for name in FEATURES)
            bias, facts = float(row["bias"]), dict(row["facts"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ZhipaiError("E2301", {"path": path.name, "problem": type(error).__name__}) from error
        if not all(map(math.isfinite, (*weights, bias))):
            raise ZhipaiError("E2301", {"path": path.name, "problem": "有的数不是有限的数"})
        return cls(weights, bias, facts)

    def to_json(self) -> str:
        row = {"weights": dict(zip(FEATURES, self.weights, strict=True)), "bias": self.bias, "facts": self.facts}
        return json.dumps(row, ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    def probability(self, one: Side, other: Side) -> float:
        """That the two tell of the same matter, for pairs such as the nearest orders of one another."""
        return float(self.probabilities(np.array([pair_features(one, other)]))[0])

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """(n, features) -> (n,)."""
        return 1 / (1 + np.exp(-(features @ np.array(self.weights) + self.bias)))


def kind_of(one: Side, other: Side) -> tuple[Kind, str]:
    """Whether two orders of one matter may be merged (``duplicate``) or only linked (``same_matter``), and why.

    Merging takes the same caller (lifecycle: 同一诉求人标识＋同一事项), a reference from one order to the other, or, where no
    caller is known, the very same text, as call-takers copy the earlier record of a repeat call. Different callers are
    never merged, whatever they say.
    """
    if one.callers and other.callers:
        return ("duplicate", SAME_CALLER) if one.callers & other.callers else ("same_matter", OTHER_CALLER)
    if other.order_id in one.related or one.order_id in other.related:
        return "duplicate", CITED
    if one.grams and one.grams == other.grams:
        return "duplicate", SAME_TEXT
    return "same_matter", UNKNOWN_CALLER
