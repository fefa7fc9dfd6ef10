"""Exports are whole or not there, show Chinese in a spreadsheet, run nothing in it; figures carry their numbers."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from scipy.stats import binomtest
from sqlalchemy import Engine
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from service import audit_export
from service.audit_export import COLUMNS, FORMATS, stream, write_file
from service.audit_query import AuditFilter, rows_of
from service.audit_stats import Rate, decision_stats
from service.cli.main import app
from service.db.engine import make_engine
from service.db.migrate import upgrade
from tests.service.logged import dispatch, later, other
from training.feedback import Return

ZONE = "Asia/Shanghai"
EVIL = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    made = make_engine(f"sqlite:///{tmp_path_factory.mktemp('log') / 'log.db'}")
    upgrade(made)
    for reason in [*EVIL, "声音<大>&“引号”\x07\n第二行", "半个\ud83d"[:2] + "🔥"]:
        dispatch(made, unit="水务局", reason=reason, verdicts=[("R-1", "acceptance", "hit")])
    return made


def content(engine: Engine, form: str) -> bytes:
    return b"".join(stream(rows_of(engine, AuditFilter(), zone=ZONE, record=form == "records"), form))


def test_csv_begins_with_a_bom_and_runs_nothing(engine: Engine) -> None:
    written = content(engine, "csv")
    assert written.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["理由"] for row in rows[: len(EVIL)]] == ["'" + "=1+1", "+1", "'-2+3", "'@SUM(A1)", "'\tx", "'\rx"]
    assert [row["序号"] for row in rows] == [str(number + 1) for number in range(len(rows))]
    assert (rows[0]["模型弃权"], rows[0]["命中的规则"], rows[0]["单位"]) == ("否", "R-1", "水务局")


def test_workbook_is_text_throughout_and_splits_its_sheets(engine: Engine) -> None:
    rows = list(rows_of(engine, AuditFilter(), zone=ZONE))
    written = b"".join(audit_export._xlsx(rows, most_rows=4))
    book = load_workbook(io.BytesIO(written))
    assert [sheet.max_row for sheet in book] == [4, 4, 3]
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None}
    assert kinds == {"s"}, "没有公式，也没有数字"
    assert {tuple(cell.value for cell in sheet[1]) for sheet in book} == {tuple(COLUMNS)}
    column = list(COLUMNS).index("理由")
    reasons = [row[column] for sheet in book for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert reasons[0] == "=1+1" and reasons[6] == "声音<大>&“引号”\n第二行"


def test_json_lines_and_records(engine: Engine) -> None:
    lines = [json.loads(line) for line in content(engine, "jsonl").splitlines()]
    assert [line["reason"] for line in lines[: len(EVIL)]] == EVIL, "数据交换的格式不改内容"
    logged = [row["record"] for row in rows_of(engine, AuditFilter(), zone=ZONE, record=True)]
    assert content(engine, "records") == b"".join(one + b"\n" for one in logged)


def test_empty_log_gives_a_heading(tmp_path: Path) -> None:
    empty = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    upgrade(empty)
    assert content(empty, "csv").decode("utf-8-sig").strip() == ",".join(COLUMNS)
    assert load_workbook(io.BytesIO(content(empty, "xlsx"))).active.max_row == 1
    assert content(empty, "jsonl") == b""


def test_unknown_format(engine: Engine) -> None:
    with pytest.raises(ZhipaiError) as caught:
        stream([], "pdf")
    assert caught.value.code == "E7903"


@pytest.mark.parametrize("form", FORMATS)
def test_broken_export_leaves_what_was_there(engine: Engine, tmp_path: Path, form: str) -> None:
    out = tmp_path / "审计.csv"
    out.write_bytes(b"before")

    def rows():
        yield from rows_of(engine, AuditFilter(), zone=ZONE, record=form == "records")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        write_file(stream(rows(), form), out)
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_command_writes_the_file(config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.audit_query.settings", lambda: config)
    record = dispatch(make_engine(config.url), actor="pd-导出", unit="水务局")
    out = tmp_path / "审计.xlsx"
    arguments = ["audit", "export", "--out", str(out), "--actor", "pd-导出", "--json"]
    told = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert (told["rows"], told["bytes"], told["filter"]) == (1, out.stat().st_size, {"actor": "pd-导出"})
    assert load_workbook(out).active["B2"].value == record["decision_id"]
    refused = CliRunner().invoke(app, ["audit", "export", "--out", str(tmp_path / "审计.pdf")])
    assert isinstance(refused.exception, ZhipaiError) and refused.exception.code == "E7903"


@pytest.mark.parametrize("form", FORMATS)
def test_download(client: TestClient, form: str) -> None:
    answer = client.get("/v1/audit/export", params={"format": form})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(audit_export.MEDIA[form].split(";")[0])
    assert "attachment" in answer.headers["content-disposition"]
    if form == "xlsx":
        assert load_workbook(io.BytesIO(answer.content)).active["A1"].value == "序号"


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 1), (500, 1000)])
def test_interval_is_wilsons(k: int, n: int) -> None:
    low, high = Rate(k, n).interval
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert math.isclose(low, expected.low, abs_tol=1e-9) and math.isclose(high, expected.high, abs_tol=1e-9)


def test_rate_of_nothing_is_no_rate() -> None:
    assert Rate(0, 0).as_dict() == {"k": 0, "n": 0, "rate": None, "low": None, "high": None, "few": True}


@pytest.fixture
def figures(tmp_path: Path) -> Engine:
    """Two weeks: 40 dispatches to 甲局 by model-a (10 of them overrides), 2 without a proposal to 乙局 by model-b."""
    made = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade(made)
    for number in range(40):
        dispatch(made, order_id=f"o-{number}", unit="甲局", proposed="乙局" if number < 10 else "甲局",
                 abstained=number < 4, at=later(number))  # fmt: skip
    for number in range(2):
        dispatch(made, order_id=f"x-{number}", unit="乙局", proposed="", model="model-b", at=later(24 * 7))
    other(made, "rule_publication", actor="甲")
    return made


def test_rates_by_group(figures: Engine) -> None:
    found = decision_stats(figures, AuditFilter(), by=["unit", "week"])
    whole, first, second = found["groups"]
    assert (whole["dispatches"], whole["override"]["k"], whole["override"]["n"]) == (42, 12, 42)
    assert (first["unit"], first["week"], second["unit"], second["week"]) == (
        "乙局", "2026-05-11", "甲局", "2026-05-04")  # fmt: skip
    assert (first["agreement"]["n"], first["agreement"]["rate"], first["override"]["few"]) == (0, None, True)
    assert (second["agreement"]["k"], second["agreement"]["n"], second["agreement"]["few"]) == (30, 40, False)
    assert (second["abstention"]["k"], second["abstention"]["rate"]) == (4, 0.1)


def test_without_returns_there_is_no_return_rate(figures: Engine) -> None:
    found = decision_stats(figures, AuditFilter())
    assert (found["returns_known"], found["groups"][0]["returned"]) == (False, None)


def test_returns_of_the_log_and_of_a_file_count_once(figures: Engine) -> None:
    for order_id, unit, outcome in [
        ("o-1", "甲局", "accepted"),
        ("o-2", "甲局", "refused"),  # refused: it stayed
        ("o-3", "丙局", "accepted"),  # not the unit that has it
        ("x-0", "乙局", "accepted"),
    ]:
        other(figures, "case", case_kind="return", outcome=outcome, unit=unit, order_id=order_id, at=later(200))
    other(figures, "case", case_kind="extension", outcome="accepted", unit="甲局", order_id="o-5", at=later(200))
    file = [
        Return("o-1", "甲局", later(201), outcome="agreed"),
        Return("o-6", "甲局", later(100), outcome="agreed"),
        Return("o-7", "甲局", later(1), outcome="agreed"),  # before it was dispatched
        Return("o-8", "甲局", later(100), outcome="refused"),
    ]
    whole, a, b = decision_stats(figures, AuditFilter(), by=["model"], returns=file)["groups"]
    assert (whole["returned"]["k"], a["returned"]["k"], b["returned"]["k"]) == (3, 2, 1)
    assert (a["model"], a["returned"]["n"], b["returned"]["n"]) == ("model-a", 40, 2)


def test_a_return_concerns_the_dispatch_before_it(figures: Engine) -> None:
    dispatch(figures, order_id="o-1", unit="乙局", proposed="甲局", at=later(300))
    other(figures, "case", case_kind="return", outcome="accepted", unit="甲局", order_id="o-1", at=later(301))
    assert decision_stats(figures, AuditFilter())["groups"][0]["returned"]["k"] == 0


@pytest.mark.parametrize("by", [["district"], ["unit", "unit"]])
def test_grouping_that_is_not_there(figures: Engine, by: list[str]) -> None:
    with pytest.raises(ZhipaiError) as caught:
        decision_stats(figures, AuditFilter(), by=by)
    assert caught.value.code == "E7904"


def test_statistics_as_a_table_and_over_http(
    config, figures: Engine, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = config.model_copy(update={"database_url": str(figures.url)})
    monkeypatch.setattr("service.cli.audit_query.settings", lambda: own)
    returns = tmp_path / "退单.csv"
    returns.write_text("工单编号,单位,退回时间,理由,结果\no-3,甲局,2026-05-20 09:00,不归我局,同意\n", encoding="utf-8")
    arguments = ["audit", "stats", "--by", "unit", "--returns", str(returns)]
    shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}).stdout
    assert "28.6%" in shown and "合计" in shown and "1/42" in shown and "*" in shown
    answer = client.get("/v1/audit/stats", params={"by": ["unit", "week"]})
    assert answer.status_code == 200 and answer.json()["by"] == ["unit", "week"]
    assert client.get("/v1/audit/stats", params={"by": "district"}).json()["code"] == "E6502"
