from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zhipai_tests_ranking import AS_OF, quick

from intake.errors import ZhipaiError
from models.recipe import Recipe
from training.config import TrainConfig
from training.dataset import TrainingSet
from training.label_audit import audit, out_of_fold
from training.label_exchange import Task, export_tasks, import_answers, labelling_config
from training.labels import suggest, usefulness
from training.learning_curve import learning_curve


def test_a_torn_model_makes_an_order_useful() -> None:
    probabilities = np.array([[0.99, 0.01, 0.0], [0.5, 0.49, 0.01], [0.34, 0.33, 0.33]])
    margin, entropy = usefulness(probabilities, "margin"), usefulness(probabilities, "entropy")
    assert margin[0] < 0.1 < 0.9 < margin[1]
    assert entropy[0] < entropy[1] < entropy[2] <= 1


def test_suggestions_are_unsure_unlike_one_another_and_stable() -> None:
    """Ten knots of ten near-equal orders: ten suggestions take one of each, and the sure knots come last."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((10, 32))
    vectors = np.repeat(centres, 10, axis=0) + 0.01 * rng.standard_normal((100, 32))
    first = np.where(np.arange(100) < 50, 0.95, 0.5)
    probabilities = np.stack([first, 1 - first], axis=1)
    found = suggest(vectors.astype(np.float32), probabilities, count=10)
    assert sorted(one.row // 10 for one in found) == list(range(10))
    assert all(one.stands_for == 10 for one in found)
    assert {one.row // 10 for one in found[:5]} == set(range(5, 10))
    assert found == suggest(vectors.astype(np.float32), probabilities, count=10)


def test_a_known_group_is_asked_once() -> None:
    vectors = np.eye(6, dtype=np.float32)
    found = suggest(vectors, np.full((6, 2), 0.5), count=6, groups=["g", "g", "g", "", "", ""])
    assert len(found) == 4 and sum(one.stands_for for one in found) == 6


def test_suggested_labels_teach_more_than_random_ones(dataset: TrainingSet) -> None:
    found = learning_curve(dataset, sizes=(40, 80, 5000), seeds=2)
    sizes = [point["labels"] for point in found["points"]]
    assert sizes == [40, 80, found["pool"]]
    last = found["points"][-1]
    assert last["random"] == last["suggested"] and last["margin"] == 0, "all labels are all labels"
    assert found["points"][0]["random"]["top1"] < last["random"]["top1"]


TASKS = [
    Task("A1", "路灯坏了", (("市城管局", 0.8), ("市供电局", 0.1))),
    Task("A2", "停水两天", ()),
]


def test_label_studio_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    assert export_tasks(TASKS, path, form="label-studio", model="model-1") == 2
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert rows[0]["predictions"][0]["result"][0]["value"] == {"choices": ["市城管局"]}
    assert all("annotations" not in row for row in rows), "a suggestion is no answer"
    for row, unit in zip(rows, ("市供电局", "市供水集团"), strict=True):
        choice = {"from_name": "unit", "to_name": "text", "type": "choices", "value": {"choices": [unit]}}
        row["annotations"] = [{"completed_by": 7, "was_cancelled": False, "result": [choice]}]
    path.write_text(json.dumps(rows), encoding="utf-8")
    first, second = import_answers(path)
    assert (first.order_id, first.suggestion, first.answer, first.annotators) == ("A1", "市城管局", "市供电局", ("7",))
    assert (second.suggestion, second.answer) == ("", "市供水集团")


def test_argilla_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    export_tasks(TASKS, path, form="argilla", model="model-1")
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert rows[0]["suggestions"]["unit"] == {"value": "市城管局", "score": 0.8, "agent": "model-1"}
    rows[0]["responses"] = {"unit": [{"value": "市供电局", "user_id": "u1"}]}
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    first, second = import_answers(path)
    assert (first.answer, first.annotators) == ("市供电局", ("u1",))
    assert (second.answer, second.problem) == ("", "没有标注")


def test_annotators_who_disagree_and_skipped_tasks_give_no_answer(tmp_path: Path) -> None:
    def annotation(unit: str, *, skipped: bool = False) -> dict:
        choice = {"from_name": "unit", "to_name": "text", "type": "choices", "value": {"choices": [unit]}}
        return {"completed_by": 1, "was_cancelled": skipped, "result": [choice]}

    rows = [
        {"id": 1, "data": {"text": "路灯坏了"}, "annotations": [annotation("甲"), annotation("乙")]},
        {"id": 2, "data": {"text": "停水"}, "annotations": [annotation("甲", skipped=True)]},
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    first, second = import_answers(path)
    assert first.answer == "" and "乙、甲" in first.problem
    assert second.answer == "" and second.problem == "没有标注"


@pytest.mark.parametrize("text", ["not json", '[{"data": {}}]', "[1]", '[{"fields": {"text": "x"}}]'])
def test_a_file_of_something_else_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ZhipaiError) as error:
        import_answers(path)
    assert error.value.code == "E5112" and "第 1 条" in error.value.message


def test_unit_names_are_quoted_in_the_labelling_interface() -> None:
    assert '<Choice value="甲&amp;乙"/>' in labelling_config(["甲&乙"])


def test_wrong_labels_are_found_with_reasons(dataset: TrainingSet) -> None:
    """Six labels are set wrong; most are among the doubted, and the doubt is about the right unit."""
    rows = [i for i, unit in enumerate(dataset.units) if unit == "市公交集团"][:6]
    units = list(dataset.units)
    for row in rows:
        units[row] = "市供水集团"
    spoiled = replace(dataset, units=tuple(units))
    config = TrainConfig(bootstrap=100, recipe=Recipe(neighbours=10))
    probabilities = out_of_fold(spoiled, encoder=quick(), config=config, as_of=AS_OF, folds=3)
    found = audit(spoiled, probabilities, as_of=AS_OF)
    doubted = {one.row: one for one in found}
    hit = [row for row in rows if row in doubted and doubted[row].suggested == "市公交集团"]
    assert len(hit) >= 4
    assert len(found) < len(dataset) / 3
    assert all(one.reasons for one in found)
    assert any("模型以" in reason for reason in doubted[hit[0]].reasons)


def test_an_order_whose_repetitions_went_elsewhere_is_doubted(dataset: TrainingSet) -> None:
    part = replace(
        dataset.take([0, 1, 2, 3]),
        units=("市公交集团", "市供水集团", "市供水集团", "市供水集团"),
        groups=("g", "g", "g", "own"),
    )
    found = audit(part, [{"市公交集团": 0.9}] * 4, as_of=AS_OF)
    assert [one.row for one in found][:1] == [0]
    assert "同组其他 2 条工单都派给“市供水集团”" in found[0].reasons


def test_a_renamed_unit_is_no_mistake(dataset: TrainingSet) -> None:
    rows = [i for i, unit in enumerate(dataset.units) if unit == "市工商局"]
    part = dataset.take(rows)
    assert audit(part, [{"市市场监督管理局": 0.9}] * len(rows), as_of=AS_OF) == []
