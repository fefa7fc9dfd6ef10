"""Parallel limits: the hotline's clock and those of the statutes whose condition is a hit."""

from __future__ import annotations

from datetime import datetime
from textwrap import indent
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import WorkCalendar, compute_deadlines, load_pack
from rules.pack import read_pack
from rules.tracks import open_limits

ZONE = ZoneInfo("Asia/Shanghai")
MOMENT = datetime(2026, 5, 6, 9, tzinfo=ZONE)
CALENDAR = WorkCalendar()


def limit(limit_id: str, amount: int, **keys: str) -> str:
    lines = {"title": limit_id, "stage": "resolve"} | keys
    lines["values"] = f"[{{amount: {amount}, unit: 工作日, clause: town-2020#1}}]"
    return f"- id: {limit_id}\n" + indent("\n".join(f"{key}: {text}" for key, text in lines.items()), "  ") + "\n"


COMPLAINT, REPORT = "{fact: kind, is: 投诉}", "{fact: kind, is: 举报}"
DISPUTED = "{fact: unit_dispute, is: true}"
LIMITS = (
    limit("resolve", 5)
    + limit("resolve_disputed", 9, when=DISPUTED)
    + limit("consumer", 7, track="消法", when=COMPLAINT)
    + limit(
        "consumer_disputed", 8, track="消法", when="{all: [" + COMPLAINT + ", " + DISPUTED + "]}", urgencies="[一般]"
    )
    + limit("accept", 7, title="受理决定", stage="statutory", track="市监办法", when=COMPLAINT)
    + limit("mediate", 45, title="调解终止", stage="statutory", track="市监办法", when=COMPLAINT)
    + limit("file", 15, title="线索核查", stage="statutory", track="市监办法", when=REPORT)
    + limit("always", 60, track="甲法")
    + limit("questions", 2, track="乙法", kinds="[咨询]")
)


@pytest.fixture
def town(write_pack):
    return load_pack(write_pack(limits=LIMITS))


def found(pack, facts, *, kind="投诉", **options) -> dict[str, str]:
    deadlines = compute_deadlines(
        pack, kind=kind, start=MOMENT, as_of=MOMENT, calendar=CALENDAR, facts=facts, **options
    )
    return {one.key: one.limit or one.cause for one in deadlines}


def test_without_facts_only_the_hotline_speaks(town):
    assert found(town, None) == {"resolve": "5个工作日"}


def test_tracks_whose_condition_hits_stand_beside_the_hotline(town):
    assert found(town, {"kind": "投诉", "unit_dispute": False}) == {
        "resolve": "5个工作日",
        "市监办法/受理决定": "7个工作日",
        "市监办法/调解终止": "45个工作日",
        "消法/resolve": "7个工作日",
        "甲法/resolve": "60个工作日",
    }


def test_a_condition_that_hits_makes_a_limit_narrower(town):
    facts = {"kind": "投诉", "unit_dispute": True}
    assert found(town, facts)["resolve"] == "9个工作日"
    assert found(town, facts)["消法/resolve"] == "8个工作日"
    assert found(town, facts, urgency="特急")["消法/resolve"] == "7个工作日"


def test_a_condition_weighs_more_than_kind_and_urgency_together(write_pack):
    narrow = limit("narrow", 3, kinds="[投诉]", urgencies="[一般]")
    pack = load_pack(write_pack(limits=narrow + limit("disputed", 9, when=DISPUTED)))
    assert found(pack, {"unit_dispute": True}) == {"resolve": "9个工作日"}
    assert found(pack, {"unit_dispute": False}) == {"resolve": "3个工作日"}


def test_a_condition_that_passes_or_is_unknown_leaves_its_track_out(town):
    assert found(town, {"kind": "咨询", "unit_dispute": False}, kind="咨询") == {
        "resolve": "5个工作日",
        "乙法/resolve": "2个工作日",
        "甲法/resolve": "60个工作日",
    }
    assert found(town, {}) == {"resolve": "5个工作日", "甲法/resolve": "60个工作日"}


def test_unknown_conditions_are_listed_on_request_with_what_is_missing(town):
    listed = found(town, {}, include_unknown=True)
    assert "kind" in listed["市监办法/受理决定"] and "缺少事实" in listed["市监办法/线索核查"]
    assert "乙法/resolve" not in listed
    states = compute_deadlines(
        town, kind="投诉", start=MOMENT, as_of=MOMENT, calendar=CALENDAR, facts={}, include_unknown=True
    )
    unknown = [one for one in states if one.track in ("消法", "市监办法")]
    assert unknown and all(one.state == "not_evaluated" and one.due_at is None for one in unknown)


def test_hotline_comes_first_then_tracks_by_name_and_stage(town):
    deadlines = compute_deadlines(
        town, kind="投诉", start=MOMENT, as_of=MOMENT, calendar=CALENDAR, facts={"kind": "投诉"}
    )
    assert [one.track for one in deadlines] == ["", "市监办法", "市监办法", "消法", "甲法"]
    row = deadlines[1].as_dict()
    assert (row["track"], row["stage"], row["title"]) == ("市监办法", "statutory", "受理决定")
    assert row["due_at"] == "2026-05-14T23:59:59+08:00"


def test_open_limits_are_all_that_deadlines_take_from_facts(town):
    assert open_limits(town, {}) == frozenset()
    assert open_limits(town, {"kind": "举报", "text_length": 5}) == {"file"}
    one, other = ({"kind": "投诉", "text_length": length} for length in (5, 500))
    assert open_limits(town, one) == open_limits(town, other)
    assert found(town, one) == found(town, other)


def test_open_limits_refuse_facts_of_another_type(town):
    with pytest.raises(ZhipaiError) as caught:
        open_limits(town, {"kind": 1})
    assert caught.value.code == "E3203"


# ---- loading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "clash"),
    [
        (limit("a", 1) + limit("b", 2), True),
        (limit("a", 1) + limit("b", 2, track="甲法"), False),
        (limit("a", 1, track="甲法") + limit("b", 2, track="甲法"), True),
        (limit("a", 1, track="甲法") + limit("b", 2, track="乙法"), False),
        (limit("a", 1, track="甲法", when=COMPLAINT) + limit("b", 2, track="甲法"), False),
        (limit("a", 1, track="甲法", when=COMPLAINT) + limit("b", 2, track="甲法", when=DISPUTED), True),
        (limit("a", 1, track="甲法", when=COMPLAINT) + limit("b", 2, track="甲法", when=REPORT), False),
        (limit("a", 1, when="{fact: kind, in: [投诉, 举报]}") + limit("b", 2, when="{fact: kind, in: [咨询]}"), False),
        (limit("a", 1, when="{fact: kind, in: [投诉, 举报]}") + limit("b", 2, when=REPORT), True),
        (limit("a", 1, when=DISPUTED) + limit("b", 2, when="{fact: unit_dispute, is_not: true}"), False),
        (limit("a", 1, when="{any: [" + COMPLAINT + ", " + DISPUTED + "]}") + limit("b", 2, when=REPORT), True),
        (limit("a", 1, stage="statutory", track="甲法") + limit("b", 2, stage="statutory", track="甲法"), False),
        (
            limit("a", 1, stage="statutory", track="甲法", title="受理")
            + limit("b", 2, stage="statutory", track="甲法", title="受理"),
            True,
        ),
    ],
)
def test_limits_of_one_clock_that_cannot_be_told_apart_are_refused(write_pack, limits, clash):
    _, problems = read_pack(write_pack(limits=limits))
    assert [problem.code for problem in problems] == (["E3016"] if clash else [])


@pytest.mark.parametrize(
    ("when", "code"),
    [("{fact: no_such_fact, is: true}", "E3006"), ("{fact: kind, is: true}", "E3008"), ("投诉", "E3007")],
)
def test_a_condition_that_cannot_be_read_is_named(write_pack, when, code):
    _, problems = read_pack(write_pack(limits=limit("a", 1, when=when)))
    assert [problem.code for problem in problems] == [code]


def test_a_condition_that_spreads_too_far_is_refused(write_pack):
    either = "{any: [" + COMPLAINT + ", " + REPORT + "]}"
    _, problems = read_pack(write_pack(limits=limit("a", 1, when="{all: [" + ", ".join([either] * 6) + "]}")))
    assert [problem.code for problem in problems] == ["E3013"]


def test_track_and_condition_are_part_of_what_a_pack_is(write_pack):
    ids = {
        load_pack(write_pack(folder=name, limits=text)).id
        for name, text in {
            "one": limit("a", 1),
            "two": limit("a", 1, track="甲法"),
            "three": limit("a", 1, when=COMPLAINT),
        }.items()
    }
    assert len(ids) == 3


def test_limits_of_several_parents_come_together(write_pack, tmp_path):
    write_pack(folder="base", pack="name: base\ntitle: 上级\njurisdiction: 某省\n", limits=limit("resolve", 9))
    write_pack(
        folder="sectors",
        pack="name: sectors\ntitle: 行业\njurisdiction: 全国\n",
        clauses="""
        - id: consumer-law
          document: 某法
          source: T02
          effective_from: 2020-01-01
          clauses:
            - {id: "1", article: 第一条, confidence: 原文已读, summary: 摘要。}
        """,
        limits=limit("consumer", 7, track="消法", when=COMPLAINT).replace("town-2020#1", '"consumer-law#1"'),
    )
    folder = write_pack(
        pack="name: town\ntitle: 某镇\njurisdiction: 某镇\nextends: [base, sectors]\n",
        clauses="[]",
        limits=limit("resolve", 5),
    )
    pack = load_pack(folder, root=tmp_path)
    assert found(pack, {"kind": "投诉"}) == {"resolve": "5个工作日", "消法/resolve": "7个工作日"}
