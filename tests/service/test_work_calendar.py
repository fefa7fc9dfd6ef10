"""The next year gets into the calendar: by a command, whole or not at all, and into a service that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import load_pack
from rules.calendar import CalendarSettings, WorkCalendar
from service import clock
from service.readiness import calendar_says
from service.runtime import Runtime
from service.settings import Settings, load_settings
from service.work_calendar import calendar_folder, calendar_stamp, import_year, load_calendar

PACK = load_pack("weifang")
Write = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", pack="weifang")


@pytest.fixture
def notice(root: Path, tmp_path: Path) -> Write:
    """Write the notice that tests use, with one text replaced by another."""
    text = (root / "tests" / "notice-2027.csv").read_text(encoding="utf-8")

    def write(before: str = "", after: str = "") -> Path:
        path = tmp_path / "2027年放假安排.csv"
        path.write_text(text.replace(before, after) if before else text, encoding="utf-8")
        return path

    return write


def test_an_import_extends_the_calendar_of_the_installation(home: Settings, notice: Write) -> None:
    before, stamp = load_calendar(home, PACK), calendar_stamp(home)
    done = import_year(home, PACK, notice())
    after = load_calendar(home, PACK)
    assert (before.coverage_end, after.coverage_end) == (date(2026, 12, 31), date(2027, 12, 31))
    assert not done.replaces and done.calendar.id == after.id != before.id
    assert calendar_stamp(home) != stamp
    assert import_year(home, PACK, notice()).replaces


def test_a_trial_run_writes_nothing(home: Settings, notice: Write) -> None:
    done = import_year(home, PACK, notice(), dry_run=True)
    assert done.calendar.coverage_end == date(2027, 12, 31)
    assert not calendar_folder(home).exists()


def test_a_notice_with_mistakes_is_refused_with_their_lines_and_leaves_the_former_one(
    home: Settings, notice: Write
) -> None:
    import_year(home, PACK, notice())
    stored = (calendar_folder(home) / "2027.yaml").read_bytes()
    with pytest.raises(ZhipaiError) as caught:
        import_year(home, PACK, notice("2027-06-09,放假", "2027-06-09,休息"))
    assert caught.value.code == "E3601" and "第 8 行" in caught.value.message
    assert (calendar_folder(home) / "2027.yaml").read_bytes() == stored


def test_a_year_after_one_that_is_not_known_is_refused(home: Settings, notice: Write) -> None:
    path = notice("2026-", "2027-")
    path.write_text(path.read_text(encoding="utf-8").replace("2027-", "2028-"), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace("2028-12-31..", "2028-01-01.."), encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        import_year(home, PACK, path)
    assert caught.value.code == "E3603"
    assert not calendar_folder(home).exists()


@pytest.mark.parametrize(
    ("today", "covers_to", "says", "words"),
    [
        (date(2026, 10, 31), None, "ok", "2026-12-31"),
        (date(2026, 11, 1), None, "提醒", "2027 年放假安排"),
        (date(2026, 11, 1), date(2027, 6, 30), "提醒", "只到 2027-06-30"),
        (date(2027, 3, 1), date(2027, 6, 30), "提醒", "2027 年放假安排"),
        (date(2026, 11, 1), date(2027, 12, 31), "ok", "2027-12-31"),
        (date(2027, 1, 1), None, "失败", "zhipai calendar import"),
    ],
)
def test_the_end_of_the_calendar_is_told_in_time(today: date, covers_to: date | None, says: str, words: str) -> None:
    told = calendar_says(WorkCalendar(CalendarSettings(covers_to=covers_to)), today=today)
    assert told.startswith(says) and words in told


@pytest.fixture
def runtime(config: Settings) -> Iterator[Runtime]:
    running = Runtime(config)
    yield running
    running.close()


def test_a_running_service_takes_up_an_imported_year(runtime: Runtime, notice: Write) -> None:
    before = runtime.snapshot
    import_year(runtime.settings, before.rules.pack, notice())
    assert runtime.refresh() is True
    assert runtime.snapshot.calendar.coverage_end == date(2027, 12, 31)
    assert runtime.snapshot.ids.calendar != before.ids.calendar
    assert runtime.snapshot.ranker is before.ranker, "没有变的部分不重新装入"
    assert runtime.refresh() is False


def test_a_damaged_year_leaves_the_old_calendar_in_force(runtime: Runtime, notice: Write) -> None:
    before = runtime.snapshot
    import_year(runtime.settings, before.rules.pack, notice())
    (calendar_folder(runtime.settings) / "2027.yaml").write_text("[]", encoding="utf-8")
    with pytest.raises(ZhipaiError, match="E3602"):
        runtime.refresh()
    assert runtime.snapshot is before


def test_readyz_carries_the_warning_from_november(client, monkeypatch: pytest.MonkeyPatch) -> None:
    november = datetime(2026, 11, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    monkeypatch.setattr(clock, "now", lambda zone="Asia/Shanghai": november)
    checks = client.get("/readyz").json()["checks"]
    assert checks["calendar"].startswith("提醒：工作日历只到 2026-12-31")
