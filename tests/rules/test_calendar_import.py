"""A year of holidays from a file: every mistake by its line, nothing half-written, doubts told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from rules import WorkCalendar
from rules.calendar_import import read_year, store_year, stored_years

#: Made up for tests; it is not the notice of that year.
NOTICE = (Path(__file__).parent.parent / "notice-2027.csv").read_text(encoding="utf-8")
HEADER = "date,kind,name,source\n"


def write(tmp_path: Path, text: str, name: str = "notice.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_year_is_read_without_a_doubt(tmp_path):
    reading = read_year(write(tmp_path, NOTICE))
    assert (reading.problems, reading.warnings) == ((), ())
    assert reading.year is not None and reading.year.year == 2027
    days = {one.day: one for one in reading.year.days}
    assert days[date(2027, 2, 5)].workday is False and days[date(2027, 2, 20)].workday is True
    assert days[date(2027, 2, 20)].why == "春节调休上班"


def test_csv_from_a_spreadsheet_and_yaml_say_the_same(tmp_path):
    rows = [line.split(",") for line in NOTICE.splitlines()[1:]]
    yaml = "\n".join(
        f"- {{date: {day}, kind: {kind}, name: {name}, source: {source}}}" for day, kind, name, source in rows
    )
    (tmp_path / "excel.csv").write_bytes(NOTICE.replace("\n", "\r\n").encode("gb18030"))
    plain = read_year(write(tmp_path, NOTICE))
    assert read_year(tmp_path / "excel.csv") == plain
    assert read_year(write(tmp_path, yaml, "notice.yaml")) == plain


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("2027-01-01,休息,元旦,某通知\n", "第 2 行", "只能写放假或上班"),
        ("2027-13-01,放假,元旦,某通知\n", "第 2 行", "没有这一天"),
        ("2027年1月1日,放假,元旦,某通知\n", "第 2 行", "写法"),
        ("2027-01-03..2027-01-01,放假,元旦,某通知\n", "第 2 行", "由早到晚"),
        ("2027-01-01..2027-12-31,放假,元旦,某通知\n", "第 2 行", "31 天以内"),
        ("2027-01-01,放假,元旦,\n", "第 2 行", "source"),
        ("2027-01-01,放假,元旦\n", "第 2 行", "3 列"),
        ("2027-01-01,放假,元旦,某通知\n2027-01-02,放假,元旦,某通知\n2028-01-01,放假,元旦,某通知\n", "第 4 行", "一个文件只写一年"),
        ("2027-01-01,放假,元旦,某通知\n2027-01-01,放假,元旦,某通知\n", "第 3 行", "与第 2 行重复"),
        ("2027-01-01,放假,元旦,某通知\n2027-01-01,上班,元旦,某通知\n", "第 3 行", "与第 2 行互相矛盾"),
        ("", "", "没有一天"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line(tmp_path, text, line, words):
    reading = read_year(write(tmp_path, HEADER + text))
    assert reading.year is None
    assert len(reading.problems) == 1
    assert reading.problems[0].startswith(line) and words in reading.problems[0]


def test_every_mistake_is_told_at_once(tmp_path):
    reading = read_year(write(tmp_path, HEADER + "2027-01-01,休,元旦,某通知\n2027-01-99,放假,元旦,某通知\n"))
    assert [problem.partition("：")[0] for problem in reading.problems] == ["第 2 行", "第 3 行"]


def test_a_header_without_a_column_is_told(tmp_path):
    reading = read_year(write(tmp_path, "date,kind,name\n2027-01-01,放假,元旦\n"))
    assert reading.year is None and "source" in reading.problems[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("date: 2027-01-01\n", "第 1 行"),
        ("- {date: 2027-01-01, kind: 放假, name: 元旦, source: 某通知}\n- {date: 2027-01-02, kind: 放假, name: 元旦}\n", "第 2 行"),
        ("- {date: 2027-01-01, kind: 放假, nam: 元旦, source: 某通知}\n", "第 1 行"),
        ("- {date: [\n", "第 2 行"),
    ],
)  # fmt: skip
def test_mistakes_of_yaml_are_told_with_their_line(tmp_path, text, line):
    reading = read_year(write(tmp_path, text, "notice.yaml"))
    assert reading.year is None
    assert reading.problems[0].startswith(line)


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("2027-09-15,放假,中秋节,测试用的安排（不是国务院的通知）\n", "中秋：写了 0 天放假，放假办法第二条规定 1 天"),
        ("2027-06-09,放假,端午节,测试用的安排（不是国务院的通知）\n", "端午：写了 0 天"),
        ("2027-05-01..2027-05-05,放假,劳动节,测试用的安排（不是国务院的通知）\n", "2027-05-02 没有写成放假"),
        ("2026-12-31..2027-01-02,放假,元旦,测试用的安排（不是国务院的通知）\n", "元旦：写了 0 天"),
    ],
)
def test_a_statutory_holiday_that_is_missing_is_a_doubt_not_a_mistake(tmp_path, without, words):
    assert without in NOTICE
    reading = read_year(write(tmp_path, NOTICE.replace(without, "")))
    assert reading.year is not None
    assert any(words in warning for warning in reading.warnings)


def test_a_make_up_day_in_the_middle_of_the_week_is_a_doubt(tmp_path):
    reading = read_year(write(tmp_path, NOTICE.replace("2027-02-20,上班", "2027-02-22,上班")))
    assert reading.warnings == ("第 4 行：2027-02-22 不是周末，本来就上班，请核实日期。",)


def test_the_first_days_off_may_lie_in_december_but_only_for_the_new_year(tmp_path):
    assert read_year(write(tmp_path, NOTICE)).year is not None
    other = read_year(
        write(tmp_path, NOTICE.replace("2026-12-31..2027-01-02,放假,元旦", "2026-12-31..2027-01-02,放假,春节"))
    )
    assert other.year is None and "2026-12-31 不在 2027 年" in other.problems[0]


# ---- stored years ---------------------------------------------------------------------------------------------------


@pytest.fixture
def year(tmp_path):
    reading = read_year(write(tmp_path, NOTICE))
    assert reading.year is not None
    return reading.year


def test_a_stored_year_comes_back_as_it_was(tmp_path, year):
    folder = tmp_path / "calendar"
    assert stored_years(folder) == ()
    path = store_year(year, folder)
    assert path.name == "2027.yaml" and stored_years(folder) == (year,)
    assert store_year(year, folder) == path
    assert [one.name for one in folder.iterdir()] == ["2027.yaml"]


def test_a_write_that_fails_leaves_the_former_year(tmp_path, year, monkeypatch):
    folder = tmp_path / "calendar"
    store_year(year, folder)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        store_year(type(year)(2027, year.days[:1]), folder)
    monkeypatch.undo()
    assert stored_years(folder) == (year,)
    assert [one.name for one in folder.iterdir()] == ["2027.yaml"]


@pytest.mark.parametrize(
    "damage", ["- {date: 2027-01-01", "[]", NOTICE, "- {date: 2028-01-01, kind: 放假, name: 元旦, source: 某}"]
)
def test_a_damaged_year_is_never_read_in_part(tmp_path, year, damage):
    store_year(year, tmp_path / "calendar").write_text(damage, encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        stored_years(tmp_path / "calendar")
    assert caught.value.code == "E3602" and "2027.yaml" in caught.value.message


def test_an_imported_year_extends_the_calendar_and_changes_its_id(year):
    before, after = WorkCalendar(), WorkCalendar(extra=[year])
    assert (before.coverage_end, after.coverage_end) == (date(2026, 12, 31), date(2027, 12, 31))
    assert after.id != before.id
    assert after.is_workday(date(2027, 2, 20)) and after.why(date(2027, 2, 20)) == "春节调休上班"
    assert not after.is_workday(date(2027, 2, 8)) and after.why(date(2027, 2, 8)) == "春节"
    assert not after.is_workday(date(2026, 12, 31)) and before.is_workday(date(2026, 12, 31))
    assert after.special_days(2027)[0].source.startswith("测试用的安排")


def test_a_year_after_a_gap_is_left_out(year):
    far = type(year)(2029, ())
    assert WorkCalendar(extra=[far]).coverage_end == date(2026, 12, 31)
    assert WorkCalendar(extra=[far, type(year)(2028, ()), year]).coverage_end == date(2029, 12, 31)


def test_an_imported_year_replaces_the_librarys_of_the_same_year(year):
    again = type(year)(2026, ())
    calendar = WorkCalendar(extra=[again])
    assert calendar.is_workday(date(2026, 10, 1)) and not WorkCalendar().is_workday(date(2026, 10, 1))
    assert calendar.coverage_end == date(2026, 12, 31)
