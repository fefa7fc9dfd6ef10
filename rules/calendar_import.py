"""The notice of a year (放假安排) as a file: read with every mistake named by its line, stored whole or not at all.

The file is a table of ``date, kind, name, source``, as CSV or as a YAML list. 放假办法 第七条 lets every year move days of
rest, so a year that no notice has come for is not known.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml

from intake.errors import ZhipaiError, register
from intake.tables import read_csv
from rules.calendar import CalendarYear, SpecialDay
from rules.problems import Problem
from rules.yaml_reader import Fields, read_yaml

register("E3601", "放假安排有误", "放假安排“{name}”有 {count} 处不对，没有导入：{problems}")
register(
    "E3602",
    "已导入的放假安排损坏",
    "已导入的放假安排“{name}”不对：{problem}请用 zhipai calendar import 重新导入这一年。",
    exit_code=3,
)
register(
    "E3603",
    "放假安排的年份不相连",
    "工作日历是 {start} 到 {end}，不能直接导入 {year} 年：中间的日子没有依据。请先导入相邻的年份。",
)

KINDS = {"放假": False, "上班": True}
COLUMNS = ("date", "kind", "name", "source")
#: 全国年节及纪念日放假办法（2024 修订）第二条: the days of rest that every notice contains, thirteen in all.
STATUTORY = {"元旦": 1, "春节": 4, "清明": 1, "劳动": 2, "端午": 1, "中秋": 1, "国庆": 3}
#: Of these, the ones on fixed days.
FIXED = {"元旦": ((1, 1),), "劳动": ((5, 1), (5, 2)), "国庆": ((10, 1), (10, 2), (10, 3))}
_RANGE = ".."
_LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class YearReading:
    """What a file says.

    ``problems`` and ``warnings`` are sentences that begin with their line; with a problem there is no ``year``.
    """

    year: CalendarYear | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    day: date
    workday: bool
    name: str
    source: str


def read_year(path: Path) -> YearReading:
    """Read a file; ``.yaml`` is a list of mappings, anything else a table with a header.

    Raises
    ------
    ZhipaiError
        E1311, E1312 when the file cannot be opened or decoded.
    """
    problems: list[str] = []
    cells = _yaml_rows(path, problems) if path.suffix.lower() in (".yaml", ".yml") else _csv_rows(path, problems)
    rows = [row for line, texts in cells for row in _rows(line, texts, problems)]
    if not rows and not problems:
        problems.append("文件里没有一天放假或上班的安排。")
    year = Counter(row.day.year for row in rows).most_common(1)[0][0] if rows else 0
    problems += _contradictions(rows, year)
    if problems:
        return YearReading(None, tuple(problems), ())
    days = tuple(
        SpecialDay(row.day, row.workday, row.name, row.source) for row in sorted(rows, key=lambda row: row.day)
    )
    return YearReading(CalendarYear(year, days), (), tuple(_doubts(rows, year)))


def _csv_rows(path: Path, problems: list[str]) -> list[tuple[int, dict[str, str]]]:
    header: list[str] = []
    found: list[tuple[int, dict[str, str]]] = []
    for row in read_csv(path):
        cells = [str(cell).strip() for cell in row.cells]
        if row.error is not None:
            problems.append(f"第 {row.number} 行：{row.error.message}")
        elif not header:
            header = cells
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                problems.append(f"第 {row.number} 行：表头缺少 {'、'.join(missing)}，应是 {','.join(COLUMNS)}。")
                return []
        elif len(cells) != len(header):
            problems.append(f"第 {row.number} 行：有 {len(cells)} 列，表头有 {len(header)} 列。")
        else:
            found.append((row.number, dict(zip(header, cells, strict=True))))
    return found


def _yaml_rows(path: Path, problems: list[str]) -> list[tuple[int, dict[str, str]]]:
    wrong: list[Problem] = []
    found: list[tuple[int, dict[str, str]]] = []
    node = read_yaml(path, path.name, wrong)
    if node is not None and not isinstance(node.value, list):
        problems.append(f"第 {node.mark.line} 行：最外层应是列表，每一天前写一个减号和空格。")
    for item in node.value if node is not None and isinstance(node.value, list) else ():
        fields = Fields(item, "放假安排", wrong, allowed=COLUMNS)
        texts = {name: fields.text(name) for name in COLUMNS}
        if fields.ok:
            found.append((item.mark.line, texts))
    for problem in wrong:
        finding = problem.finding()
        problems.append(f"第 {finding.line} 行：{finding.message}{finding.mend}")
    return found


def _rows(line: int, texts: dict[str, str], problems: list[str]) -> Iterator[_Row]:
    """The days of one line: ``2027-01-01``, or ``2027-02-05..2027-02-12`` with both ends included."""
    empty = [name for name in COLUMNS if not texts[name]]
    if empty:
        problems.append(f"第 {line} 行：{'、'.join(empty)} 是空的，四项都要写（source 写通知的文号或名称）。")
        return
    if texts["kind"] not in KINDS:
        problems.append(f"第 {line} 行：kind 写成了“{texts['kind']}”，只能写放假或上班。")
        return
    first, _, last = texts["date"].partition(_RANGE)
    try:
        begin, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError:
        problems.append(
            f"第 {line} 行：“{texts['date']}”不是 2027-01-01 或 2027-02-05..2027-02-12 的写法，或没有这一天。"
        )
        return
    if not timedelta() <= end - begin < _LONGEST:
        problems.append(f"第 {line} 行：{begin} 到 {end} 不是由早到晚、{_LONGEST.days} 天以内的日子。")
        return
    for offset in range((end - begin).days + 1):
        yield _Row(line, begin + timedelta(days=offset), KINDS[texts["kind"]], texts["name"], texts["source"])


def _contradictions(rows: Sequence[_Row], year: int) -> Iterator[str]:
    seen: dict[date, _Row] = {}
    for row in rows:
        # 元旦 of a year may take days of the December before (2019 年的通知: 2018-12-29 上班, 12-30 至 1-1 放假).
        before = row.day.year == year - 1 and row.day.month == 12 and "元旦" in row.name
        if row.day.year != year and not before:
            yield f"第 {row.line} 行：{row.day} 不在 {year} 年；一个文件只写一年（元旦可以带上一年 12 月的日子）。"
        first = seen.setdefault(row.day, row)
        if first is not row:
            same = "重复了" if first.workday == row.workday else "互相矛盾"
            yield f"第 {row.line} 行：{row.day} 与第 {first.line} 行{same}，一天只能写一次。"


def _doubts(rows: Sequence[_Row], year: int) -> Iterator[str]:
    """What a complete notice would not look like."""
    rest = {row.day: row.name for row in rows if not row.workday}
    for name, days in STATUTORY.items():
        named = sum(name in one for one in rest.values())
        if named < days:
            yield f"{name}：写了 {named} 天放假，放假办法第二条规定 {days} 天，请对照通知核实。"
        for month, number in FIXED.get(name, ()):
            if date(year, month, number) not in rest:
                yield f"{name}：{date(year, month, number)} 没有写成放假，请对照通知核实。"
    for row in rows:
        if row.workday and row.day.weekday() < 5:
            yield f"第 {row.line} 行：{row.day} 不是周末，本来就上班，请核实日期。"


def store_year(year: CalendarYear, folder: Path) -> Path:
    """Write ``folder/2027.yaml`` and return it. It appears whole, or the former one stays as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {workday: kind for kind, workday in KINDS.items()}
    rows = [
        {"date": one.day.isoformat(), "kind": names[one.workday], "name": one.name, "source": one.source}
        for one in year.days
    ]
    path = folder / f"{year.year}.yaml"
    part = folder / f".{year.year}.{os.getpid()}.part"
    try:
        part.write_text(yaml.safe_dump(rows, allow_unicode=True, sort_keys=False), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def stored_years(folder: Path) -> tuple[CalendarYear, ...]:
    """The imported years of a folder, in their order; none where there is no folder.

    Raises
    ------
    ZhipaiError
        E3602 for a file that was damaged since it was imported: a year is never read in part.
    """
    years: list[CalendarYear] = []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9].yaml")):
        reading = read_year(path)
        if reading.year is None:
            raise ZhipaiError("E3602", {"name": path.name, "problem": reading.problems[0]})
        if str(reading.year.year) != path.stem:
            raise ZhipaiError("E3602", {"name": path.name, "problem": f"里面是 {reading.year.year} 年的安排。"})
        years.append(reading.year)
    return tuple(years)
