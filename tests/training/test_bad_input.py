"""What cannot train or serve is refused in one clear sentence; what can is kept and told."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from zhipai_tests_ranking import AS_OF, city_directory, quick

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.readers import read_orders
from intake.unit import UnitDirectory
from models.ranker import UnitRanker
from models.recipe import Recipe
from training.card import contradictions, data_card
from training.config import TrainConfig
from training.dataset import TrainingSet, training_set
from training.train import train

COLUMNS = {"columns": {"text": "内容", "order_id": "编号", "unit": "单位"}}
CONFIG = TrainConfig(bootstrap=100, recipe=Recipe(neighbours=5))


def read(
    tmp_path: Path, rows: list[tuple[str, str]], *, directory: UnitDirectory | None = None, mapping: dict | None = None
) -> TrainingSet:
    path = tmp_path / "orders.csv"
    lines = [f"A{number},{text},{unit}" for number, (text, unit) in enumerate(rows)]
    path.write_text("编号,内容,单位\n" + "\n".join(lines) + "\n", encoding="utf-8")
    orders = read_orders(path, Mapping.from_dict(mapping or COLUMNS))
    return training_set(orders, gazetteer=Gazetteer.empty(), directory=directory)


def assert_one_sentence(error: ZhipaiError, code: str, *words: str) -> None:
    assert error.code == code
    assert "\n" not in str(error) and "Traceback" not in str(error)
    for word in words:
        assert word in str(error)


WATER = [(f"家里停水{number}天了没人修", "市供水集团") for number in range(30)]
BUS = [(f"公交司机甩站不停{number}次", "市公交集团") for number in range(30)]


def test_one_unit_only_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError) as error:
        read(tmp_path, WATER)
    assert_one_sentence(error.value, "E5002", "市供水集团", "30")


def test_a_unit_with_one_order_is_kept_and_told(tmp_path: Path) -> None:
    data = read(tmp_path, [*WATER, *BUS, ("路口红绿灯坏了", "市公安局交通警察支队")], directory=city_directory())
    trained = train(data, encoder=quick(), directory=data.directory, config=CONFIG, as_of=AS_OF)
    assert "市公安局交通警察支队" in trained.ranker.units
    assert data_card(data, source="", files={})["units_with_one_order"] == 1


def test_labels_that_the_directory_does_not_have_are_left_out_and_counted(tmp_path: Path) -> None:
    data = read(tmp_path, [*WATER, *BUS, ("天上有飞碟", "外星办")], directory=city_directory())
    assert data.unknown_units == {"外星办": 1} and data.counts.kept == 60
    with pytest.raises(ZhipaiError) as error:
        read(tmp_path, [("天上有飞碟", "外星办")], directory=city_directory())
    assert_one_sentence(error.value, "E5001", "1 行的单位不在名录")


def test_empty_texts_are_counted_as_errors(tmp_path: Path) -> None:
    data = read(tmp_path, [*WATER, *BUS, ("", "市供水集团"), ("😀", "市供水集团")])
    assert (data.counts.errors, data.counts.kept) == (2, 60)


def test_a_column_that_the_file_lacks_is_named_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError) as error:
        read(tmp_path, WATER, mapping={"columns": {"text": "内容", "unit": "承办单位"}})
    assert_one_sentence(error.value, "E1302", "承办单位", "编号、内容、单位")


def test_contradictory_duplicates_train_and_are_counted(tmp_path: Path) -> None:
    """One sentence that went to two units, ten times each: both stay in view, and the person who trains is told."""
    torn = [("水管漏水淹了公交站", "市供水集团"), ("水管漏水淹了公交站", "市公交集团")] * 10
    data = read(tmp_path, [*WATER, *BUS, *torn])
    assert [len(rows) for rows in contradictions(data)] == [20]
    assert data_card(data, source="", files={})["contradictory_texts"] == 1
    assert len({data.groups[row] for row in contradictions(data)[0]}) == 1, "never on both sides of a split"
    trained = train(data, encoder=quick(), directory=data.directory, config=CONFIG, as_of=AS_OF)
    ranking = trained.ranker.rank("水管漏水淹了公交站", as_of=AS_OF)
    assert {one.unit for one in ranking.units[:2]} == {"市供水集团", "市公交集团"}


def test_an_artifact_that_was_edited_by_hand_is_refused(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ranker"
    shutil.copytree(saved, folder)
    text = (folder / "ranker.json").read_text(encoding="utf-8")
    (folder / "ranker.json").write_text(text.replace("市公交集团", "市供水集团"), encoding="utf-8")
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(folder)
    assert_one_sentence(error.value, "E2202", "ranker.json")


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.mark,))


def test_a_pickle_is_never_loaded(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "unpickled"
    alone = tmp_path / "model.pkl"
    alone.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(alone)
    assert_one_sentence(error.value, "E2201")
    folder = tmp_path / "ranker"
    shutil.copytree(saved, folder)
    array = min(folder.glob("*.npy"))
    np.save(array, np.array([Trap(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(folder)
    assert_one_sentence(error.value, "E2202", array.name)
    assert not mark.exists()
