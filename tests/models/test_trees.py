from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from models.trees import Trees


@pytest.mark.parametrize(("leaves", "rounds", "seed"), [(2, 7, 0), (15, 40, 1), (16, 30, 2)])
def test_the_walk_gives_what_scikit_learn_gives(leaves: int, rounds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((3000, 9)).astype(np.float32)
    # Few distinct values: many rows lie just on a threshold.
    rows[:, :3] = np.round(rows[:, :3])
    right = rows[:, 0] * rows[:, 4] + rows[:, 1] > 0.5
    model = HistGradientBoostingClassifier(
        max_iter=rounds, max_leaf_nodes=leaves, min_samples_leaf=5, early_stopping=False, random_state=seed
    ).fit(rows, right)
    trees = Trees.of(model)
    new = rng.standard_normal((1000, 9)).astype(np.float32)
    new[:, :3] = np.round(new[:, :3])
    for part in (rows, new):
        np.testing.assert_allclose(trees.scores(part), model.decision_function(part), rtol=0, atol=1e-12)
    # On a threshold itself, and a hair above and below it, the two take the same way.
    edges = np.repeat(new[:1], 3 * trees.thresholds.shape[1], axis=0)
    exact, features = trees.thresholds[0], trees.features[0]
    for offset, values in enumerate((exact, np.nextafter(exact, np.float32(9)), np.nextafter(exact, np.float32(-9)))):
        edges[np.arange(offset, len(edges), 3), features] = values
    np.testing.assert_allclose(trees.scores(edges), model.decision_function(edges), rtol=0, atol=1e-12)


def test_no_trees_say_nothing() -> None:
    assert len(Trees.none()) == 0


def test_growing_twice_gives_the_same_arrays() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 4)).astype(np.float32)
    settings = {"rounds": 5, "rate": 0.1, "leaf_rows": 5, "l2": 1.0, "share": 0.5, "leaves": 8, "seed": 3}
    one, two = (Trees.grow(rows, rows[:, 0] > 0, None, **settings) for _ in range(2))
    for name in ("features", "thresholds", "masks", "leaves"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.start == two.start


def test_serving_imports_no_scikit_learn() -> None:
    code = "import sys, models.ranker; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
