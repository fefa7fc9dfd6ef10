"""What the user's organisation fills in: from its day on, with a source, and able to carry a rule that blocks."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import WorkCalendar, compute_deadlines, evaluate, load_pack

SHANGHAI = ZoneInfo("Asia/Shanghai")
PARAMETERS = "- {id: return_max_count, title: 最多退回次数, type: int, unit: 次, note: 没有写次数。}"
LIMITS = """
- {id: resolve, title: 办结时限, stage: resolve, values: [{amount: 7, unit: 工作日, clause: town-2020#1}]}
- {id: return_window, title: 退回时限, stage: return, note: 没有写天数。}
"""
RULE = """
- id: TN-RET-001
  title: 退回次数已到上限
  gate: return
  when: {fact: returned_count, gte: {parameter: return_max_count}}
  verdict: forbid
  severity: block
  disposition: {action: 继续办理, tell: ""}
  clause: town-2020#1
"""
FILLED = """
parameters:
  return_max_count: {value: 2, source: 某镇热线工作规程第三条, effective_from: 2026-01-01}
limits:
  return_window: {amount: 2, unit: 工作日, source: 某镇热线工作规程第四条, effective_from: 2026-01-01}
  resolve:
    - {amount: 5, unit: 工作日, source: 某镇热线工作规程第五条, effective_from: 2026-01-01}
    - {amount: 3, unit: 工作日, source: 某镇热线工作规程（修订）第五条, effective_from: 2027-01-01}
"""


@pytest.fixture
def town(write_pack, tmp_path):
    def load(own: str = "", setting: str = "", folder: str = "town"):
        files = {"overrides": own} if own else {}
        path = tmp_path / "ours.yaml"
        path.write_text(setting, encoding="utf-8")
        home = write_pack(folder=folder, parameters=PARAMETERS, limits=LIMITS, rules=RULE, **files)
        return load_pack(home, overrides=path if setting else None)

    return load


@pytest.mark.parametrize("place", ["own", "setting"])
def test_a_value_of_the_user_holds_from_its_day_with_a_clause_of_its_own(town, place):
    pack = town(**{place: FILLED})
    before, after = (
        evaluate(pack, {"returned_count": 2}, as_of=datetime(year, month, day, tzinfo=SHANGHAI))[0]
        for year, month, day in [(2025, 12, 31), (2026, 1, 1)]
    )
    assert (before.state, after.state) == ("not_evaluated", "hit")
    clause = pack.clauses[pack.parameter_on("return_max_count", date(2026, 1, 1)).clause]
    assert (clause.document, clause.confidence) == ("某镇热线工作规程第三条", "用户提供")
    assert clause.effective_from == date(2026, 1, 1)
    assert "最多退回次数：2次" in clause.summary


def test_limits_of_the_user_go_before_those_of_the_pack_and_leave_the_past_alone(town):
    pack = town(FILLED)
    (resolve,) = [limit for limit in pack.limits if limit.id == "resolve"]
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [resolve.value_on(day).amount for day in days] == [7, 5, 5, 3]
    start = datetime(2026, 5, 6, 9, tzinfo=SHANGHAI)
    found = compute_deadlines(pack, kind="投诉", start=start, as_of=start, calendar=WorkCalendar(pack.calendar))
    by_stage = {one.stage: one for one in found}
    assert by_stage["return"].due_at.date() == date(2026, 5, 8)
    assert by_stage["return"].clause.document == "某镇热线工作规程第四条"


def test_the_setting_goes_before_the_pack(town):
    pack = town(FILLED, FILLED.replace("value: 2", "value: 4"))
    assert pack.parameter_on("return_max_count", date(2026, 1, 1)).value == 4


def test_what_is_filled_changes_the_id_and_the_place_of_the_file_does_not(town, write_pack, tmp_path):
    bare, filled = town(), town(setting=FILLED)
    other = tmp_path / "elsewhere.yaml"
    other.write_text("# 注释\n" + FILLED, encoding="utf-8")
    assert bare.id != filled.id == load_pack(bare.folder, overrides=other).id


def test_a_pack_lists_what_is_still_to_be_filled(town):
    rows = [(one.kind, one.id, one.pack, one.note) for one in town().to_fill()]
    assert rows == [
        ("parameter", "return_max_count", "town", "没有写次数。"),
        ("limit", "return_window", "town", "没有写天数。"),
    ]
    assert town().to_fill()[0].place == "town/parameters.yaml:1:3"
    assert town(FILLED, folder="two").to_fill() == ()


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("- 一", "E3003", "用户填写"),
        ("parameters: [一]", "E3003", "编号"),
        ("parameters: {return_max: {value: 2, source: 某, effective_from: 2026-01-01}}", "E3024", "return_max_count"),
        ("limits: {某: {amount: 2, unit: 工作日, source: 某, effective_from: 2026-01-01}}", "E3024", "没有这个时限"),
        ("parameters: {return_max_count: {value: 二, source: 某, effective_from: 2026-01-01}}", "E3024", "应是整数"),
        ("parameters: {return_max_count: {value: 2, effective_from: 2026-01-01}}", "E3004", "source"),
        ("parameters: {return_max_count: {value: 2, source: 某}}", "E3004", "effective_from"),
        ("parameters: {return_max_count: {source: 某, effective_from: 2026-01-01}}", "E3004", "value"),
        ("limits: {resolve: {amount: 0, unit: 工作日, source: 某, effective_from: 2026-01-01}}", "E3024", "数量是 0"),
        ("limits: {resolve: {amount: 1, unit: 天, source: 某, effective_from: 2026-01-01}}", "E3005", "工作日"),
        (
            "parameters: {return_max_count: [{value: 2, source: 某, effective_from: 2026-01-01},"
            " {value: 3, source: 某, effective_from: 2026-01-01}]}",
            "E3024",
            "两个值",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(town, text, code, words):
    with pytest.raises(ZhipaiError) as caught:
        town(setting=text)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.where.startswith("ours.yaml:1:")


def test_a_file_that_is_not_there_is_said(town, tmp_path):
    with pytest.raises(ZhipaiError, match="没有这个文件") as caught:
        load_pack(town().folder, overrides=tmp_path / "none.yaml")
    assert (caught.value.code, caught.value.where) == ("E3001", "none.yaml:1:1")
