"""The working-time calendar of an installation: the national tables, the imported years, and what the pack adds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from intake.errors import ZhipaiError
from rules import RulePack, WorkCalendar
from rules.calendar import CalendarYear
from rules.calendar_import import YearReading, read_year, store_year, stored_years
from service.settings import Settings

#: Mistakes of a file that one message lists.
MOST_TOLD = 10


def calendar_folder(settings: Settings) -> Path:
    """Where imported years are kept, one file a year."""
    return settings.home / "calendar"


def load_calendar(settings: Settings, pack: RulePack) -> WorkCalendar:
    """The calendar by which the deadlines of a pack are computed here; E3602 if an imported year is damaged."""
    return WorkCalendar(pack.calendar, extra=stored_years(calendar_folder(settings)))


def calendar_stamp(settings: Settings) -> tuple[tuple[str, int, int], ...]:
    """Changes when a year is imported or taken away: name, size and time of change of each file."""
    files = sorted(calendar_folder(settings).glob("*.yaml"))
    return tuple((path.name, stat.st_size, stat.st_mtime_ns) for path in files for stat in (path.stat(),))


@dataclass(frozen=True, slots=True)
class Import:
    """An import that was done or tried: what was read, whether the library already had the year, what is now covered."""

    reading: YearReading
    year: CalendarYear
    replaces: bool
    calendar: WorkCalendar


def import_year(settings: Settings, pack: RulePack, file: Path, *, dry_run: bool = False) -> Import:
    """Read a notice and keep it, unless ``dry_run``.

    Raises
    ------
    ZhipaiError
        E3601 with every line that is wrong; E3603 for a year after one that is not known. Nothing is written then.
    """
    reading = read_year(file)
    if reading.year is None:
        shown = "".join(reading.problems[:MOST_TOLD])
        params = {"name": file.name, "count": len(reading.problems), "problems": shown}
        raise ZhipaiError("E3601", params)
    before = load_calendar(settings, pack)
    year = reading.year
    others = [one for one in stored_years(calendar_folder(settings)) if one.year != year.year]
    after = WorkCalendar(pack.calendar, extra=[*others, year])
    if not after.covers(year.days[-1].day):
        span = {"start": before.coverage_start, "end": before.coverage_end}
        raise ZhipaiError("E3603", {**span, "year": year.year})
    if not dry_run:
        store_year(year, calendar_folder(settings))
    return Import(reading, year, before.covers(year.days[-1].day), after)
