"""What rule owners write by mistake, beyond the one example a code: each is met with a code and words that help."""

from __future__ import annotations

import pytest

from intake.errors import ZhipaiError
from rules import load_pack

LEAF = "{fact: return_requested, is: true}"


@pytest.mark.parametrize(
    ("when", "code", "words"),
    [
        ("是", "E3007", "这里应是一个条件"),
        ("{}", "E3007", "看不懂“空”"),
        ("{not: {fact: return_requested, is: true}}", "E3007", "看不懂“not”"),
        (f"{{all: {LEAF}}}", "E3007", "all 下面应是至少一个条件的列表"),
        ("{any: []}", "E3007", "any 下面应是至少一个条件的列表"),
        ("{fact: return_requested}", "E3007", "恰好有一个比较符"),
        ("{fact: return_requested, is: true, is_not: false}", "E3007", "恰好有一个比较符"),
        ("{fact: return_requested, matches: 是}", "E3007", "可用：is、"),
        ("{fact: return_requested, present: false}", "E3007", "missing: true"),
        ("{fact: return_requested, in: true}", "E3007", "in 后面应是列表"),
        ("{fact: related_count, between: [5, 1]}", "E3007", "从小到大"),
        ("{fact: related_count, between: [1, 2, 3]}", "E3007", "从小到大"),
        ("{fact: related_count, in: [1, 1]}", "E3007", "相同的值"),
        ("{fact: channel, gt: 3}", "E3007", "不是数"),
        ("{fact: related_count, gt: 1.5}", "E3008", "整数"),
        ('{fact: related_count, gt: "3"}', "E3008", "整数"),
        ("{fact: related_count, in: [1, [2]]}", "E3008", "列表"),
        ("{fact: kind, is: 表扬}", "E3008", "投诉、举报"),
        ("{fact: channel, is: 12345}", "E3008", "文字"),
        ("{fact: [channel], is: 电话}", "E3006", "没有名为"),
        ("{all: [" * 9 + LEAF + "]}" * 9, "E3007", "嵌套超过 8 层"),
        ("{fact: channel, in: [" + ", ".join(f"值{number}" for number in range(101)) + "]}", "E3013", "101 个比较"),
    ],
)
def test_conditions(one_rule, when, code, words):
    with pytest.raises(ZhipaiError) as caught:
        one_rule(when)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.where.startswith("town/rules.yaml:4:")


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"title": "12"}, "E3003", "文字"),
        ({"title": "[某]"}, "E3003", "列表"),
        ({"disposition": "处置"}, "E3003", "冒号要用半角"),
        ({"disposition": "{action：处置}"}, "E3002", "冒号要用半角"),
        ({"disposition": "{action: 处置}"}, "E3004", "tell"),
        ({"effective_from": "2019-12-31"}, "E3010", "早于条款"),
        ({"effective_to": "2030-01-02"}, "E3010", "晚于条款"),
        ({"effective_from": "2022-01-01", "effective_to": "2022-01-01"}, "E3010", "不晚于生效日期"),
        ({"effective_from": "2022/01/01"}, "E3010", "2024-01-31"),
        ({"effective_from": "20220101"}, "E3010", "2024-01-31"),
        ({"severity": "严重"}, "E3005", "block、warn、info"),
    ],
)
def test_rules(one_rule, keys, code, words):
    with pytest.raises(ZhipaiError) as caught:
        one_rule(LEAF, **keys)
    assert caught.value.code == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        ({"rules": ""}, "E3001", "文件是空的"),
        ({"rules": "# 只有注释\n"}, "E3001", "文件是空的"),
        ({"rules": "a: &x 1\nb: *x\n"}, "E3001", "引用"),
        ({"rules": "- a: [\n"}, "E3001", "不是正确的 YAML"),
        ({"rules": "--- 1\n--- 2\n"}, "E3001", "不是正确的 YAML"),
        ({"rules": "[" * 3000 + "]" * 3000}, "E3001", "层级过深"),
        ({"rules": "id: TN-RET-001\n"}, "E3003", "减号"),
        ({"limits": "resolve: 5\n"}, "E3003", "减号"),
        ({"pack": "- name\n"}, "E3003", "映射"),
        ({"pack": "name: 某镇\ntitle: 某\njurisdiction: 某\n"}, "E3015", "weifang"),
        ({"pack": "name: town\ntitle: 某\njurisdiction: 某\ntime_zone: 北京\n"}, "E3020", "没有时区"),
        (
            {"pack": 'name: town\ntitle: 某\njurisdiction: 某\ncalendar: {office_hours: ["8:30"]}\n'},
            "E3020",
            "办公时间写成",
        ),
        ({"pack": "name: town\ntitle: 某\njurisdiction: 某\ncalendar: {clauses: [town-2020#9]}\n"}, "E3009", "town-2020#9"),
        ({"pack": "name: town\ntitle: 某\njurisdiction: 某\ncalendar: {holidays: [2026-01-01]}\n"}, "E3003", "映射"),
        ({"limits": "- {id: a, title: 甲, stage: resolve, kinds: [表扬], note: 空}"}, "E3005", "投诉"),
        ({"limits": "- {id: a, title: 甲, stage: resolve, kinds: 投诉, note: 空}"}, "E3003", "列表"),
        ({"limits": "- {id: a, title: 甲, stage: resolve, kinds: [1], note: 空}"}, "E3003", "文字"),
        (
            {"limits": "- {id: a, title: 甲, stage: resolve, values: [{amount: 5, unit: 工作日, clause: x#1}]}"},
            "E3009",
            "x#1",
        ),
        (
            {
                "limits": "- {id: a, title: 甲, stage: resolve, values: [{amount: 5, unit: 工作日, clause: town-2020#1,"
                " effective_from: 2019-01-01}]}"
            },
            "E3010",
            "早于条款",
        ),
        ({"limits": "- {id: a, title: 甲, stage: resolve, note: 空}\n" * 2}, "E3011", "town/limits.yaml:1:3"),
    ],
)  # fmt: skip
def test_files(write_pack, files, code, words):
    with pytest.raises(ZhipaiError) as caught:
        load_pack(write_pack(**files))
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_file_in_another_encoding_is_named(write_pack):
    folder = write_pack()
    (folder / "rules.yaml").write_bytes("- id: 退回\n".encode("gb18030"))
    with pytest.raises(ZhipaiError, match="UTF-8") as caught:
        load_pack(folder)
    assert caught.value.where == "town/rules.yaml:1:1"


def test_an_empty_value_counts_as_absent(one_rule):
    with pytest.raises(ZhipaiError) as caught:
        one_rule(LEAF, title="")
    assert (caught.value.code, caught.value.params["key"]) == ("E3004", "title")


@pytest.mark.parametrize("file", ["rules", "clauses", "limits"])
def test_an_empty_list_is_no_mistake(write_pack, file):
    assert load_pack(write_pack(**{file: "[]"})).name == "town"
