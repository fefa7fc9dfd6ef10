"""From held-out answers to a judgement: the fusion's weights, the trees that rank its shortlist, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.candidates import Candidates
from models.fields import FIELDS, function_numbers
from models.fusion import calibrate, fit_weights, log_softmax
from models.recipe import Recipe
from models.scorer import LAYERS, Judgement, shortlister, spread
from models.side_by_side import side_by_side
from models.trees import Trees
from models.views import VIEWS

#: Layers of an answer with fields.
FIELD_LAYERS = (*LAYERS, *(f"{name}_{label}" for name in FIELDS for label in ("unit", "function")))
#: Views that know a unit by its own orders, and by those of its function.
UNIT_VIEWS = ("text_unit", "vector_unit", "neighbours")
FUNCTION_VIEWS = ("text_function", "vector_function")
#: Share of the other units whose history is hidden along with that of the accepted one.
ALSO_HIDDEN = 0.1
#: Among fewer units there is no shortlist to rank.
LEAST_UNITS = 10
#: Orders whose rows are scored at once, which bounds memory.
PART = 64


@dataclass(frozen=True)
class HeldOut:
    """Answers to orders by views that never saw their group, in the order of the orders.

    Parameters
    ----------
    rows : ndarray of int, (n,)
        Which of the historic orders were asked.
    folds : ndarray of int, (n,)
        Without which fold each was answered.
    margins : ndarray of float32, (n, candidates, views)
    nearest : ndarray of float32, (n,)
        Similarity of the nearest order of another group.
    targets : ndarray of int, (n,)
    orders : ndarray of float32, (folds, candidates)
        Orders of each candidate outside a fold.
    absent : ndarray of float32, (folds, views)
        See :meth:`models.views.Views.absent`.
    fields : ndarray of float32, (n, candidates, 2 × fields)
        Margins of the fields, likewise from orders outside the fold.
    overlaps : ndarray of float32, (n, candidates, 2)
        Characters shared with names and with duty lines.
    lengths : ndarray of float32, (n,)
        Characters of the text.
    """

    rows: np.ndarray
    folds: np.ndarray
    margins: np.ndarray
    nearest: np.ndarray
    targets: np.ndarray
    orders: np.ndarray
    absent: np.ndarray
    fields: np.ndarray
    overlaps: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def judge(held: HeldOut, candidates: Candidates, *, recipe: Recipe, seed: int) -> Judgement:
    """Learn the weights of the views, grow the trees and calibrate both on answers that neither was trained on."""
    weights = fit_weights(held.margins, held.targets)
    fused = held.margins @ weights
    trees, ranked = Trees.none(), np.zeros_like(fused)
    if len(held) >= recipe.trees_from and len(candidates) >= LEAST_UNITS:
        trees, ranked = _grow(held, fused, weights, candidates, recipe=recipe, seed=seed)
    layers = np.stack([ranked, log_softmax(fused)], axis=2)
    thresholds = {"coverage": recipe.coverage, "torn_accuracy": recipe.torn_accuracy}
    text = calibrate(layers, held.targets, names=LAYERS, **thresholds)
    known = held.fields.any(axis=(1, 2))
    fields = None
    if known.sum() >= min(len(held), recipe.trees_from):
        with_fields = np.concatenate([layers[known], held.fields[known]], axis=2)
        fields = calibrate(with_fields, held.targets[known], names=FIELD_LAYERS, **thresholds)
    return Judgement(
        fusion={view: float(weight) for view, weight in zip(VIEWS, weights, strict=True)},
        trees=trees,
        shortlist=recipe.shortlist,
        text=text,
        fields=fields,
        near=float(np.quantile(held.nearest, recipe.far)),
    )


def _grow(
    held: HeldOut, fused: np.ndarray, weights: np.ndarray, candidates: Candidates, *, recipe: Recipe, seed: int
) -> tuple[Trees, np.ndarray]:
    """Trees grown on all, and what trees grown on the other parts say of each order: (n, candidates)."""
    lister = shortlister(candidates, recipe.shortlist)
    orders = held.orders[held.folds]
    everything = np.arange(len(held))

    def described(
        margins: np.ndarray, fused: np.ndarray, orders: np.ndarray, which: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        chosen = lister.choose(fused, margins[:, :, lister.duty], orders)
        rows = lister.rows(
            margins,
            log_softmax(fused),
            chosen,
            orders=orders,
            overlaps=held.overlaps[which],
            nearest=held.nearest[which],
            lengths=held.lengths[which],
        )
        return chosen, rows

    chosen, rows = described(held.margins, fused, orders, everything)
    again = np.flatnonzero(np.random.default_rng(seed).random(len(held)) < recipe.cold)
    without, bare = _hidden(held, again, orders, candidates, seed=seed)
    cold_chosen, cold_rows = described(without, without @ weights, bare, again)

    counts = np.bincount(held.targets, minlength=len(candidates)).astype(np.float64)
    of_order = np.concatenate([everything, again])
    all_chosen, all_rows = np.concatenate([chosen, cold_chosen]), np.concatenate([rows, cold_rows])
    right = all_chosen == held.targets[of_order][:, None]
    weight = counts[held.targets[of_order]] ** -recipe.tail
    # A part is made of whole folds, so of whole groups; with as few folds as parts, of one each.
    part = held.folds % recipe.tree_parts
    numbers = np.unique(part)
    lessons = [part[of_order] != number for number in numbers] + [np.ones(len(of_order), bool)]
    pieces = ((all_rows, right, weight, wanted, recipe, seed) for wanted in lessons)
    *parts, whole = side_by_side(_grown, pieces, orders=len(held))
    ranked = np.zeros_like(fused)
    for number, trees in zip(numbers, parts, strict=True):
        mine = np.flatnonzero(part == number)
        ranked[mine] = spread(_scored(trees, rows[mine]), chosen[mine], fused.shape[1])
    return whole, ranked


def _grown(
    rows: np.ndarray, right: np.ndarray, weight: np.ndarray, wanted: np.ndarray, recipe: Recipe, seed: int
) -> Trees:
    """Trees over the candidates of the ``wanted`` orders: ``rows`` (orders, count, columns), ``right`` (orders, count)."""
    # Where the accepted unit is not on the list there is nothing to learn about its order.
    wanted = wanted & right.any(axis=1)
    share = weight[wanted] / weight[wanted].mean()
    return Trees.grow(
        rows[wanted].reshape(-1, rows.shape[2]),
        right[wanted].ravel(),
        np.repeat(share, rows.shape[1]),
        rounds=recipe.tree_rounds,
        rate=recipe.tree_rate,
        leaf_rows=recipe.tree_leaf_rows,
        l2=recipe.tree_l2,
        share=recipe.tree_share,
        leaves=recipe.tree_leaves,
        seed=seed,
    )


def _scored(trees: Trees, rows: np.ndarray) -> np.ndarray:
    n, count, columns = rows.shape
    parts = [trees.scores(rows[i : i + PART].reshape(-1, columns)) for i in range(0, n, PART)]
    return np.concatenate(parts).reshape(n, count)


def _hidden(
    held: HeldOut, rows: np.ndarray, orders: np.ndarray, candidates: Candidates, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Margins and orders of ``rows`` as if the accepted unit, and some others, had no history: for cold starts.

    A unit alone in its function takes what is known of the function with it.
    """
    hidden = np.random.default_rng(seed + 1).random((len(rows), len(candidates))) < ALSO_HIDDEN
    hidden[np.arange(len(rows)), held.targets[rows]] = True
    bare = np.where(hidden, np.float32(0), orders[rows])
    margins = held.margins[rows].copy()
    absent = held.absent[held.folds[rows]]
    function = function_numbers(candidates.functions)
    onehot = np.eye(function.max() + 1, dtype=np.float32)[function]
    unknown = hidden & (((bare > 0) @ onehot)[:, function] == 0)
    for names, gone in ((UNIT_VIEWS, hidden), (FUNCTION_VIEWS, unknown)):
        for name in names:
            view = VIEWS.index(name)
            margins[:, :, view] = np.where(gone, absent[:, view, None], margins[:, :, view])
    return margins, bare
