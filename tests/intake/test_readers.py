"""Files as people send them: good rows become orders, a bad row says where it is and what is wrong, the rest goes on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from intake import tables
from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.readers import Row, read_columns, read_orders

Write = Callable[[str, str | bytes], Path]
TEXT = Mapping.from_dict({"columns": {"text": "诉求内容"}})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write_file


def _read(path: Path, mapping: Mapping | None = None, **options: str) -> list[Row]:
    return list(read_orders(path, mapping or Mapping.guess(read_columns(path)), **options))


def _texts(rows: list[Row]) -> list[str]:
    return [row.order.text for row in rows if row.order]


# --- CSV ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_encodings_are_told_apart(write: Write, encoding: str) -> None:
    rows = _read(write("a.csv", "工单编号,诉求内容\n1,路灯不亮，镕基路\n".encode(encoding)))
    assert _texts(rows) == ["路灯不亮，镕基路"]
    assert rows[0].order is not None
    assert rows[0].order.order_id == "1"


def test_gb18030_beyond_gbk_is_read(write: Write) -> None:
    assert _texts(_read(write("a.csv", "诉求内容\n㐀𠮷镇停水\n".encode("gb18030")))) == ["㐀𠮷镇停水"]


def test_what_no_encoding_can_read_is_refused_with_the_line(write: Write) -> None:
    with pytest.raises(ZhipaiError, match=r"E1312.*第 3 行"):
        _read(write("a.csv", "诉求内容\n停水\n".encode() + b"\xff\xff\n"))


def test_an_encoding_given_wrongly_is_said(write: Write) -> None:
    mapping = Mapping.from_dict({"columns": {"text": "诉求内容"}, "format": {"encoding": "utf-8"}})
    with pytest.raises(ZhipaiError, match="E1312"):
        _read(write("a.csv", "诉求内容\n停水\n".encode("gb18030")), mapping)


@pytest.mark.parametrize(("name", "delimiter"), [("a.tsv", "\t"), ("a.csv", "\t"), ("a.csv", ";"), ("a.csv", ",")])
def test_delimiters_are_told_apart(write: Write, name: str, delimiter: str) -> None:
    assert _texts(_read(write(name, f"编号{delimiter}诉求内容\n1{delimiter}停水\n"))) == ["停水"]


def test_quoted_line_breaks_and_delimiters_belong_to_the_text(write: Write) -> None:
    assert _texts(_read(write("a.csv", '编号,诉求内容\n1,"停水,\n三天了""真的"""\n2,停电\n'))) == [
        '停水,\n三天了"真的"',
        "停电",
    ]


def test_bad_rows_say_where_and_good_rows_go_on(write: Write) -> None:
    path = write(
        "a.csv",
        '编号,诉求内容,受理时间\n1,停水,2018/1/2\n2,少一列\n3,多,一,列\n\n4,,\n5,"坏"引号,\n6,停电,明天\n7,停气,\n',
    )
    rows = _read(path)
    assert _texts(rows) == ["停水", "停气"]
    errors = {row.number: str(row.error) for row in rows if row.error}
    assert [row.number for row in rows] == [2, 3, 4, 6, 7, 8, 9]
    assert "E1333" in errors[3]
    assert "第 3 行" in errors[3]
    assert "4 列" in errors[4]
    assert "E1001" in errors[6]
    assert "列“诉求内容”" in errors[6]
    assert "E1313" in errors[7]
    assert "E1334" in errors[8]
    assert "列“受理时间”" in errors[8]


def test_surplus_empty_cells_at_the_end_are_no_error(write: Write) -> None:
    assert _texts(_read(write("a.csv", "编号,诉求内容\n1,停水,,,\n"))) == ["停水"]


def test_an_unclosed_quote_costs_its_own_row_only_as_far_as_the_limit(write: Write) -> None:
    rows = _read(write("a.csv", '诉求内容,编号\n"没闭合,1\n' + "停水,2\n" * 40_000))
    assert rows[0].error is not None
    assert "引号没有闭合" in rows[0].error.message
    assert len(_texts(rows)) > 10_000


def test_no_order_text_gets_into_an_error(write: Write) -> None:
    rows = _read(write("a.csv", "编号,诉求内容,受理时间\n1,我叫王小明,13800138000\n2,我叫王小明\n"))
    assert all(row.error for row in rows)
    assert not any("王小明" in str(row.error) or "13800138000" in str(row.error) for row in rows)


@pytest.mark.parametrize(
    ("text", "code"),
    [("😀😀", "E1003"), ("12345", "E1003"), ("停" * 8001, "E1002"), ("   ", "E1001")],
)
def test_rows_that_cannot_be_triaged_are_refused(write: Write, text: str, code: str) -> None:
    (row,) = _read(write("a.csv", f"编号,诉求内容\n1,{text}\n"))
    assert row.order is None
    assert row.error is not None
    assert row.error.code == code


def test_nul_comes_through_to_cleaning(write: Write) -> None:
    assert _texts(_read(write("a.csv", "编号,诉求内容\n1,停\x00水\n"))) == ["停\x00水"]


# --- whole files ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", "", "E1332"),
        ("a.csv", "\ufeff", "E1332"),
        ("a.csv", "\n\n\n", "E1332"),
        ("a.csv", "编号,诉求内容\n", "E1332"),
        ("a.jsonl", "", "E1332"),
        ("a.pdf", "x", "E1331"),
        ("a", "x", "E1331"),
        ("a.xlsx", b"", "E1321"),
        ("a.xlsx", b"not a zip", "E1321"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "E1321"),
        ("a.csv", "x" * (tables.MAX_LINE + 1), "E1315"),
    ],
)
def test_hopeless_files_are_refused_at_once(write: Write, name: str, content: str | bytes, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        read_orders(write(name, content), TEXT)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["none.csv", "none.xlsx", "none.jsonl"])
def test_a_missing_file_is_said_in_chinese(tmp_path: Path, name: str) -> None:
    with pytest.raises(ZhipaiError, match=r"E1311.*没有这个文件"):
        read_orders(tmp_path / name, TEXT)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_missing_column_is_named_with_those_there_are(write: Write, name: str) -> None:
    content = "编号,内容\n1,停水\n" if name == "a.csv" else '{"编号": 1, "内容": "停水"}\n'
    with pytest.raises(ZhipaiError, match=r"E1302.*诉求内容.*编号、内容"):
        read_orders(write(name, content), TEXT)


def test_a_column_that_stands_twice_is_refused(write: Write) -> None:
    with pytest.raises(ZhipaiError, match=r"E1335.*诉求内容.*2 次"):
        read_orders(write("a.csv", "诉求内容,诉求内容\n停水,停电\n"), TEXT)


def test_a_title_above_the_header_is_passed_over(write: Write) -> None:
    rows = _read(write("a.csv", "某市热线工单导出,,\n编号,诉求内容,承办单位\n1,停水,水务局\n"))
    assert _texts(rows) == ["停水"]
    assert rows[0].number == 3


# --- JSON lines -----------------------------------------------------------------------------------------------------
def test_json_lines_give_the_line_of_what_is_broken(write: Write) -> None:
    path = write(
        "a.jsonl",
        '{"诉求内容": "停水", "编号": 1, "related": ["a", "b"]}\n\n{"诉求内容": "停电"\n[1, 2]\n{"编号": 5}\n'
        + '{"诉求内容": '
        + "[" * 100_000
        + '\n{"诉求内容": "停气", "编号": 20180102134642}\n',
    )
    rows = _read(path, Mapping.from_dict({"columns": {"text": "诉求内容", "order_id": "编号", "related": "related"}}))
    assert _texts(rows) == ["停水", "停气"]
    assert [(row.number, row.error.code) for row in rows if row.error] == [
        (3, "E1314"), (4, "E1314"), (5, "E1001"), (6, "E1314"),
    ]  # fmt: skip
    assert "第 3 行" in str(rows[1].error)
    assert rows[0].order is not None
    assert rows[0].order.related == ("a", "b")
    assert rows[-1].order is not None
    assert rows[-1].order.order_id == "20180102134642"


# --- fields ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2018/1/2 23:47:17", "2018-01-02T23:47:17+08:00"),
        ("2018-1-2", "2018-01-02T00:00:00+08:00"),
        ("2018年1月2日 9:05", "2018-01-02T09:05:00+08:00"),
        ("2018-01-02T03:04:05+00:00", "2018-01-02T03:04:05+00:00"),
        ("2018-01-02T03:04:05Z", "2018-01-02T03:04:05+00:00"),
    ],
)
def test_instants_without_a_zone_get_the_mapping_s(write: Write, written: str, instant: str) -> None:
    (row,) = _read(write("a.csv", f"诉求内容,受理时间\n停水,{written}\n"))
    assert row.order is not None
    assert row.order.received_at is not None
    assert row.order.received_at.isoformat() == instant


def test_another_zone_can_be_set(write: Write) -> None:
    mapping = Mapping.from_dict(
        {"columns": {"text": "诉求内容", "received_at": "时间"}, "time_zone": "UTC", "time_formats": ["%d.%m.%Y"]}
    )
    (row,) = _read(write("a.csv", "诉求内容,时间\n停水,02.01.2018\n"), mapping)
    assert row.order is not None
    assert row.order.received_at == datetime(2018, 1, 2, tzinfo=timezone(timedelta(0)))


def test_fields_are_composed_filtered_and_renamed(write: Write) -> None:
    mapping = Mapping.from_dict(
        {
            "columns": {
                "text": {"from": ["大类", "小类", "街道"], "join": "，"},
                "title": {"from": "分词", "remove": " "},
                "related": "关联",
                "unit": "单位",
            },
            "extra": ["电话"],
            "keep_where": {"正文": "*"},
            "drop_where": {"来源": ["内部", "测试"]},
            "empty": ["-"],
            "labels": {"工商局": "市场监督管理局"},
        }
    )
    path = write(
        "a.csv",
        "大类,小类,街道,分词,关联,单位,电话,正文,来源\n"
        "市容,占道,-,占 道 经营,1；2,工商局,0571,有,热线\n市容,占道,-,a,,城管局,,,热线\n市容,占道,-,a,,城管局,,有,内部\n",
    )
    (row,) = _read(path, mapping)
    order = row.order
    assert order is not None
    assert (order.text, order.title, order.related, order.unit) == (
        "市容，占道",
        "占道经营",
        ("1", "2"),
        "市场监督管理局",
    )
    assert order.extra == {"电话": "0571"}
    assert row.raw["来源"] == "热线"


@pytest.mark.parametrize(
    ("mapping", "file", "rows", "units"),
    [
        ("haikou", "haikou_12345_orders/orders.csv", 7901, 233),
        ("haikou_raw", "haikou_12345_orders/orders.csv", 7901, 233),
        ("teddy", "teddy2020_smartgov/a2_labelled.csv", 7368, 7),
        ("teddy_raw", "teddy2020_smartgov/a2_labelled.csv", 1120, 7),
        ("beijing_letters", "beijing_letters/letters.csv", 740, 31),
        ("pingshan", "pingshan_minsheng/events.csv", 7987, 151),
    ],
)
def test_real_files_read_without_an_error(
    shared_data: Path, root: Path, mapping: str, file: str, rows: int, units: int
) -> None:
    found = list(read_orders(shared_data / file, Mapping.from_file(root / "datasets" / "mappings" / f"{mapping}.yaml")))
    orders = [row.order for row in found if row.order]
    assert len(orders) == len(found) == rows
    assert len({order.unit for order in orders}) == units
    assert all(order.unit and order.group for order in orders)


def test_reading_is_lazy(write: Write) -> None:
    path = write("a.csv", "诉求内容\n" + ("停水三天了没有人管" * 20 + "\n") * 20_000)
    tracemalloc.start()
    count = sum(1 for _ in read_orders(path, TEXT))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 6 * 1024**2
