"""A ranker from nothing but a list of units with their duties: weak, and it says so.

It is an ordinary :class:`models.ranker.UnitRanker` whose views are the duties (by vector and by words), the units' names and
places. It never saw an order of its city; how much its scores are worth was learned elsewhere, on orders whose units were
likewise known by their duties only (:class:`ColdJudgement`). No order is invented for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from models.candidates import Candidates, latest_units
from models.doubt import COLD
from models.duties import Duties
from models.encoder import Encoder
from models.evidence import History
from models.fields import FIELDS, FieldCounts
from models.fusion import Calibration
from models.learning import HeldOut, judge
from models.linear import Linear
from models.neighbours import Neighbours, Space
from models.progress import Progress
from models.ranker import UnitRanker
from models.recipe import Recipe
from models.scorer import Judgement, Scorer, lexica
from models.text import TextFeatures
from models.trees import Trees
from models.views import LABELS, VIEWS, Rows, Views
from training.dataset import TrainingSet

register("E5211", "单位太少", "名录里现行的单位只有 {count} 个，至少要有 2 个才谈得上推荐。")
register(
    "E5212",
    "没有职责",
    "名录里 {count} 个现行单位都没有写职责（duties），冷启动模型无从比较。请给每个单位写几行职责，或在列映射的 directory 里写 duties。",
)
register("E5213", "冷启动系数有误", "冷启动系数“{path}”读不出来：{problem}。请从软件包恢复这个文件。", exit_code=3)

#: The ranker abstains unless its first unit, at that lead, is right at least this often.
SURE = 0.9
#: Lines that are looked at to tell whether an order lies near any duty at all.
NEIGHBOURS = 5
WEAK = COLD.removesuffix("。")


@dataclass(frozen=True)
class ColdJudgement:
    """What the scores of a cold start are worth, as learned from orders of another city.

    Parameters
    ----------
    judgement : Judgement
        Without trees and without fields.
    facts : dict
        What it was learned from; for people.
    """

    judgement: Judgement
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        judged = self.judgement
        row = {"fusion": judged.fusion, "text": judged.text.as_dict(), "near": judged.near, "facts": self.facts}
        return json.dumps(row, ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_file(cls, path: Path | None = None) -> ColdJudgement:
        """Read the one that comes with the software, or another; E5213."""
        path = path or Path(__file__).with_suffix(".json")
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            fusion = {view: float(row["fusion"][view]) for view in VIEWS}
            text, near = Calibration.from_dict(row["text"]), float(row["near"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ZhipaiError("E5213", {"path": path.name, "problem": type(error).__name__}) from error
        return cls(Judgement(fusion, Trees.none(), Recipe().shortlist, text, None, near), row.get("facts", {}))


@dataclass(frozen=True)
class _Cold:
    """The views of a city without orders."""

    features: TextFeatures
    views: Views


def cold_start(
    directory: UnitDirectory,
    *,
    encoder: Encoder,
    space: Space,
    judged: ColdJudgement | None = None,
    progress: Progress | None = None,
) -> UnitRanker:
    """A ranker of the units in force in ``directory``.

    Parameters
    ----------
    directory : UnitDirectory
        Units with duties. One without any is known by its function's name.
    encoder : Encoder
    space : Space
        Of orders anywhere, such as the bundled corpus: where texts of orders lie, against which duties are compared.
    judged : ColdJudgement, optional
        By default the one that comes with the software.

    Raises
    ------
    ZhipaiError
        E5211 for fewer than two units, E5212 when no unit has duties.
    """
    judged = judged or ColdJudgement.from_file()
    cold = _views(directory, encoder, space, progress)
    candidates = cold.views.candidates
    scorer = Scorer.of(
        cold.views,
        cold.features,
        FieldCounts.count([], np.zeros(0, np.int64), candidates.functions),
        lexica(candidates, cold.views.duties),
        judged.judgement,
    )
    facts = {
        "cold_start": True,
        "weak": WEAK,
        "orders": 0,
        "trained_units": [],
        "ngrams": cold.features.size,
        "coverage": Recipe().coverage,
        "judged_on": judged.facts,
    }
    # The nearest lines are duties and no orders: their weight is nought, so that none is ever shown as an order.
    history = History(["" for _ in cold.views.duties.lines], list(cold.views.duties.lines))
    return UnitRanker(scorer, directory, history, encoder_id=encoder.id, facts=facts, encoder=encoder)


def learn_judgement(
    dataset: TrainingSet, *, encoder: Encoder, space: Space, facts: dict[str, Any], progress: Progress | None = None
) -> ColdJudgement:
    """How far to trust duties, names and places: from orders whose units are known by nothing else.

    The orders' texts and vectors are asked, never learned from: only the weights of the views and the calibration are.
    """
    cold = _views(dataset.directory, encoder, space, progress)
    candidates = cold.views.candidates
    number = {name: i for i, name in enumerate(candidates.names)}
    rows = np.array([i for i, unit in enumerate(dataset.units) if unit in number])
    known = dataset.take(rows)
    vectors = known.vectors if known.vectors is not None else encoder.encode(known.texts, progress=progress)
    asked = Rows(
        cold.features.matrix(known.texts),
        vectors,
        np.array([number[unit] for unit in known.units], np.int64),
        known.districts,
        known.streets,
    )
    size = len(known), len(candidates)
    with threadpool_limits(1):
        margins, nearest = cold.views.margins(asked)
        # Lines stand where orders will: they tell how far an order lies from all duties, and have no vote.
        margins[:, :, VIEWS.index("neighbours")] = 0
        held = HeldOut(
            rows=np.arange(size[0]),
            folds=np.zeros(size[0], np.int64),
            margins=margins,
            nearest=nearest,
            targets=asked.targets,
            orders=np.zeros((1, size[1]), np.float32),
            absent=np.zeros((1, len(VIEWS)), np.float32),
            fields=np.zeros((*size, 2 * len(FIELDS)), np.float32),
            overlaps=np.zeros((*size, 2), np.float32),
            lengths=np.zeros(size[0], np.float32),
        )
        # No trees: they would learn the units of this city.
        recipe = replace(Recipe(), trees_from=size[0] + 1, torn_accuracy=SURE)
        judged = judge(held, candidates, recipe=recipe, seed=0)
    return ColdJudgement(judged, facts | {"orders": size[0], "units": size[1]})


def _views(directory: UnitDirectory, encoder: Encoder, space: Space, progress: Progress | None) -> _Cold:
    units = {name: unit for name, unit in latest_units(directory).items() if unit.effective_to is None}
    if len(units) < 2:
        raise ZhipaiError("E5211", {"count": len(units)})
    if not any(unit.duties for unit in units.values()):
        raise ZhipaiError("E5212", {"count": len(units)})
    candidates = Candidates.of(sorted(units), directory)
    duties = Duties.build(candidates, directory, encoder, progress)
    written = ["。".join((units[name].function or name, *units[name].duties)) for name in candidates.names]
    features = TextFeatures.fit(written, min_df=1, max_chars=Recipe().max_chars, max_words=Recipe().max_words)
    words = features.matrix(written).T.toarray().astype(np.float32)
    silent = tuple(_silent(features.size) for _ in LABELS[1:])
    line_vectors = encoder.encode(list(duties.lines), kind="query", progress=progress)
    views = Views(
        candidates=candidates,
        space=space,
        text=(Linear(candidates.names, words, np.zeros(len(candidates), np.float32), 0.0), *silent),
        vector=tuple(_silent(encoder.dim) for _ in LABELS),
        neighbours=Neighbours.build(
            space.direction(line_vectors),
            duties.owners,
            count=min(NEIGHBOURS, len(duties.lines)),
            sharpness=Recipe().sharpness,
        ),
        duties=duties,
    )
    return _Cold(features, views)


def _silent(columns: int) -> Linear:
    """A linear view that says nothing of anybody."""
    return Linear(("",), np.zeros((columns, 1), np.float32), np.zeros(1, np.float32), 0.0)


def order_space(texts: Sequence[str], encoder: Encoder, *, progress: Progress | None = None) -> Space:
    """The space that texts of orders lie in."""
    return Space.fit(encoder.encode(list(texts), progress=progress))
