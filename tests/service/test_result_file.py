"""Where a command writes its result: never over a file that it reads, and said before the work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from service.cli import main
from service.cli.common import result_file

ORDERS = "工单编号,诉求内容,承办单位,多一列\n1,路灯坏了三天没人修,某局,留着\n"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "工单.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "map.yaml"
    path.write_text("columns: {text: 诉求内容, order_id: 工单编号, unit: 承办单位}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["triage", "--file", "{orders}", "--out", "{orders}"],
        ["predict", "--in", "{orders}", "--out", "{orders}"],
        ["similar", "--orders", "{orders}", "--mapping", "{mapping}", "--out", "{orders}"],
        ["suggest-labels", "--orders", "{orders}", "--mapping", "{mapping}", "--out", "{orders}"],
        ["kb", "gaps", "--orders", "{orders}", "--out", "{orders}"],
        ["kb", "import", "{orders}", "--report", "{orders}"],
    ],
    ids=lambda command: " ".join(command[:2]).split(" {")[0],
)
def test_no_command_writes_over_what_it_reads(
    command: list[str], orders: Path, mapping: Path, installed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"orders": str(orders), "mapping": str(mapping)}
    with pytest.raises(SystemExit) as left:
        main([part.format(**places) for part in command])
    errors = capsys.readouterr().err
    assert left.value.code == 2, errors
    assert "E7203" in errors and "工单.csv" in errors
    assert orders.read_text(encoding="utf-8") == ORDERS
    assert sorted(path.name for path in orders.parent.iterdir()) == ["map.yaml", "工单.csv"]


def test_a_link_to_the_file_is_the_file(orders: Path) -> None:
    link = orders.with_name("别名.csv")
    link.symlink_to(orders)
    with pytest.raises(ZhipaiError, match="E7203"):
        result_file(link, orders)


@pytest.mark.parametrize(("place", "says"), [("没有/结果.csv", "没有文件夹"), (".", "这是一个文件夹")])
def test_a_place_that_takes_no_file_is_named(place: str, says: str, orders: Path) -> None:
    with pytest.raises(ZhipaiError, match="E7204") as told:
        result_file(orders.parent / place, orders)
    assert says in str(told.value)


def test_an_older_result_may_be_replaced(orders: Path) -> None:
    older = orders.with_name("结果.csv")
    older.touch()
    assert result_file(older, orders, None) == older
