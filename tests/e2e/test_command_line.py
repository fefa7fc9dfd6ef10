"""The command line as a person uses it: a process of its own, its output, its exit code."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

TEXT = "小区楼下烧烤店每晚油烟很大，孩子一直咳嗽"


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """The set-up of this checkout, done if something is missing."""
    subprocess.run([sys.executable, "-m", "service", "setup"], check=True, capture_output=True)


def zhipai(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )


def assert_one_sentence(done: subprocess.CompletedProcess[bytes], code: str, exit_code: int) -> None:
    message = done.stderr.decode()
    assert done.returncode == exit_code, message
    assert f"[{code}]" in message
    assert "Traceback" not in message
    assert len([line for line in message.splitlines() if "出错" in line]) == 1


def test_triage_prints_tables() -> None:
    done = zhipai("triage", TEXT, COLUMNS="120")
    shown = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    for heading in ("承办单位", "概率", "依据", "到期时刻", "知识"):
        assert heading in shown
    assert "城市管理局" in shown


def test_triage_json_is_one_document() -> None:
    done = zhipai("triage", TEXT, "--json", "--as-of", "2026-05-06T09:30:00+08:00")
    document = json.loads(done.stdout)
    assert document["units"] and document["as_of"] == "2026-05-06T09:30:00+08:00"


def test_triage_reads_standard_input() -> None:
    done = zhipai("triage", "--json", stdin=TEXT.encode())
    assert json.loads(done.stdout)["order"]["text"] == TEXT


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "exit_code"),
    [
        (["triage", " "], b"", "E1001", 2),
        (["triage", "😀😀"], b"", "E1003", 2),
        (["triage", "-"], TEXT.encode("gb18030"), "E7303", 2),
        (["triage", TEXT, "--as-of", "2026-05-06T09:30:00"], b"", "E7201", 2),
        (["triage", "--file", "没有.xlsx", "--out", "x.xlsx"], b"", "E7202", 2),
        (["triage", "--file", "README.md"], b"", "E7302", 2),
        (["triage", TEXT, "--colour"], b"", "E7101", 2),
        (["nothing"], b"", "E7101", 2),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_input_is_one_sentence(arguments: list[str], stdin: bytes, code: str, exit_code: int) -> None:
    assert_one_sentence(zhipai(*arguments, stdin=stdin), code, exit_code)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("ZHIPAI_PORT", "99999", "E7001"), ("ZHIPAI_TIME_ZONE", "Mars/Base", "E7001"), ("ZHIPAI_PACK", "atlantis", "E3")],
)
def test_bad_setting_is_one_sentence(name: str, value: str, code: str) -> None:
    done = zhipai("triage", TEXT, **{name: value})
    assert done.returncode in (2, 3)
    assert code in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A sheet as a user has it: columns of their own, one empty row, one cell that is a formula."""
    book = Workbook()
    sheet = book.active
    sheet.title = "五月"
    sheet.append(["编号", "诉求内容", "备注"])
    sheet.append(["1", TEXT, "=1+1"])
    sheet.append(["2", "", "内容漏填"])
    sheet.append(["3", "公交车司机到站不停车，等了四十分钟", "急"])
    path = tmp_path / "五月工单.xlsx"
    book.save(path)
    return path


def test_file_keeps_the_users_columns_and_adds_an_error_column(orders: Path, tmp_path: Path) -> None:
    out = tmp_path / "结果.xlsx"
    done = zhipai("triage", "--file", str(orders), "--out", str(out))
    assert done.returncode == 0, done.stderr.decode()
    assert "共 3 行" in done.stdout.decode()
    rows = [list(row) for row in load_workbook(out).active.iter_rows(values_only=True)]
    header = rows[0]
    assert header[:3] == ["编号", "诉求内容", "备注"]
    error = header.index("错误")
    assert rows[1][error] in (None, "") and rows[1][header.index("建议单位1")]
    assert "E1001" in rows[2][error] and "第 3 行" in rows[2][error]
    assert rows[3][header.index("建议单位1")]
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_file_writes_other_formats(orders: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"结果.{suffix}"
    assert zhipai("triage", "--file", str(orders), "--out", str(out)).returncode == 0
    text = out.read_text(encoding="utf-8-sig")
    rows = (
        list(csv.DictReader(text.splitlines())) if suffix == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    assert len(rows) == 3 and rows[0]["建议单位1"]


def test_unknown_result_format_leaves_nothing(orders: Path, tmp_path: Path) -> None:
    done = zhipai("triage", "--file", str(orders), "--out", str(tmp_path / "结果.doc"))
    assert_one_sentence(done, "E6601", 2)
    assert [path.name for path in tmp_path.iterdir()] == [orders.name]


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = zhipai("triage", TEXT, ZHIPAI_MLRUNS=str(tmp_path / "mlruns"))
    assert_one_sentence(done, "E6201", 3)


def test_python_engine_gives_the_same_verdicts() -> None:
    arguments = ("triage", "我家着火了快来救人", "--json", "--as-of", "2026-05-06T09:30:00+08:00")
    durable = json.loads(zhipai(*arguments).stdout)
    python = json.loads(zhipai(*arguments, ZHIPAI_RULE_ENGINE="python").stdout)
    assert durable["verdicts"] == python["verdicts"]
