"""``zhipai deadline`` and ``zhipai calendar`` as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from service import settings as settings_module
from service.cli.main import app

START = "2026-04-30T16:00+08:00"
LIMITS = """
- id: resolve
  title: 办结时限
  stage: resolve
  values: [{amount: 5, unit: 工作日, clause: town-2020#1}]
- id: consumer
  title: 处理并告知
  stage: statutory
  track: 消费者权益保护法
  when: {fact: kind, is: 投诉}
  values: [{amount: 7, unit: 工作日, clause: town-2020#1}]
- id: disputed
  title: 协商
  stage: statutory
  track: 市监办法
  when: {fact: unit_dispute, is: true}
  values: [{amount: 7, unit: 自然日, clause: town-2020#1}]
"""
CLAUSES = """
- id: town-2020
  document: 某镇热线办法
  source: T01
  effective_from: 2020-01-01
  clauses: [{id: "1", article: 第一条, confidence: 原文已读, summary: 摘要。}]
"""
Zhipai = Callable[..., Result]


@pytest.fixture
def zhipai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zhipai:
    """Run a command on a data folder and a pack of its own; a ZhipaiError comes through as it is."""
    town = tmp_path / "town"
    town.mkdir()
    for name, text in {
        "pack": "name: town\ntitle: 某镇\njurisdiction: 某镇\n",
        "limits": LIMITS,
        "clauses": CLAUSES,
    }.items():
        (town / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("ZHIPAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZHIPAI_PACK", str(town))
    settings_module.settings.cache_clear()

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    yield run
    settings_module.settings.cache_clear()


def limits(zhipai: Zhipai, *options: str) -> list[dict]:
    result = zhipai("deadline", "--kind", "投诉", "--start", START, "--json", *options)
    document = json.loads(result.stdout)
    assert list(document) == ["limits"]
    return document["limits"]


def due(rows: list[dict]) -> dict[str, str]:
    return {
        f"{row['track']}/{row['title']}" + "（全程）" * row.get("whole_course", False): row["due_at"] for row in rows
    }


def test_json_has_exactly_the_promised_fields(zhipai: Zhipai) -> None:
    rows = limits(zhipai)
    wanted = {"stage", "track", "title", "limit", "due_at", "state", "cause", "clause", "days"}
    assert all(set(row) == wanted for row in rows)
    assert due(rows) == {
        "/办结时限": "2026-05-11T23:59:59+08:00",
        "消费者权益保护法/处理并告知": "2026-05-13T23:59:59+08:00",
    }
    assert rows[0]["days"][:2] == [
        {"date": "2026-04-30", "counted": False, "why": "起算当日不计"},
        {"date": "2026-05-01", "counted": False, "why": "劳动节"},
    ]


def test_the_pack_of_jinan_over_the_may_holiday(zhipai: Zhipai) -> None:
    result = zhipai("deadline", "--pack", "jinan", "--kind", "投诉", "--start", START, "--json")
    (resolve,) = [row for row in json.loads(result.stdout)["limits"] if row["stage"] == "resolve" and not row["track"]]
    assert (resolve["limit"], resolve["due_at"]) == ("5个工作日", "2026-05-11T23:59:59+08:00")
    assert {"date": "2026-05-09", "counted": True, "why": "劳动节调休上班"} in resolve["days"]


@pytest.mark.parametrize(
    ("options", "resolve"),
    [
        (["--suspend", "2026-05-06..2026-05-07=检测鉴定"], "2026-05-13T23:59:59+08:00"),
        (["--suspend", "2026-05-06T10:00+08:00..2026-05-06T11:00+08:00"], "2026-05-12T23:59:59+08:00"),
        (["--suspend", "2026-05-06..2026-05-06", "--suspend", "2026-05-08..2026-05-08=停电"], "2026-05-13T23:59:59+08:00"),
        (["--extend", "5工作日"], "2026-05-18T23:59:59+08:00"),
        (["--extend", "1 个自然日"], "2026-05-12T23:59:59+08:00"),
        (["--restarted-at", "2026-05-06T09:00+08:00"], "2026-05-12T23:59:59+08:00"),
    ],
)  # fmt: skip
def test_options_move_the_end(zhipai: Zhipai, options: list[str], resolve: str) -> None:
    assert due(limits(zhipai, *options))["/办结时限"] == resolve


def test_a_redispatch_lists_the_whole_course_too(zhipai: Zhipai) -> None:
    rows = due(limits(zhipai, "--restarted-at", "2026-05-06T09:00+08:00"))
    assert rows["/办结时限（全程）"] == "2026-05-11T23:59:59+08:00"


def test_facts_open_tracks(zhipai: Zhipai) -> None:
    assert "市监办法/协商" in due(limits(zhipai, "--fact", "unit_dispute=true"))
    assert "市监办法/协商" not in due(limits(zhipai, "--fact", "unit_dispute=否"))
    assert "消费者权益保护法/处理并告知" not in due(limits(zhipai, "--fact", "kind=咨询"))
    (unknown,) = [row for row in limits(zhipai, "--unknown") if row["track"] == "市监办法"]
    assert unknown["state"] == "not_evaluated" and "unit_dispute" in unknown["cause"]


def test_a_suspension_that_goes_on_leaves_the_end_open(zhipai: Zhipai) -> None:
    rows = limits(zhipai, "--suspend", "2026-05-06..=检测鉴定")
    assert all(row["due_at"] is None and "检测鉴定" in row["cause"] for row in rows)


def test_a_person_reads_the_clause_and_every_day(zhipai: Zhipai) -> None:
    shown = zhipai("deadline", "--start", START, "--suspend", "2026-05-06..2026-05-06=检测鉴定").stdout
    for words in ("办结　5个工作日　到期：2026-05-12 23:59:59", "某镇热线办法第一条（原文已读）",
                  "2026-05-06　不计　检测鉴定，不计入期限", "法定时限　消费者权益保护法"):  # fmt: skip
        assert words in shown


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--suspend", "2026-05-06"], "E7662"),
        (["--suspend", "2026-05-06T10:00..2026-05-06T11:00"], "E7662"),
        (["--suspend", "2026-05-08..2026-05-06"], "E3231"),
        (["--extend", "5天"], "E7663"),
        (["--extend", "0工作日"], "E7663"),
        (["--fact", "unit_dispute"], "E7661"),
        (["--fact", "no_such_fact=true"], "E3202"),
        (["--fact", "unit_dispute=也许"], "E3203"),
        (["--restarted-at", "2026-04-01T09:00+08:00"], "E3232"),
        (["--urgency", "火急"], "E3205"),
    ],
)
def test_a_mistyped_option_is_one_error(zhipai: Zhipai, options: list[str], code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        zhipai("deadline", "--start", START, *options)
    assert caught.value.code == code


def test_calendar_is_shown_with_its_end_and_sources(zhipai: Zhipai) -> None:
    shown = zhipai("calendar", "show", "--year", "2026").stdout
    for words in ("2026-12-31", "2026-02-28", "上班", "chinesecalendar"):
        assert words in shown
    document = json.loads(zhipai("calendar", "show", "--year", "2026", "--json").stdout)
    assert document["coverage"] == {"from": "2004-01-01", "to": "2026-12-31"}
    (new_year,) = [day for day in document["days"] if day["date"] == "2026-02-17"]
    assert (new_year["kind"], new_year["name"]) == ("放假", "春节")


def test_a_year_is_imported_shown_and_used(zhipai: Zhipai, root: Path) -> None:
    file = str(root / "tests" / "notice-2027.csv")
    late = ("deadline", "--start", "2026-12-30T09:00+08:00", "--json")
    assert json.loads(zhipai(*late).stdout)["limits"][0]["state"] == "not_evaluated"
    assert "没有写入" in zhipai("calendar", "import", file, "--dry-run").stdout
    with pytest.raises(ZhipaiError) as caught:
        zhipai("calendar", "show", "--year", "2027")
    assert caught.value.code == "E3206"
    assert "放假 27 天，调休上班 3 天；日历到 2027-12-31" in zhipai("calendar", "import", file).stdout
    assert "2027-02-20" in zhipai("calendar", "show", "--year", "2027").stdout
    assert json.loads(zhipai(*late).stdout)["limits"][0]["due_at"] == "2027-01-08T23:59:59+08:00"
    assert "将替换它" in zhipai("calendar", "import", file, "--dry-run").stdout


def test_doubts_are_told_and_the_year_is_taken(zhipai: Zhipai, root: Path, tmp_path: Path) -> None:
    text = (root / "tests" / "notice-2027.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "中秋" not in line]
    (tmp_path / "notice.csv").write_text("\n".join(lines), encoding="utf-8")
    result = zhipai("calendar", "import", str(tmp_path / "notice.csv"), "--json")
    document = json.loads(result.stdout)
    assert document["written"] and document["warnings"] == [
        "中秋：写了 0 天放假，放假办法第二条规定 1 天，请对照通知核实。"
    ]
