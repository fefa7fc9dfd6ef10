"""Training of the ranker: read the orders, answer each from folds without it, learn from that how to judge, fit on all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from models.candidates import Candidates
from models.duties import Duties
from models.encoder import Encoder
from models.evidence import SHOWN, History
from models.fields import FieldCounts
from models.folds import grouped_folds
from models.learning import HeldOut, judge
from models.lexical import Lexical
from models.progress import Progress, silent
from models.recipe import Recipe
from models.scorer import Scorer, lexica
from models.side_by_side import side_by_side
from models.text import TextFeatures
from models.views import Rows, Views

register(
    "E2104", "工单太少", "训练至少需要 {least} 条带承办单位的工单、两个以上的单位，现在有 {count} 条、{units} 个单位。"
)

STEP = "训练单位推荐模型"
#: Fewer orders cannot be split into folds that say anything.
LEAST = 20


def fit(
    texts: Sequence[str],
    units: Sequence[str],
    groups: Sequence[str],
    *,
    encoder: Encoder,
    directory: UnitDirectory,
    seed: int,
    progress: Progress | None,
    recipe: Recipe,
    order_ids: Sequence[str],
    districts: Sequence[str],
    streets: Sequence[str],
    fields: Sequence[Mapping[str, str]],
    vectors: np.ndarray | None,
) -> tuple[Scorer, History, dict[str, Any]]:
    """Train.

    Parameters
    ----------
    texts : sequence of str
        ``Prepared.text`` of historic orders: masked, without dispatch hints.
    units : sequence of str
        Accepted unit of each, a name in ``directory`` under some date. Units with one order are kept.
    groups : sequence of str
        重复组, or empty. Held-out answers never come from an order's own group.
    encoder : Encoder
    directory : UnitDirectory
    seed : int
        Reaches every random step: equal arguments give equal bytes.
    progress : Progress or None
    recipe : Recipe
    order_ids, districts, streets : sequence of str
        As far as known; shown as evidence, and where the order lies.
    fields : sequence of mapping
        Fields known at filing (:data:`models.fields.FIELDS`), as far as known.
    vectors : ndarray or None, (n, dim)
        ``encoder.encode(texts)``, when the caller has it.

    Raises
    ------
    ZhipaiError
        E2101 for units that the directory lacks, E2104 for too few orders or units.
    """
    report = progress or silent
    # Sums over several threads differ in their last bits; one thread gives the same bytes each time.
    with threadpool_limits(1):
        material = gather(
            texts,
            units,
            encoder=encoder,
            directory=directory,
            recipe=recipe,
            districts=districts,
            streets=streets,
            fields=fields,
            vectors=vectors,
            progress=progress,
        )
        held = held_out(material, groups, recipe=recipe, seed=seed, report=report)
        judged = judge(held, material.candidates, recipe=recipe, seed=seed)
        views = Views.fit(material.rows, material.candidates, material.duties, recipe=recipe, seed=seed)
        counts = FieldCounts.count(material.fields, material.rows.targets, material.candidates.functions)
        scorer = Scorer.of(views, material.features, counts, material.lexical, judged)
        report(STEP, recipe.folds + 1, recipe.folds + 1)
    history = History(
        list(order_ids) or [f"第 {i} 行" for i in range(1, len(texts) + 1)], [text[:SHOWN] for text in texts]
    )
    facts = {
        "orders": len(texts),
        "trained_units": sorted(set(units)),
        "ngrams": material.features.size,
        "coverage": recipe.coverage,
        "seed": seed,
    }
    return scorer, history, facts


@dataclass(frozen=True)
class Material:
    """Historic orders as every fold reads them.

    ``lexical`` holds the words of the candidates' names and of their duty lines, ``overlaps`` (n, candidates, 2) what
    each order shares with them, ``lengths`` (n,) the characters of each.
    """

    features: TextFeatures
    rows: Rows
    candidates: Candidates
    duties: Duties
    fields: Sequence[Mapping[str, str]]
    lexical: tuple[Lexical, Lexical]
    overlaps: np.ndarray
    lengths: np.ndarray


def gather(
    texts: Sequence[str],
    units: Sequence[str],
    *,
    encoder: Encoder,
    directory: UnitDirectory,
    recipe: Recipe,
    districts: Sequence[str] = (),
    streets: Sequence[str] = (),
    fields: Sequence[Mapping[str, str]] = (),
    vectors: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Material:
    """Count n-grams, encode what is not encoded, choose the candidates. Errors of :func:`fit`."""
    if len(texts) < LEAST or len(set(units)) < 2:
        raise ZhipaiError("E2104", {"least": LEAST, "count": len(texts), "units": len(set(units))})
    candidates = Candidates.choose(units, directory)
    if vectors is None:
        vectors = encoder.encode(texts, progress=progress)
    duties = Duties.build(candidates, directory, encoder, None)
    features = TextFeatures.fit(texts, min_df=recipe.min_df, max_chars=recipe.max_chars, max_words=recipe.max_words)
    number = {name: i for i, name in enumerate(candidates.names)}
    rows = Rows(
        features=features.matrix(texts),
        vectors=vectors,
        targets=np.array([number[unit] for unit in units], np.int64),
        districts=districts or [""] * len(texts),
        streets=streets or [""] * len(texts),
    )
    lexical = lexica(candidates, duties)
    return Material(
        features,
        rows,
        candidates,
        duties,
        fields or [{}] * len(texts),
        lexical,
        overlaps=np.stack([one.overlaps(texts) for one in lexical], axis=2),
        lengths=np.array([len(text) for text in texts], np.float32),
    )


def held_out(
    material: Material, groups: Sequence[str], *, recipe: Recipe, seed: int, report: Progress = silent
) -> HeldOut:
    """Answer each order, or a sample of ``calibration_rows``, from the folds without its group."""
    rows, size = material.rows, len(material.candidates)
    folds = grouped_folds(groups, rows.targets.tolist(), folds=recipe.folds, seed=seed)
    share = min(1.0, recipe.calibration_rows / len(rows))
    asked = np.random.default_rng(seed).random(len(rows)) < share if share < 1 else np.ones(len(rows), bool)
    report(STEP, 0, recipe.folds + 1)
    pieces = (
        (material, np.flatnonzero(folds != fold), np.flatnonzero((folds == fold) & asked), recipe, seed)
        for fold in range(recipe.folds)
    )
    parts, orders, absent = [], [], []
    for fold, (part, known, unseen) in enumerate(side_by_side(_answer_fold, pieces, orders=len(rows))):
        if part is not None:
            parts.append(part)
        orders.append(np.bincount(rows.targets[known], minlength=size).astype(np.float32))
        absent.append(unseen)
        report(STEP, fold + 1, recipe.folds + 1)
    which, margins, nearest, fields = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(which)
    which = which[order]
    return HeldOut(
        rows=which,
        folds=folds[which],
        margins=margins[order],
        nearest=nearest[order],
        targets=rows.targets[which],
        orders=np.stack(orders),
        absent=np.stack(absent),
        fields=fields[order],
        overlaps=material.overlaps[which],
        lengths=material.lengths[which],
    )


def _answer_fold(
    material: Material, known: np.ndarray, held: np.ndarray, recipe: Recipe, seed: int
) -> tuple[tuple[np.ndarray, ...] | None, np.ndarray, np.ndarray]:
    """Answers to the orders ``held``, None without any, by views that know the orders ``known``; those; and what the
    views say of what they never saw."""
    rows = material.rows
    views = Views.fit(rows.take(known), material.candidates, material.duties, recipe=recipe, seed=seed)
    if not len(held):
        return None, known, views.absent()
    counts = FieldCounts.count(
        [material.fields[i] for i in known.tolist()], rows.targets[known], material.candidates.functions
    )
    fields = counts.all_margins([material.fields[i] for i in held.tolist()])
    return (held, *views.margins(rows.take(held)), fields), known, views.absent()
