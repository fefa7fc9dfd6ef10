"""Import and export: a result for every row beside the user's own columns, a dry run, and nothing new the second time."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import docx
import openpyxl
import pytest
from sqlalchemy import Engine, text

from intake.errors import ZhipaiError
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.entries import ImportOrder, current_entries
from service.kb_files import ImportSummary, export_path, import_path
from service.kb_history import entry_document, list_entries

AT = datetime(2026, 5, 1, 9, tzinfo=UTC)
SHEET = (
    "标题,答复,单位,失效日期,备注\n"
    "居住证办理,带身份证。,市公安局,长期,甲\n"
    "公积金提取,带合同。,公积金中心,2020-01-01,乙\n"
    "反了,答,市公安局,1900-01-01,丙\n"
)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(engine)
    return engine


def bring(engine: Engine, path: Path, **options: object) -> ImportSummary:
    order = ImportOrder("张三", "首次入库", software="test")
    return import_path(engine, path, defaults={}, order=order, at=AT, **options)  # type: ignore[arg-type]


def decisions(engine: Engine) -> list[dict]:
    with engine.connect() as connection:
        return [json.loads(row) for row in connection.execute(text("SELECT record FROM decisions")).scalars()]


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "条目.csv"
    path.write_text(SHEET, encoding="gb18030")
    return path


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_report_is_the_own_sheet_with_one_more_column(engine: Engine, sheet: Path, tmp_path: Path, suffix: str) -> None:
    report = tmp_path / f"结果{suffix}"
    summary = bring(engine, sheet, report=report)
    assert (summary.rows, summary.added, summary.failed) == (3, 2, 1)
    if suffix == ".xlsx":
        found = [list(row) for row in openpyxl.load_workbook(report).active.iter_rows(values_only=True)]
    else:
        found = list(csv.reader(report.read_text(encoding="utf-8-sig").splitlines()))
    assert [row[:5] for row in found] == list(csv.reader(SHEET.splitlines()))
    assert found[0][5] == "导入结果"
    assert found[1][5] == found[2][5] == "新增"
    assert found[3][5].startswith("出错：[E4007]") and "1900-01-01" in found[3][5]


def test_import_again_changes_nothing(engine: Engine, sheet: Path) -> None:
    bring(engine, sheet)
    summary = bring(engine, sheet)
    assert (summary.added, summary.changed, summary.unchanged) == (0, 0, 2)
    (record,) = decisions(engine)
    assert (record["kind"], record["actor"], record["added"], record["file"]) == (
        "knowledge_import",
        "张三",
        2,
        "条目.csv",
    )
    assert len(record["file_hash"]) == len(record["entries_hash"]) == 64


def test_dry_run_writes_nothing(engine: Engine, sheet: Path, tmp_path: Path) -> None:
    for way in ("as_written", "draft"):
        summary = bring(engine, sheet, dry_run=True, way=way, report=tmp_path / "r.csv")
        assert summary.added == 2
    assert "将新增" in (tmp_path / "r.csv").read_text(encoding="utf-8-sig")
    assert decisions(engine) == [] and list_entries(engine, day=AT.date())["entries"] == []


def test_rows_say_themselves_whether_they_are_drafts(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "编号,标题,答复,单位,状态\nK1,甲,答,局,草稿\nK2,乙,答,局,待审\nK3,丙,答,局,归档\nK4,丁,答,局,待更新\nK5,戊,答,局,\n",
        encoding="utf-8",
    )
    bring(engine, path)
    states = {one["id"]: one["state"] for one in list_entries(engine, day=AT.date())["entries"]}
    assert states == {"K1": "草稿", "K2": "待审", "K3": "归档", "K4": "发布", "K5": "发布"}
    assert [one.id for one in current_entries(engine)] == ["K3", "K4", "K5"]
    assert bring(engine, path).unchanged == 5


def test_policy_document_becomes_drafts(engine: Engine, tmp_path: Path) -> None:
    document = docx.Document()
    for line in ("某市物业管理办法", "第一条 为规范物业管理，制定本办法。", "第二条 自发布之日起施行。"):
        document.add_paragraph(line)
    document.save(str(tmp_path / "a.docx"))
    with pytest.raises(ZhipaiError, match="E6611"):
        bring(engine, tmp_path / "a.docx", way="submit")
    order = ImportOrder("张三")
    summary = import_path(engine, tmp_path / "a.docx", defaults={"unit": "市住建局"}, order=order, at=AT, way="submit")
    assert summary.added == 2 and current_entries(engine) == []
    found = list_entries(engine, day=AT.date(), state="待审")["entries"]
    assert {one["title"][:12] for one in found} == {"某市物业管理办法 第一条", "某市物业管理办法 第二条"}
    cited = entry_document(engine, found[0]["id"], day=AT.date())["draft"]["citations"]
    assert cited[0]["document"] == "某市物业管理办法" and cited[0]["article"]


@pytest.mark.parametrize("name", ["out.xlsx", "out.csv", "out.jsonl", "out"])
def test_what_is_exported_comes_back_the_same(engine: Engine, tmp_path: Path, root: Path, name: str) -> None:
    lines = (root / "datasets/city/knowledge.jsonl").read_text(encoding="utf-8").splitlines()[:30]
    row = json.loads(lines[0]) | {
        "answer": "=1+1 是公式",
        "body": "# 一\n\n- 二",
        "contacts": [{"name": "", "value": "1"}],
    }
    (tmp_path / "in.jsonl").write_text("\n".join([json.dumps(row), *lines[1:]]), encoding="utf-8")
    bring(engine, tmp_path / "in.jsonl")
    assert export_path(current_entries(engine), tmp_path / name) == 30
    summary = bring(engine, tmp_path / name)
    assert (summary.rows, summary.unchanged) == (30, 30)


def test_bundled_city_is_imported_as_ever(engine: Engine, root: Path) -> None:
    assert bring(engine, root / "datasets/city/knowledge.jsonl").added == 334


def test_a_broken_report_leaves_nothing(engine: Engine, sheet: Path, tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError, match="E6601"):
        bring(engine, sheet, report=tmp_path / "r.pdf")
    assert decisions(engine) == []
