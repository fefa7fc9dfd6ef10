"""``zhipai kb``: the way of an entry on the command line, files in and out, reports."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from service.cli.main import main
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.settings import load_settings, settings


@pytest.fixture
def kb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command on an empty database of its own; gives its exit code and what it said."""
    monkeypatch.setenv("ZHIPAI_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    settings.cache_clear()
    upgrade(make_engine(load_settings().url))

    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["kb", *map(str, arguments)])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    yield run
    settings.cache_clear()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "居住证.md"
    path.write_text(
        "---\n编号: K1\n标题: 居住证办理\n责任单位: 市公安局\n答复要点: 带身份证。\n---\n正文\n", encoding="utf-8"
    )
    return path


def test_from_draft_to_archive(kb, text: Path) -> None:  # type: ignore[no-untyped-def]
    assert kb("draft", text, "--who", "张三")[0] == 0
    assert kb("submit", "K1", "--who", "张三")[0] == 0
    assert "待审 1 条" in kb("review")[1]
    code, said = kb("publish", "K1", "--who", "张三", "--reason", "自己审")
    assert code == 4 and "E4042" in said
    code, said = kb("publish", "K1", "--who", "李四", "--reason", "核对无误")
    assert code == 0 and "第 1 版" in said and "决定编号 d-" in said
    assert kb("ask", "K1", "--who", "李四", "--reason", "电话变了")[0] == 0
    assert "没有填更新时限" in kb("due")[1]
    assert kb("archive", "K1", "--who", "李四", "--reason", "停止办理")[0] == 0
    assert (
        json.loads(kb("rollback", "K1", "--version", "1", "--who", "李四", "--reason", "恢复", "--json")[1])["version"]
        == 3
    )
    assert "改了 1 个字段" in kb("diff", "K1")[1]
    assert [one["action"] for one in json.loads(kb("history", "K1", "--json")[1])["events"]] == [
        "draft", "submit", "publish", "ask", "archive", "rollback"
    ]  # fmt: skip
    assert "市公安局" in kb("show", "K1")[1] and "K1" in kb("list", "--state", "发布")[1]


def test_conflict_leaves_both_texts_together(kb, text: Path) -> None:  # type: ignore[no-untyped-def]
    kb("draft", text, "--who", "张三")
    assert kb("draft", text, "--who", "李四", "--revision", "1")[0] == 0
    mine = text.read_text(encoding="utf-8").replace("带身份证。", "我改的。")
    text.write_text(mine, encoding="utf-8")
    code, said = kb("draft", text, "--who", "王五", "--revision", "1")
    assert code == 2 and "E4044" in said and "李四" in said
    assert text.read_text(encoding="utf-8") == mine
    merged = json.loads((text.parent / "居住证.合并.json").read_text(encoding="utf-8"))
    assert merged["answer"] == "我改的。"
    assert kb("draft", text.parent / "居住证.合并.json", "--who", "王五", "--revision", "2")[0] == 0


def test_files_in_and_out(kb, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sheet = tmp_path / "a.csv"
    sheet.write_text("标题,答复\n居住证,带身份证。\n居住证,重复\n", encoding="utf-8")
    code, said = kb("import", sheet, "--unit", "市公安局", "--report", tmp_path / "r.xlsx")
    assert code == 0 and "新增 1 条" in said and "出错 1 条" in said
    assert kb("export", tmp_path / "b.xlsx")[0] == 0
    assert "未变 1 条" in kb("import", tmp_path / "b.xlsx")[1]
    code, said = kb("import", sheet)
    assert code == 2 and "E6611" in said and "E4003" in said
    code, said = kb("import", tmp_path / "none.csv")
    assert code == 2 and "E7202" in said


def test_sheet_of_drafts_goes_in_as_drafts(kb, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    book = openpyxl.Workbook()
    book.active.title = "别的"
    book.create_sheet("草稿").append(["标题", "答复", "单位"])
    book["草稿"].append(["居住证", "带身份证。", "市公安局"])
    book.save(tmp_path / "a.xlsx")
    assert kb("import", tmp_path / "a.xlsx", "--sheet", "草稿", "--draft", "--who", "张三")[0] == 0
    assert "居住证" in kb("list", "--state", "草稿")[1]
