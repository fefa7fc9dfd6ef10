from __future__ import annotations

import numpy as np
import pytest

from models.fields import FieldCounts, levels
from models.fusion import log_softmax
from models.lexical import Lexical
from models.shortlist import COLD, Shortlister, columns
from models.views import VIEWS

FUNCTIONS = ("水", "水", "车")


@pytest.fixture
def counts() -> FieldCounts:
    fields = [{"category": "公用/供水/爆管", "order_type": "投诉"}] * 6 + [{"category": "公用/供水"}, {}]
    fields += [{"category": "交通/公交", "order_type": "投诉"}] * 6
    return FieldCounts.count(fields, np.array([0] * 6 + [1, 1] + [2] * 6), FUNCTIONS)


def test_a_path_is_read_level_by_level() -> None:
    assert levels("公用/供水/爆管") == ["公用", "公用/供水", "公用/供水/爆管"]
    assert levels("投诉") == ["投诉"] and levels("") == []


@pytest.mark.parametrize("fields", [{}, {"category": ""}, {"category": "没见过"}, {"weather": "雨"}])
def test_fields_that_say_nothing_are_silent(counts: FieldCounts, fields: dict[str, str]) -> None:
    assert not counts.margins(fields).any()


def test_a_category_favours_the_units_that_got_it_and_a_new_leaf_falls_back(counts: FieldCounts) -> None:
    known = counts.margins({"category": "公用/供水/爆管"})
    unit, function = known[2], known[3]
    assert unit[0] > 0 > unit[2] and unit[0] > unit[1]
    assert function[0] == function[1] > 0 > function[2]
    np.testing.assert_array_equal(
        counts.margins({"category": "公用/供水/新的"}), counts.margins({"category": "公用/供水"})
    )


def test_overlap_is_the_best_line_of_each_unit_and_a_whole_line_makes_one() -> None:
    lines = ("供水抢修", "水费查询", "公交线路", "公交线路")
    lexical = Lexical.build(lines, np.array([0, 0, 1, 2]))
    assert lexical.overlap("来电要求供水抢修").tolist() == pytest.approx([1, 0, 0])
    found = lexical.overlap("水费太贵，公交线路不对")
    assert 0 < found[0] < 1 and found[1:].tolist() == pytest.approx([1, 1])
    assert not lexical.overlap("").any()
    np.testing.assert_array_equal(lexical.overlaps(["供水", ""])[0], lexical.overlap("供水"))


def test_units_without_history_keep_places_on_the_list_by_their_duties() -> None:
    rng = np.random.default_rng(0)
    size, count = 40, 12
    fused = rng.standard_normal((3, size)).astype(np.float32)
    fused[:, 30:] -= 50
    duty = rng.standard_normal((3, size)).astype(np.float32)
    orders = np.where(np.arange(size) < 30, 4, 0).astype(np.float32)[None]
    lister = Shortlister(("f",) * size, ("d",) * size, VIEWS.index("duty"), count)
    chosen = lister.choose(fused, duty, orders)
    for row in range(3):
        cold = [one for one in chosen[row] if one >= 30]
        assert set(cold) == set(30 + np.argsort(-duty[row, 30:])[:COLD])
        assert set(chosen[row]) - set(cold) == set(np.argsort(-fused[row])[: count - COLD])
        assert (np.diff(fused[row, chosen[row]]) <= 0).all()
    without = lister.choose(fused, duty, np.ones((1, size), np.float32))
    np.testing.assert_array_equal(without, np.argsort(-fused, axis=1)[:, :count])


def test_every_column_of_the_list_has_a_name_and_batch_is_single() -> None:
    rng = np.random.default_rng(1)
    margins = rng.standard_normal((4, 9, len(VIEWS))).astype(np.float32)
    fused = margins.sum(axis=2)
    lister = Shortlister(("a", "b", "c") * 3, ("x",) * 9, VIEWS.index("duty"), 5)
    orders = rng.integers(0, 9, (1, 9)).astype(np.float32)
    overlaps = rng.random((4, 9, 2)).astype(np.float32)
    chosen = lister.choose(fused, margins[:, :, lister.duty], orders)

    def rows(which: slice) -> np.ndarray:
        return lister.rows(
            margins[which], log_softmax(fused)[which], chosen[which], orders=orders, overlaps=overlaps[which],
            nearest=np.ones(4, np.float32)[which], lengths=np.full(4, 7, np.float32)[which],
        )  # fmt: skip

    whole = rows(slice(None))
    assert whole.shape == (4, 5, len(columns(VIEWS)))
    np.testing.assert_allclose(rows(slice(2, 3))[0], whole[2], atol=1e-6)
