"""What a maintainer is shown: twins, contradictions, ended clauses, entries that are not found, and gaps by topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from knowledge_base import KnowledgeEntry, KnowledgeIndex
from knowledge_base.citations import KnownClause
from knowledge_base.contradictions import contradictions, values_of
from knowledge_base.entry import Contact
from knowledge_base.gaps import Asked, find_gaps
from knowledge_base.upkeep import check, quality

DAY = date(2026, 5, 1)
FUND = KnowledgeEntry(
    "a1", "公积金贷款额度", ("能贷多少",), "单人最高贷款额度为六十万元，审批15个工作日，咨询电话0536-8234567。", "公积金中心",
    "M001", clause="《甲办法》第十条", contacts=(Contact("", "12345", DAY),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("每年9月1日至12月20日缴费", [("日期", "9月1日"), ("日期", "12月20日")]),
        ("自2026年1月起施行", [("日期", "2026年1月")]),
        ("十五个工作日内办结", [("期限", "15")]),
        ("最高六十万元", [("金额", "600000")]),
        ("报销百分之八十五", [("比例", "85")]),
        ("年满65周岁", [("年龄", "65")]),
        ("电话0536-8234567或12345", [("电话", "05368234567"), ("电话", "12345")]),
        ("没有数字的一句话", []),
    ],
)
def test_numbers_are_read_in_either_writing(text: str, values: list[tuple[str, str]]) -> None:
    assert sorted((one.kind, one.amount) for one in values_of(text)) == sorted(values)


def opposed(change: dict, **options: object) -> list[str]:
    other = replace(FUND, id="a2", **change)
    return sorted(one.kind for one in contradictions([FUND, other], day=DAY, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (FUND.answer, []),
        ("单人最高贷款额度为600000元，审批十五个工作日，咨询电话05368234567。", []),
        ("单人最高贷款额度为八十万元，审批15个工作日。", ["金额"]),
        ("单人最高贷款额度为60万元，审批20个工作日。", ["期限"]),
        ("咨询电话0536-1111111。", ["电话"]),
        ("首付比例不低于百分之三十。", []),
    ],
)
def test_only_the_same_wording_with_another_number_contradicts(answer: str, kinds: list[str]) -> None:
    assert opposed({"answer": answer}) == kinds


@pytest.mark.parametrize(
    "change",
    [{"district": "临江区"}, {"audience": "军人"}, {"effective_to": DAY}, {"state": "归档"}, {"matter": "M002"}, {"title": "退休提取"}],
)  # fmt: skip
def test_what_is_not_for_the_same_people_or_not_in_force_does_not_contradict(change: dict) -> None:
    assert opposed({"answer": "单人最高贷款额度为八十万元。"} | change) == []


def test_twins_of_another_matter_are_compared(index: KnowledgeIndex) -> None:
    assert opposed({"answer": "单人最高贷款额度为八十万元。", "matter": "M002"}, alike=[("a1", "a2")]) == ["金额"]


def test_everything_is_found_at_once(encoder, as_of: datetime) -> None:  # type: ignore[no-untyped-def]
    twin = replace(FUND, id="a2", answer=FUND.answer.replace("六十万", "八十万"))
    stolen = KnowledgeEntry(
        "b1", "另一件事", ("公积金贷款额度能贷多少",), "与此无关的内容，写得足够长，不会太短。", "市局"
    )
    index = KnowledgeIndex.build([FUND, twin, stolen], encoder)
    known = [KnownClause("甲办法", "第十条", date(2026, 1, 1))]
    found = check(index, known, as_of=as_of)
    assert found.looked_at == 3
    assert [(one.first.id, one.second.id) for one in found.duplicates] == [("a1", "a2")]
    assert [one.kind for one in found.contradictions] == ["金额"]
    assert [(entry.id, reason) for entry, _, reason in found.repealed] == [
        ("a1", "已于 2026-01-01 起失效"), ("a2", "已于 2026-01-01 起失效")
    ]  # fmt: skip
    scores = {one.entry.id: one for one in found.quality}
    assert scores["a1"].score == 100 - 25 - 25 - 10
    assert ("没有写依据", 15) in scores["b1"].reasons
    assert check(index, [], as_of=as_of, search_each=False).unfound == ()


def test_entry_that_its_own_question_does_not_find_is_named(encoder, as_of: datetime) -> None:  # type: ignore[no-untyped-def]
    many = [KnowledgeEntry(f"a{number}", "居住证办理", (), "带身份证到派出所。", "市公安局") for number in range(6)]
    found = check(KnowledgeIndex.build(many, encoder), [], as_of=as_of)
    assert [(one.entry.id, one.question) for one in found.unfound] == [("a5", "居住证办理")]
    assert found.unfound[0].instead is not None and "标题相同" in found.unfound[0].reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"clause": ""}, "没有写依据"),
        ({"questions": ()}, "没有问法，口语问题不易搜到"),
        ({"contacts": (Contact("", "1"),)}, "联系方式没有核对日期"),
        ({"contacts": (Contact("", "1", date(2024, 1, 1)),)}, "联系方式超过 365 天没有核对"),
        ({"answer": "短"}, "答复要点不到 20 个字"),
        ({"effective_to": DAY + timedelta(days=3)}, "30 天内到期"),
    ],
)
def test_quality_says_what_is_lacking(change: dict, reason: str) -> None:
    assert quality(FUND, {}, day=DAY).score == 100
    lacking = quality(replace(FUND, **change), {}, day=DAY)
    assert [why for why, _ in lacking.reasons] == [reason] and lacking.score < 100


class TopicEncoder:
    """A vector for each of a few words, so that texts group by what they are about."""

    id, dim = "topics", 8

    def encode(self, texts: Sequence[str], *, kind: str):  # type: ignore[no-untyped-def]
        import numpy as np

        vectors = np.full((len(texts), self.dim), 0.01, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for place, word in enumerate(("公积金", "路灯", "噪音", "供暖")):
                row[place] += word in text
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_gaps_by_topic_with_a_draft_of_the_units_own_reply(as_of: datetime) -> None:
    index = KnowledgeIndex.build([FUND], TopicEncoder())  # type: ignore[arg-type]
    asked = [
        *(Asked(f"o{number}", f"小区路灯不亮{number}号楼，请修路灯", "城管局", "路灯由城管局维修，三日内修复。") for number in range(4)),
        *(Asked(f"p{number}", f"半夜施工噪音很大{number}", "环保局") for number in range(3)),
        Asked("q1", "家里供暖不热", "热力公司"),
    ]  # fmt: skip
    found = find_gaps(asked, index, as_of=as_of, source="工单.csv")
    assert found.read == 8 and found.answerable == ()
    assert [[one.id for one in sorted(topic.asked, key=lambda one: one.id)] for topic in found.topics] == [
        ["o0", "o1", "o2", "o3"], ["p0", "p1", "p2"]
    ]  # fmt: skip
    draft = found.topics[0].draft
    assert draft is not None and found.topics[1].draft is None
    assert (draft.state, draft.unit, draft.answer) == ("草稿", "城管局", "路灯由城管局维修，三日内修复。")
    assert "路灯" in found.topics[0].terms and len(draft.questions) == 4 and "工单.csv" in draft.source
    assert found.alone == 1
    assert find_gaps([], index, as_of=as_of).topics == ()
