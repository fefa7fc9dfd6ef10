"""``zhipai kb check`` and ``gaps`` on the bundled city: what is found, and reports that a spreadsheet opens safely."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from intake.errors import ZhipaiError
from service.cli.main import main
from service.kb_check import known_clauses, write_report
from service.settings import Settings, settings

AS_OF = "2026-05-01T09:00:00+08:00"


@pytest.fixture
def kb(config: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ZHIPAI_HOME", str(config.home))
    settings.cache_clear()

    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["kb", *map(str, arguments)])
        return int(ended.value.code or 0), capsys.readouterr().out

    yield run
    settings.cache_clear()


def test_twins_and_contradictions_of_the_bundled_city(kb, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, said = kb("check", "--no-search", "--as-of", AS_OF, "--out", tmp_path / "r.xlsx", "--json")
    found = json.loads(said)
    assert code == 0
    assert ("K3044", "K5016") in {(one["first"], one["second"]) for one in found["duplicates"]}
    assert {(one["first"], one["second"]) for one in found["contradictions"]} == {("K3061", "K5025")}
    assert len(found["quality"]) == found["looked_at"]
    assert all(one["score"] == 100 - sum(cost for _, cost in one["reasons"]) for one in found["quality"])
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    assert book.sheetnames == ["重复", "矛盾", "依据失效", "搜不到", "质量分"]
    assert book["质量分"].max_row == found["looked_at"] + 1


def test_gaps_draft_can_be_imported(kb, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    orders = tmp_path / "orders.csv"
    lines = [
        f"o{number},想问琉璃盏年代鉴定找哪个专家{number},市图书馆,带身份证到馆鉴定，电话13812345678。"
        for number in range(4)
    ]
    orders.write_text("\n".join(["工单编号,诉求内容,承办单位,答复", *lines, "x,,,"]), encoding="utf-8")
    code, said = kb(
        "gaps", "--orders", orders, "--reply-column", "答复", "--out", tmp_path / "g.xlsx", "--as-of", AS_OF, "--json"
    )
    found = json.loads(said)
    assert code == 0 and found["read"] == 4
    (topic,) = found["topics"]
    assert sorted(topic["orders"]) == ["o0", "o1", "o2", "o3"]
    assert topic["draft"]["unit"] == "市图书馆" and "13812345678" not in said
    assert kb("import", tmp_path / "g.xlsx", "--sheet", "草稿", "--draft", "--who", "张三")[0] == 0
    assert topic["draft"]["id"] in kb("list", "--state", "草稿", "--json")[1]
    assert kb("gaps", "--orders", orders, "--reply-column", "没有", "--as-of", AS_OF)[0] == 2


def test_report_is_whole_or_not_there(tmp_path: Path) -> None:
    sheets = {"一": (("列",), [["=1+1"]])}
    write_report(tmp_path / "r.xlsx", {}, sheets)
    assert openpyxl.load_workbook(tmp_path / "r.xlsx")["一"]["A2"].data_type == "s"
    with pytest.raises(ZhipaiError, match="E6613"):
        write_report(tmp_path / "r.doc", {}, sheets)
    assert [path.name for path in tmp_path.iterdir()] == ["r.xlsx"]


def test_clauses_of_the_packs_come_with_their_ends() -> None:
    clauses = known_clauses()
    assert any(one.effective_to is not None for one in clauses)
    assert any(one.document and one.article for one in clauses)
