"""Sheets of labels and the reading of orders for drift, on an invented city."""

from __future__ import annotations

import csv
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

NAME = "zhipai_tests_ranking"
if NAME not in sys.modules:
    spec = spec_from_file_location(NAME, Path(__file__).parents[1] / "plugins" / "ranking.py")
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
from zhipai_tests_ranking import AS_OF, city_history, fit, quick  # noqa: E402

from intake.errors import ZhipaiError  # noqa: E402
from intake.mapping import Mapping  # noqa: E402
from models.progress import silent  # noqa: E402
from models.ranker import UnitRanker  # noqa: E402
from service.drift import observe  # noqa: E402
from service.labels import sheet_tasks, suggest_labels, write_answers  # noqa: E402
from training.label_exchange import export_tasks, import_answers  # noqa: E402

COLUMNS = {"text": "内容", "order_id": "编号", "unit": "单位", "received_at": "时间"}
MAPPING = Mapping.from_dict({"columns": COLUMNS})


@pytest.fixture(scope="module")
def ranker() -> UnitRanker:
    return fit(city_history())


def orders(path: Path, rows: list[tuple[str, str, str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["编号", "内容", "单位", "时间"])
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_unlabelled_orders_go_to_a_sheet_and_come_back_as_answers(ranker: UnitRanker, tmp_path: Path) -> None:
    rows = [
        ("1", "家里停水两天了，电话13800138000", "", ""),
        ("2", "家里停水两天了", "市供水集团", ""),
        ("3", "公交司机甩站不停", "", ""),
        ("4", "", "", ""),
    ]
    source, sheet = orders(tmp_path / "orders.csv", rows), tmp_path / "sheet.csv"
    count = suggest_labels(
        ranker, quick(), source, sheet, mapping=MAPPING, count=5, strategy="margin", as_of=AS_OF, progress=silent
    )
    lines = read(sheet)
    assert count == 2 and {line["编号"] for line in lines} == {"1", "3"}
    assert all(line["答案单位"] == "" and line["建议单位1"] and line["挑选理由"] for line in lines)
    tasks = list(sheet_tasks(sheet, MAPPING))
    assert {task.order_id for task in tasks} == {"1", "3"} and not any("13800138000" in task.text for task in tasks)
    export_tasks(tasks, tmp_path / "tasks.json", form="argilla", model="m")
    records = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    records[0]["responses"] = {"unit": [{"value": "市教育局", "user_id": "u"}]}
    (tmp_path / "done.json").write_text(json.dumps(records), encoding="utf-8")
    write_answers(import_answers(tmp_path / "done.json"), tmp_path / "labels.csv")
    found = {line["工单编号"]: line for line in read(tmp_path / "labels.csv")}
    answered = found[records[0]["id"]]
    assert answered["答案单位"] == "市教育局" != answered["建议单位"]
    assert found[records[1]["id"]]["答案单位"] == "" and found[records[1]["id"]]["建议单位"]


def test_a_file_whose_orders_all_have_a_unit_is_refused(ranker: UnitRanker, tmp_path: Path) -> None:
    source = orders(tmp_path / "orders.csv", [("1", "家里停水两天了", "市供水集团", "")])
    with pytest.raises(ZhipaiError) as error:
        suggest_labels(
            ranker,
            quick(),
            source,
            tmp_path / "sheet.csv",
            mapping=MAPPING,
            count=5,
            strategy="margin",
            as_of=AS_OF,
            progress=silent,
        )
    assert error.value.code == "E5109" and not (tmp_path / "sheet.csv").exists()


def test_drift_reads_orders_in_time_order_with_units_under_their_names_of_today(
    ranker: UnitRanker, tmp_path: Path
) -> None:
    rows = [
        ("B", "商家卖过期食品不肯退钱", "市工商局", "2026-03-02 09:00:00"),
        ("A", "家里停水两天了", "市供水集团", "2026-03-01 09:00:00"),
        ("C", "", "", "2026-03-03 09:00:00"),
    ]
    source = orders(tmp_path / "orders.csv", rows)
    found = observe(ranker, quick(), source, MAPPING, as_of=AS_OF, progress=silent)
    assert list(found.order_ids) == ["A", "B"] and found.empty == 1
    assert list(found.truth) == ["市供水集团", "市市场监督管理局"] and found.first[0] == "市供水集团"
    with pytest.raises(ZhipaiError) as error:
        observe(ranker, quick(), orders(tmp_path / "none.csv", rows[2:]), MAPPING, as_of=AS_OF, progress=silent)
    assert error.value.code == "E7705"
