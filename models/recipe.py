"""The numbers a ranker is trained by. Measured choices: docs/decisions/0002-first-ranker.md and 0004-learned-ranker.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; every field may be set in ``training/default.yaml``.

    Parameters
    ----------
    min_df : int
        N-grams in fewer orders than this are left out.
    max_chars, max_words : int
        N-grams of characters and of words that are kept, the commonest first; they bound the artifact's size.
    svm_c, softmax_c : float
        Inverse regularisation of the linear models over n-grams and over vectors.
    folds : int
        Grouped folds whose held-out answers weigh the views and calibrate the probabilities.
    calibration_rows : int
        At most this many held-out orders are used for that, which bounds memory.
    neighbours : int
        Historic orders that vote, and among which similar ones are shown.
    sharpness : float
        How fast a neighbour's vote fades with its distance.
    coverage : float
        Share of orders whose coverage set holds the accepted unit.
    far : float
        Share of historic orders that lie so far from all others that an order as far is called unlike any.
    torn_accuracy : float
        The ranker abstains where its first unit, at that lead over the second, is right less often than this.
    trees_from : int
        From this many held-out orders on, boosted trees rank the likeliest candidates; below, the fusion alone does.
    shortlist : int
        Candidates of an order that the trees rank.
    tree_parts : int
        Parts that held-out orders are split into, each answered by trees grown on the others, to calibrate them.
    tree_rounds, tree_leaves, tree_leaf_rows : int
        Trees, leaves of each (at most 16), candidates in a leaf at the least.
    tree_rate, tree_l2, tree_share : float
        Step, regularisation of leaves, share of columns that each split may look at.
    tail : float
        Orders of a unit with n of them weigh n to the power of minus this: 0 counts orders, 1 counts units.
    cold : float
        Share of orders that the trees read a second time, as if their unit had no history.
    """

    min_df: int = 2
    max_chars: int = 80_000
    max_words: int = 40_000
    svm_c: float = 1.0
    softmax_c: float = 30.0
    folds: int = 5
    calibration_rows: int = 20_000
    neighbours: int = 30
    sharpness: float = 20.0
    coverage: float = 0.9
    far: float = 0.01
    torn_accuracy: float = 0.4
    trees_from: int = 800
    shortlist: int = 24
    tree_parts: int = 5
    tree_rounds: int = 125
    tree_leaves: int = 15
    tree_leaf_rows: int = 100
    tree_rate: float = 0.1
    tree_l2: float = 10.0
    tree_share: float = 0.4
    tail: float = 0.25
    cold: float = 0.15
