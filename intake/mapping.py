"""Column mapping: which column of somebody's file is which field of a work order. A YAML file, no code.

The format is explained to its users in ``datasets/mappings/README.md``.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from intake.column_names import COMMON_NAMES, plain_name
from intake.errors import ZhipaiError, register
from intake.function_duties import FunctionDuties
from intake.outside import Outside
from intake.unit import UnitDirectory

register("E1301", "列映射有误", "列映射“{path}”有误：{problem}。写法见 datasets/mappings/README.md。")
register("E1302", "缺少列", "文件里没有列“{column}”。现有的列：{columns}。请改正列映射，或换一个文件。")
register(
    "E1303",
    "认不出诉求列",
    "认不出哪一列是诉求内容。现有的列：{columns}。请用列映射文件指明（见 datasets/mappings/README.md）。",
)
register("E1304", "单位对照表有误", "单位对照表“{path}”{problem}。")

DEFAULT_ZONE = "Asia/Shanghai"
FIELDS = (
    "text",
    "order_id",
    "title",
    "channel",
    "order_type",
    "category",
    "received_at",
    "district",
    "street",
    "community",
    "related",
    "group",
    "unit",
)
_KEYS = (
    "name",
    "format",
    "columns",
    "extra",
    "keep_where",
    "drop_where",
    "empty",
    "time_zone",
    "time_formats",
    "directory",
    "labels",
    "outside",
)
#: Keys whose value may be the name of a file beside the mapping.
_BESIDE = {"labels": "标签对照", "outside": "市外地名"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field comes from: the columns, what joins them, what is taken out of the value."""

    columns: tuple[str, ...]
    join: str = "\n"
    remove: str = ""


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """What says which units there are, beside the orders: a directory (.yaml, .json), or a table (.csv) and its columns.

    ``duties`` is a file of what offices of each function do anywhere, for units that come without a list of duties.
    """

    file: str
    name: str = ""
    function: str = ""
    district: str = ""
    duties: str = ""


@dataclass(frozen=True)
class Mapping:
    """Which column is which field; build it with :meth:`from_file`, :meth:`from_dict` or :meth:`guess`.

    ``keep_where`` and ``drop_where`` hold, for each column, the values that keep or drop a row; ``"*"`` stands for any
    value that is not empty. ``empty`` lists values that mean “nothing”. ``labels`` renames units. ``outside`` holds the
    neighbouring 市县 of the city that the orders come from, None where the mapping names none.
    """

    name: str
    columns: dict[str, Source]
    extra: tuple[str, ...] = ()
    encoding: str = ""
    sheet: str = ""
    delimiter: str = ""
    keep_where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    drop_where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    time_zone: str = DEFAULT_ZONE
    time_formats: tuple[str, ...] = ()
    directory: DirectorySource | None = None
    labels: dict[str, str] = field(default_factory=dict)
    outside: Outside | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """Every column that must be there, in the order of the fields."""
        names = [column for source in self.columns.values() for column in source.columns]
        return tuple(dict.fromkeys([*names, *self.extra, *self.keep_where, *self.drop_where]))

    @classmethod
    def from_file(cls, path: Path) -> Mapping:
        """Read a mapping; E1301 names what is wrong with it."""
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ZhipaiError("E1301", {"path": path.name, "problem": f"读不出来（{type(error).__name__}）"}) from error
        if isinstance(data, dict):
            for key, title in _BESIDE.items():
                if isinstance(data.get(key), str):
                    data[key] = _beside(path, data[key], title)
        if isinstance(data, dict) and isinstance(data.get("directory"), dict) and data["directory"].get("duties"):
            # Like the labels it belongs to the mapping, not to the orders.
            data["directory"]["duties"] = str(path.parent / str(data["directory"]["duties"]))
        return cls.from_dict(data, where=path.name)

    @classmethod
    def from_dict(cls, data: Any, *, where: str = "") -> Mapping:
        """Build a mapping from a mapping as it stands in YAML; E1301."""
        for problem in _problems(data):
            raise ZhipaiError("E1301", {"path": where, "problem": problem})
        layout = data.get("format") or {}
        directory = data.get("directory")
        return cls(
            name=str(data.get("name") or where),
            columns={name: _source(data["columns"][name]) for name in FIELDS if data["columns"].get(name)},
            extra=_strings(data.get("extra")),
            encoding=str(layout.get("encoding") or ""),
            sheet=str(layout.get("sheet") or ""),
            delimiter=str(layout.get("delimiter") or ""),
            keep_where={str(column): _strings(values) for column, values in (data.get("keep_where") or {}).items()},
            drop_where={str(column): _strings(values) for column, values in (data.get("drop_where") or {}).items()},
            empty=_strings(data.get("empty")),
            time_zone=str(data.get("time_zone") or DEFAULT_ZONE),
            time_formats=_strings(data.get("time_formats")),
            directory=DirectorySource(**{key: str(value) for key, value in directory.items()}) if directory else None,
            labels={str(old): str(new) for old, new in (data.get("labels") or {}).items()},
            outside=Outside.from_data(data["outside"]) if data.get("outside") else None,
        )

    @classmethod
    def guess(cls, columns: Iterable[str], *, time_zone: str = DEFAULT_ZONE) -> Mapping:
        """Recognise common column names; E1303 when none looks like the text of an order."""
        names = [column for column in columns if column]
        plain = {plain_name(column): column for column in reversed(names)}
        found = {
            name: Source((plain[common],))
            for name, commons in COMMON_NAMES.items()
            for common in [next((common for common in commons if common in plain), "")]
            if common
        }
        if "text" not in found:
            raise ZhipaiError("E1303", {"columns": "、".join(names) or "（无）"})
        return cls(name="按列名识别", columns=found, time_zone=time_zone)

    def directory_for(self, orders_path: Path) -> UnitDirectory | None:
        """The units that stand beside the orders, or None when the mapping names no such file; E1103, E1304."""
        source = self.directory
        if source is None:
            return None
        path = orders_path.parent / source.file
        if path.suffix != ".csv":
            return UnitDirectory.from_file(path)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                rows = list(reader)
                columns = reader.fieldnames or []
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ZhipaiError(
                "E1304", {"path": source.file, "problem": f"读不出来（{type(error).__name__}），它应与工单文件放在一起"}
            ) from error
        missing = [
            column for column in (source.name, source.function, source.district) if column and column not in columns
        ]
        if missing:
            raise ZhipaiError(
                "E1304",
                {"path": source.file, "problem": f"没有列“{'、'.join(missing)}”，现有的列：{'、'.join(columns)}"},
            )
        known = FunctionDuties.from_file(Path(source.duties)) if source.duties else None
        return UnitDirectory.from_rows(
            {
                "name": row[source.name],
                "function": (function := row[source.function] if source.function else ""),
                "district": row[source.district] if source.district else "",
                "level": "区" if source.district and row[source.district] not in ("", "市级") else "市",
                "duties": known.of(function or row[source.name]) if known else (),
            }
            for row in rows
        )


def _beside(mapping: Path, name: str, title: str) -> Any:
    """What a file that a mapping names holds; it belongs to the mapping, so it is looked for beside it; E1301."""
    try:
        return yaml.safe_load((mapping.parent / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ZhipaiError("E1301", {"path": mapping.name, "problem": f"{title}“{name}”读不出来"}) from error


def _strings(value: Any) -> tuple[str, ...]:
    """YAML's one value or list of values as text; 1 and "1" are the same, as in a file of text."""
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def _source(value: Any) -> Source:
    if isinstance(value, dict):
        return Source(_strings(value["from"]), str(value.get("join", "\n")), str(value.get("remove", "")))
    return Source(_strings(value))


def _problems(data: Any) -> Iterator[str]:
    """What is wrong with a mapping, the outermost first: a later one may only make sense once the earlier is mended."""
    if not isinstance(data, dict):
        yield "最外层应是“键: 值”"
        return
    yield from _unknown("", data, _KEYS)
    for key in ("format", "columns", "keep_where", "drop_where", "labels", "directory", "outside"):
        if not isinstance(data.get(key) or {}, dict):
            yield f"{key} 应是“键: 值”"
    columns = data.get("columns") or {}
    if not columns.get("text"):
        yield "columns 里至少要写 text（诉求内容的列名）"
    yield from _unknown("columns 里", columns, FIELDS)
    for name, value in columns.items():
        if isinstance(value, dict):
            yield from _unknown(f"columns.{name} 里", value, ("from", "join", "remove"))
            if not value.get("from"):
                yield f"columns.{name} 里要写 from（列名）"
    layout = data.get("format") or {}
    yield from _unknown("format 里", layout, ("encoding", "sheet", "delimiter"))
    try:
        codecs.lookup(str(layout.get("encoding") or "utf-8"))
    except LookupError:
        yield f"不认识的编码“{layout['encoding']}”，应写成 utf-8 或 gb18030 这样"
    try:
        ZoneInfo(str(data.get("time_zone") or DEFAULT_ZONE))
    except (ZoneInfoNotFoundError, ValueError):
        yield f"不认识的时区“{data['time_zone']}”，应写成 Asia/Shanghai 这样"
    directory = data.get("directory") or {}
    yield from _unknown("directory 里", directory, ("file", "name", "function", "district", "duties"))
    if directory and not directory.get("file"):
        yield "directory 里要写 file（单位名录或对照表的文件名）"
    if str(directory.get("file", "")).endswith(".csv") and not directory.get("name"):
        yield "directory 的 file 是 .csv 时要写 name（单位名称的列名）"


def _unknown(place: str, given: dict, allowed: Collection[str]) -> Iterator[str]:
    for key in given:
        if key not in allowed:
            yield f"{place}不认识的键“{key}”，可用的有 {'、'.join(allowed)}"
