"""From a list of units alone: a ranker like any other, that names units by their duties and says how weak it is."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from models.encoder import Encoder
from models.neighbours import Space
from models.ranker import UnitRanker
from training.cold_start import ColdJudgement, cold_start, order_space

UNITS = UnitDirectory(
    [
        Unit("市供水集团", function="供水集团", duties=("自来水抢修", "水费查询", "水压不足")),
        Unit("市公交集团", function="公交集团", duties=("公交线路运营", "公交卡业务")),
        Unit("东湖区教育局", function="教育局", district="东湖区", level="区", duties=("中小学入学", "校外培训管理")),
        Unit("西山区教育局", function="教育局", district="西山区", level="区", duties=("中小学入学", "校外培训管理")),
        Unit("市老局", duties=("自来水抢修",), effective_to=datetime(2020, 1, 1).date(), successor="市供水集团"),
    ]
)
TEXTS = ("自来水停了两天没有人抢修", "公交卡刷两次扣钱", "孩子中小学入学报名", "路灯坏了", "噪音太大", "物业乱收费")


@pytest.fixture(scope="module")
def space(quick_encoder: Encoder) -> Space:
    return order_space(TEXTS, quick_encoder)


@pytest.fixture(scope="module")
def cold(quick_encoder: Encoder, space: Space) -> UnitRanker:
    return cold_start(UNITS, encoder=quick_encoder, space=space)


def test_the_duty_that_a_text_names_comes_first(cold: UnitRanker, as_of: datetime) -> None:
    for text, unit in zip(TEXTS[:2], ("市供水集团", "市公交集团"), strict=True):
        ranking = cold.rank(text, as_of=as_of)
        assert ranking.units[0].unit == unit
        assert {one.kind for one in ranking.units[0].evidence} <= {"word", "duty", "field"}
        assert ranking.units[0].evidence


def test_the_district_parts_units_of_one_function(cold: UnitRanker, as_of: datetime) -> None:
    for district in ("东湖区", "西山区"):
        ranking = cold.rank("孩子中小学入学报名", as_of=as_of, district=district)
        assert ranking.units[0].unit == f"{district}教育局"


def test_only_units_in_force_are_named(cold: UnitRanker) -> None:
    assert "市老局" not in cold.units


def test_it_abstains_and_says_that_it_never_saw_an_order(cold: UnitRanker, as_of: datetime) -> None:
    assert cold.facts["cold_start"] is True
    assert cold.facts["orders"] == 0
    assert "没有历史工单" in cold.facts["weak"]
    assert all(cold.rank(text, as_of=as_of).abstained for text in TEXTS[3:])


def test_it_is_saved_and_loaded_like_any_other(cold: UnitRanker, tmp_path: Path, quick_encoder: Encoder, as_of) -> None:
    model_id = cold.save(tmp_path / "cold")
    loaded = UnitRanker.load(tmp_path / "cold", encoder=quick_encoder)
    assert loaded.model_id == model_id
    assert loaded.rank(TEXTS[0], as_of=as_of) == cold.rank(TEXTS[0], as_of=as_of)


def test_two_runs_give_the_same_bytes(space: Space, quick_encoder: Encoder, tmp_path: Path) -> None:
    ids = {cold_start(UNITS, encoder=quick_encoder, space=space).save(tmp_path / name) for name in "ab"}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("units", "code"),
    [([], "E5211"), ([Unit("甲局", duties=("事",))], "E5211"), ([Unit("甲局"), Unit("乙局")], "E5212")],
)
def test_a_list_that_says_too_little_is_refused(units, code, quick_encoder: Encoder, space: Space) -> None:
    with pytest.raises(ZhipaiError, match=code):
        cold_start(UnitDirectory(units), encoder=quick_encoder, space=space)


def test_the_coefficients_come_back_as_they_were_saved(tmp_path: Path) -> None:
    shipped = ColdJudgement.from_file()
    path = tmp_path / "cold.json"
    path.write_text(shipped.to_json(), encoding="utf-8")
    assert ColdJudgement.from_file(path).to_json() == shipped.to_json()
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ZhipaiError, match="E5213"):
        ColdJudgement.from_file(path)
