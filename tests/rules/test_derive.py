"""Facts from orders: what words point to, what they do not, and what stays unknown."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.order import WorkOrder
from intake.prepare import prepare
from intake.unit import Unit, UnitDirectory
from rules import derive_facts, evaluate, load_pack
from rules.fact_dictionary import Fact, FactDictionary, fact_dictionary
from rules.words import Family, WordLists, word_lists

ELEMENTS = ("时间", "地点", "对象", "诉求", "联系方式")


def prepared(text: str, *, missing: tuple[str, ...] = (), **order: object) -> SimpleNamespace:
    """As ``intake.prepare`` returns it, as far as facts are concerned."""
    return SimpleNamespace(
        text=text, elements=SimpleNamespace(missing=missing), order=WorkOrder(text=text, **order)  # type: ignore[arg-type]
    )  # fmt: skip


def facts_of(text: str, **order: object) -> dict[str, object]:
    return derive_facts(prepared(text, **order))


# Columns: text, fact, value (None: unknown)
TABLE = [
    ("三楼着火了，浓烟很大，快来人", "emergency_hit", True),
    ("三楼着火了，浓烟很大，快来人", "emergency_line", "119"),
    ("楼下有人正在打架，拿着刀", "emergency_line", "110"),
    ("我父亲昏迷不醒了，怎么办", "emergency_line", "120"),
    ("路口刚刚发生车祸，撞到人了", "emergency_line", "122"),
    ("厨房往外冒烟，敲门没人应，快派消防来", "emergency_hit", True),
    ("烧烤店天天往外冒烟，影响居民", "emergency_hit", False),
    ("屋里煤气味很大，人头晕", "emergency_line", "119"),
    ("请问煤气开户要什么材料", "emergency_hit", False),
    ("夜里整条街一股臭鸡蛋味", "emergency_hit", False),
    ("电梯卡在五楼和六楼之间，里面有人", "emergency_hit", True),
    ("上个月电梯卡在半空一次，要求检修", "emergency_hit", False),
    ("老人突然抽搐，快叫救护车", "emergency_hit", True),
    ("手术后大出血，院方不认账", "emergency_hit", False),
    ("有个姑娘要跳河，你们快来", "emergency_hit", True),
    ("我刚刚被骗，钱还在转", "emergency_line", "110"),
    ("消防通道被占，万一着火了怎么救", "emergency_hit", False),
    ("去年这里着火了，到现在没赔偿", "emergency_hit", False),
    ("业主经常被困在电梯里", "emergency_hit", False),
    ("公园里的跳楼机停运了", "emergency_hit", False),
    ("树木被人砍伐", "emergency_hit", False),
    ("路灯不亮已经一个星期", "emergency_hit", False),
    ("路灯不亮已经一个星期", "emergency_line", None),
    ("对判决不服，要求重新审理", "litigation_route", True),
    ("公司不给补偿，想申请劳动仲裁", "arbitration_route", True),
    ("对处罚决定不服，要求撤销", "reconsideration_route", True),
    ("想依申请公开拆迁补偿方案", "disclosure_route", True),
    ("我的个人信息公开在墙上了", "disclosure_route", False),
    ("已经起诉到法院了，还没开庭", "litigation_claimed", True),
    ("已经起诉到法院了，还没开庭", "litigation_entered", None),
    ("法院判了，（2024）某0702民初1234号，对方不执行", "litigation_entered", True),
    ("此案（2011）某冷民初字第1778号民事判决书", "litigation_entered", True),
    ("可以起诉到法院吗", "litigation_claimed", False),
    ("路灯不亮", "litigation_entered", False),
    ("按〔2017〕158号文收费太高", "litigation_entered", False),
    ("申请了劳动仲裁，一直没结果", "arbitration_claimed", True),
    ("申请了劳动仲裁，一直没结果", "arbitration_entered", None),
    ("某劳人仲案字〔2024〕第123号裁决书下来了", "arbitration_entered", True),
    ("提起行政复议一个月了", "reconsideration_entered", None),
    ("某政复决字〔2024〕5号维持了", "reconsideration_entered", True),
    ("如何申请行政复议", "reconsideration_claimed", False),
    ("我去信访局反映过三次", "petition_claimed", True),
    ("我去信访局反映过三次", "petition_entered", None),
    ("信访件编号：XF2024050012，没有下文", "petition_entered", True),
    ("再不处理就去信访局", "petition_claimed", False),
    ("信访局电话是多少", "petition_claimed", False),
    ("路灯不亮", "petition_entered", False),
    ("举报村支书贪污低保款", "discipline_report", True),
    ("物业经理贪污公共收益", "discipline_report", False),
    ("办证窗口工作人员态度恶劣", "service_attitude", True),
    ("办证窗口服务态度好，表扬", "service_attitude", False),
    ("有人把标着绝密的文件扔了", "state_secret_hint", True),
    ("把公司的商业秘密发到网上", "work_or_trade_secret_hint", True),
    ("帮我查一下他的电话", "privacy_hint", True),
    ("我的家庭住址被物业泄露，要求查一下", "privacy_hint", False),
    ("能不能帮我开假证明", "immoral_hint", True),
    ("举报有人办假证", "immoral_hint", False),
    ("在外地打工，工资一直拖欠", "out_of_city", True),
    ("外地户口能不能上学", "out_of_city", False),
    ("来电人辱骂话务员，无实质诉求", "harassment", True),
    ("公交司机辱骂乘客", "harassment", False),
    ("市民再次来电，对答复不满意", "handled_claimed", True),
    ("多次向物业反映，物业不管", "handled_claimed", False),
    ("举报人要求保密", "confidentiality_requested", True),
    ("我要投诉楼下饭店油烟", "kind", "投诉"),
    ("举报工地夜间施工", "kind", "举报"),
    ("请问公积金怎么提取", "kind", "咨询"),
    ("建议增加一个公交站", "kind", "建议"),
    ("老人独居需要救助", "kind", "求助"),
    ("路灯不亮", "kind", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fact", "value"), TABLE)
def test_words_point_to_facts(text, fact, value):
    assert facts_of(text).get(fact) == value


def test_every_family_is_in_the_table():
    tried = {fact for _, fact, _ in TABLE}
    assert {family.fact for family in word_lists().families} <= tried


@pytest.mark.parametrize("text", ["路灯不亮已经一个星期", "楼下广场舞太吵", "🚒", "。，！", "a" * 8000, "\ud800坏字"])
def test_every_derived_fact_fits_the_dictionary(text):
    facts = derive_facts(
        prepared(text, missing=ELEMENTS, related=("1", "2", "3"), channel="电话", order_type="投诉类"),
        received_at=datetime(2026, 5, 6, 23, tzinfo=ZoneInfo("Asia/Shanghai")),
        ranking_units=["云汀市水务局"],
    )
    assert fact_dictionary().check(facts)


def test_what_intake_prepares_is_understood():
    """The names of the elements are those of ``intake``: a renamed one would leave its fact false for ever."""
    one = prepare(WorkOrder(text="嗯"), Gazetteer.empty())
    facts = derive_facts(one)
    names = [f"missing_{name}" for name in ("time", "place", "target", "request", "contact")]
    assert set(one.elements.missing) <= set(ELEMENTS)
    assert sum(bool(facts[name]) for name in names) == facts["missing_count"] == len(one.elements.missing) > 0


def test_filed_fields_become_facts():
    facts = derive_facts(
        prepared(
            "路灯不亮", missing=("时间", "联系方式"), related=("1", "2", "3"), channel="微信", order_type="咨询类"
        ),
        received_at=datetime(2026, 5, 6, 23, 59, tzinfo=ZoneInfo("Asia/Shanghai")),
    )
    assert (facts["missing_time"], facts["missing_contact"], facts["missing_place"]) == (True, True, False)
    assert (facts["missing_count"], facts["related_count"], facts["text_length"]) == (2, 3, 4)
    assert (facts["duplicate_of_open"], facts["collective_matter"]) == (True, True)
    assert (facts["kind"], facts["channel"], facts["received_hour"]) == ("咨询", "微信", 23)


def test_what_was_not_filed_stays_unknown():
    facts = facts_of("路灯不亮")
    assert not {"kind", "channel", "received_hour", "top_unit", "department_duty"} & set(facts)
    assert (facts["duplicate_of_open"], facts["collective_matter"]) == (False, False)


@pytest.fixture(scope="module")
def directory() -> UnitDirectory:
    return UnitDirectory(
        [
            Unit("云汀市城市管理局", function="城市管理局", aliases=("市城管局", "城管")),
            Unit("云汀市临江区城市管理局", level="区", function="城市管理局", district="临江区"),
            Unit("云汀市水务局", function="水务局"),
            Unit("江湾街道办事处", level="街镇", function="街道办事处", district="临江区"),
        ]
    )


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("路灯不亮", ["江湾街道办事处", "云汀市水务局"], {"top_unit_level": "街镇", "city_district_rivals": False}),
        ("乱摆摊", ["云汀市城市管理局", "云汀市临江区城市管理局"], {"city_district_rivals": True}),
        ("乱摆摊", ["云汀市临江区城市管理局", "云汀市城市管理局"], {"city_district_rivals": True}),
        ("乱摆摊", ["云汀市城市管理局", "云汀市水务局"], {"city_district_rivals": False}),
        ("举报市城管局不作为", ["云汀市城市管理局"], {"reported_unit_proposed": True}),
        ("举报临江区城市管理局收钱", ["云汀市水务局", "云汀市临江区城市管理局"], {"reported_unit_proposed": True}),
        ("举报工地扬尘，城管不管", ["云汀市城市管理局"], {"reported_unit_proposed": False}),
        ("投诉市城管局不作为", ["云汀市城市管理局"], {"reported_unit_proposed": False}),
        ("路灯不亮", ["没有登记的单位"], {"top_unit": "没有登记的单位", "top_unit_level": None}),
        ("路灯不亮", [], {"top_unit": None, "city_district_rivals": False}),
    ],
)
def test_ranking_becomes_facts(directory, text, units, expected):
    facts = derive_facts(prepared(text), ranking_units=units, directory=directory)
    assert {name: facts.get(name) for name in expected} == expected


@pytest.mark.parametrize("name", ["national", "weifang", "jinan"])
@pytest.mark.parametrize("text", ["临江路28号路灯不亮已经一个星期，希望尽快修好", "请问居民医保怎么参保"])
def test_a_plain_order_is_quiet(name, text, as_of, directory):
    """Nothing is left open at filing that a person would first have to ask about, and nothing blocks."""
    facts = derive_facts(prepared(text), ranking_units=["云汀市水务局"], directory=directory)
    pack = load_pack(name)
    verdicts = [
        *evaluate(pack, facts, as_of=as_of, gate="acceptance"),
        *evaluate(pack, facts, as_of=as_of, gate="dispatch"),
    ]
    assert [verdict.rule_id for verdict in verdicts if verdict.state == "not_evaluated"] == []
    assert [verdict.rule_id for verdict in verdicts if verdict.state == "hit"] == ["NAT-ACC-001"]


def test_a_petition_by_word_of_mouth_is_for_a_person_to_verify(as_of):
    facts = facts_of("我上访过好几次了，还是没人管")
    verdicts = {one.rule_id: one for one in evaluate(load_pack("weifang"), facts, as_of=as_of, gate="acceptance")}
    for rule_id in ("NAT-ACC-005", "WF-ACC-002"):
        assert verdicts[rule_id].state == "not_evaluated"
        assert "需核实：信访件编号" in verdicts[rule_id].cause
        assert verdicts[rule_id].disposition is None
    assert verdicts["NAT-ACC-001"].state == "not_evaluated"


@pytest.mark.parametrize(
    ("family", "problem"),
    [
        (Family("a", "no_such_fact", "NA01", ("字",)), "不是由正文推断的事实"),
        (Family("a", "overdue", "NA01", ("字",)), "不是由正文推断的事实"),
        (Family("a", "kind", "-", ("字",), value="表扬"), "不能作"),
        (Family("a", "harassment", "NA16", ("字",)), "situation"),
        (Family("a", "harassment", "NA14", ()), "words"),
    ],
)
def test_a_wrong_word_list_is_refused(family, problem):
    with pytest.raises(ZhipaiError, match=problem) as caught:
        WordLists([family], fact_dictionary())
    assert caught.value.code == "E3302"


def test_words_count_only_beside_their_companions_and_away_from_their_exceptions():
    dictionary = FactDictionary({"harassment": Fact("harassment", "bool", "说明", "text", silence="false")})
    family = Family("a", "harassment", "NA14", ("字",), near=("旁",), unless=("非",), along=("在",), barred=("禁",))
    lists = WordLists([family], dictionary)
    assert lists.read("有字，在旁边")["harassment"] is True
    assert lists.read("有字。在旁边")["harassment"] is False
    assert lists.read("非有字，在旁边")["harassment"] is False
    assert lists.read("有字，非在旁边")["harassment"] is True
    assert lists.read("有字，旁边。某处在")["harassment"] is True
    assert lists.read("有字，旁边")["harassment"] is False
    assert lists.read("有字，在旁边。禁")["harassment"] is False
