"""Facts from orders: what words point to, what they do not, and what stays unknown."""

from __future__ import annotations

from datetime import date, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer, Place
from intake.order import WorkOrder
from intake.prepare import prepare
from intake.unit import Unit, UnitDirectory
from rules import derive_facts, evaluate, load_pack
from rules.derive import UNIT_FACTS, derive_return_facts, order_facts, unit_facts
from rules.fact_dictionary import Fact, FactDictionary, fact_dictionary
from rules.words import Family, WordLists, word_lists

NOWHERE = Place()
ELEMENTS = ("时间", "地点", "对象", "诉求", "联系方式")


def prepared(
    text: str, *, missing: tuple[str, ...] = (), place: Place = NOWHERE, outside: str = "", **order: object
) -> SimpleNamespace:
    """As ``intake.prepare`` returns it, as far as facts are concerned."""
    elements = SimpleNamespace(missing=missing, place=place, outside=outside)
    return SimpleNamespace(text=text, elements=elements, order=WorkOrder(text=text, **order))  # type: ignore[arg-type]


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
    ("到派出所开证明，工作人员不耐烦", "service_attitude", True),
    ("居委会和街道办互相踢皮球", "service_attitude", True),
    ("出租车司机绕路，态度恶劣", "service_attitude", False),
    ("在区政府门口下车，公交车司机态度差", "service_attitude", False),
    ("饭店老板态度恶劣，工商局也没有回复", "service_attitude", False),
    ("小区物业服务态度差", "service_attitude", False),
    ("营业厅工作人员爱答不理", "service_attitude", False),
    ("城管部门回复：绝无推诿", "service_attitude", False),
    ("有人把标着绝密的文件扔了", "state_secret_hint", True),
    ("把公司的商业秘密发到网上", "work_or_trade_secret_hint", True),
    ("帮我查一下他的电话", "privacy_hint", True),
    ("我的家庭住址被物业泄露，要求查一下", "privacy_hint", False),
    ("能不能帮我开假证明", "immoral_hint", True),
    ("举报有人办假证", "immoral_hint", False),
    ("在外地打工，工资一直拖欠", "out_of_city", True),
    ("外地户口能不能上学", "out_of_city", False),
    ("党组织关系怎么转到社区", "outside_government_hint", True),
    ("投诉法官态度恶劣，立案庭不给立案", "outside_government_hint", True),
    ("家属区的水由部队管辖，已经停水三天", "outside_government_hint", True),
    ("省军区旁边的路口天天有货车违停", "outside_government_hint", False),
    ("在检察院站等公交车，司机没有停", "outside_government_hint", False),
    ("烧烤店客人大声喧哗", "outside_government_hint", False),
    ("我是退役军人，部队的伤残证怎么换", "outside_government_hint", False),
    ("朋友欠钱不还，打了欠条", "market_civil_hint", True),
    ("丈夫婚内出轨，要求离婚", "market_civil_hint", True),
    ("老板欠钱不还，工资拖了半年", "market_civil_hint", False),
    ("离婚手续在哪里办理", "market_civil_hint", False),
    ("三十多个工人在售楼部讨薪", "sensitive_topic", "群体与欠薪"),
    ("班主任体罚学生", "sensitive_topic", "未成年人与家暴"),
    ("拖欠工人工资，再不给就要跳楼", "sensitive_topic", "人身危险"),
    ("恳请领导批示解决停水", "sensitive_topic", None),
    ("受疫情影响房租能不能减免", "sensitive_topic", None),
    ("路灯不亮已经一个星期", "sensitive_topic", None),
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
    # What opens a statutory clock has to be right more than to be complete.
    ("在超市购买的电饭锅有质量问题，店家拒绝退货", "sector_consumer", True),
    ("健身房关门了，会员卡里的钱不给退，找不到商家", "sector_consumer", True),
    ("某某汽车店消费纠纷的问题", "sector_consumer", True),
    ("购房交了定金，开发商不予退款", "sector_consumer", False),
    ("饭店门前三包脏乱差", "sector_consumer", False),
    ("在饭店消费时手机被盗，派出所不予处理", "sector_consumer", False),
    ("工商局来电反馈：商家不予退款的工单结果", "sector_consumer", False),
    ("路灯坏了没人修", "sector_consumer", False),
    ("这家店卖过期食品", "sector_market_report", True),
    ("外卖里有虫子，餐厅不承认", "sector_market_report", True),
    ("楼下饭店没有营业执照", "sector_market_report", True),
    ("驾驶证过期了去哪里换", "sector_market_report", False),
    ("是否可以无照经营，请问怎么规定", "sector_market_report", False),
    ("城管队员说我无照经营，我有营业执照", "sector_market_report", False),
    ("公众号上的集赞活动是虚假宣传", "sector_advertising", True),
    ("违规小广告贴满楼道", "sector_advertising", False),
    ("拆除违法广告牌留下的垃圾没人清", "sector_advertising", False),
    ("交房半年，小区至今没有开通燃气，要求尽快开通", "sector_gas", True),
    ("燃气公司多收费，不合理", "sector_gas", True),
    ("燃气公司的电话是多少", "sector_gas", False),
    ("燃气管道漏气，无法使用", "sector_gas", False),
    ("工地老板拖欠两个月工资，一直不发", "sector_labour", True),
    ("公司不签订劳动合同", "sector_labour", True),
    ("咨询拖欠工资去哪里反映，需要什么材料", "sector_labour", False),
    ("学校拖欠工程款，工钱没发", "sector_labour", False),
    ("商场老板不退还押金", "sector_labour", False),
    ("此件系信访局转来的信访件，请按期办理", "sector_petition", True),
    ("我去信访局反映过三次", "sector_petition", False),
    ("信访工作条例是怎么规定信访事项的", "sector_petition", False),
    ("业主准备集体上访", "petition_group_hint", True),
    ("路口聚集了很多人看热闹", "petition_group_hint", False),
    ("消费者协会已调解过，商家不同意", "dispute_handled_elsewhere", True),
    ("消费者协会没有受理过", "dispute_handled_elsewhere", False),
    ("店里进货的一批灯具有质量问题", "non_consumer_purpose", True),
    ("买来自己家里用的灯具坏了", "non_consumer_purpose", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fact", "value"), TABLE)
def test_words_point_to_facts(text, fact, value):
    assert facts_of(text).get(fact) == value


# Columns: reason for a return, whether evasive, class (None: cannot be told)
REASONS = [
    ("职能不符，建议转派", True, "非本部门职责"),
    ("根据《城市供水条例》第五条，应由水务局负责，不属于我局职责范围", False, "非本部门职责"),
    ("该处不在我街道，坐标见附图", False, "非本辖区"),
    ("属市级事权，请派市级部门", False, "层级不符"),
    ("地址不详，电话两次联系不上", False, "要素缺失"),
    ("诉求人已起诉，法院已受理", False, "命中不予受理情形"),
    ("与工单重复，请并单", False, "重复件"),
    ("产权不清", False, "权属不清"),
    ("职责交叉，请其他部门处理", True, "职责交叉"),
    ("属历史遗留问题", True, "历史遗留"),
    ("诉求人无理取闹", True, "诉求人无理"),
    ("不是我们科室负责", True, "内部分工"),
    ("年底人手不足", True, "人手不足"),
    ("即将到期，来不及核实", True, "临近到期"),
    (" \n", True, "空理由"),
    ("已与水务局会商，对方同意接收", False, None),
]


@pytest.mark.parametrize(("reason", "evasive", "kind"), REASONS)
def test_the_reason_of_a_return_becomes_facts(reason, evasive, kind):
    facts = derive_return_facts(reason)
    assert (facts["return_reason_evasive"], facts.get("return_reason_hint")) == (evasive, kind)
    assert facts["return_reason_length"] == len("".join(reason.split()))
    assert fact_dictionary().check(facts) == facts


def test_every_family_is_in_a_table():
    tried = {fact for _, fact, _ in TABLE} | {"return_reason_evasive", "return_reason_hint"}
    assert {family.fact for family in word_lists().families} <= tried
    hint = fact_dictionary().get("return_reason_hint")
    assert hint is not None and set(hint.values) == {kind for _, _, kind in REASONS if kind}


def test_an_order_is_not_read_as_the_reason_of_a_return():
    facts = facts_of("村里说人手不足，属历史遗留，职能不符")
    assert not {"return_reason_evasive", "return_reason_hint", "return_reason_length"} & set(facts)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("路灯不亮", 1),
        ("1、路灯不亮。2、井盖破了。3、垃圾没人收", 3),
        ("一是楼道堆物，二是电梯老坏", 2),
        ("（一）噪声大（二）油烟重", 2),
        ("①占道②噪声③油烟④无证", 4),
        ("第一，没有公示；第二，没有听证", 2),
        ("路灯不亮，另反映垃圾没人收", 2),
        ("停车费1.5元，收了2.5元", 1),
        ("3、4号楼之间的路坏了", 1),
        ("2、路灯不亮", 1),
        ("三1班和三2班的老师", 1),
        ("一、二层漏水", 1),
    ],
)
def test_matters_are_counted(text, count):
    facts = facts_of(text)
    assert (facts["matter_count"], facts["mixed_matters"]) == (count, count > 1)


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
            Unit("云汀市旧水务局", function="水务局", effective_to=date(2020, 1, 1), successor="云汀市水务局"),
            Unit("江湾街道办事处", level="街镇", function="街道办事处", district="临江区"),
        ]
    )


def test_a_scene_in_a_neighbouring_county_is_out_of_the_city():
    assert derive_facts(prepared("路灯不亮", outside="霁川市"))["out_of_city"] is True
    assert facts_of("路灯不亮")["out_of_city"] is False


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


DAY = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize(
    ("unit", "place", "filed", "expected"),
    [
        ("云汀市水务局", Place("临江区"), "", {"unit_in_force": True, "unit_district_matches": True}),
        ("云汀市临江区城市管理局", Place("临江区"), "", {"unit_district_matches": True}),
        ("云汀市临江区城市管理局", Place("北山区"), "", {"unit_district_matches": False}),
        ("云汀市临江区城市管理局", NOWHERE, "北山区", {"unit_district_matches": False, "district_known": True}),
        ("云汀市临江区城市管理局", NOWHERE, "", {"unit_district_matches": None, "district_known": False}),
        ("江湾街道办事处", Place("临江区", "江湾街道"), "", {"unit_street_matches": True}),
        ("江湾街道办事处", Place("临江区", "石桥镇"), "", {"unit_street_matches": False}),
        ("江湾街道办事处", Place("临江区"), "", {"unit_street_matches": None}),
        ("没有登记的单位", Place("临江区"), "", {"unit_in_force": False, "unit_district_matches": None}),
        ("云汀市旧水务局", NOWHERE, "", {"unit_in_force": False}),
    ],
)
def test_the_first_unit_is_held_against_day_and_place(directory, unit, place, filed, expected):
    order = prepared("路灯不亮", place=place, district=filed)
    facts = derive_facts(order, received_at=DAY, ranking_units=[unit], directory=directory)
    assert {name: facts.get(name) for name in expected} == expected


def test_without_day_or_directory_nothing_is_said_of_the_unit(directory):
    names = {"unit_in_force", "unit_district_matches"}
    undated = derive_facts(prepared("路灯不亮"), ranking_units=["云汀市水务局"], directory=directory)
    assert names & set(undated) == {"unit_district_matches"}
    for other in (None, UnitDirectory([])):
        facts = derive_facts(prepared("路灯不亮"), received_at=DAY, ranking_units=["云汀市水务局"], directory=other)
        assert not names & set(facts)


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
        (Family("a", "harassment", "NA14", ("字",), of="reply"), "of"),
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


def test_an_order_that_came_by_letters_and_visits_is_a_petition_too():
    order = WorkOrder("路灯坏了一个月没人修", channel="信访转办")
    assert derive_facts(prepare(order, Gazetteer.empty()))["sector_petition"] is True
    assert derive_facts(prepare(WorkOrder(order.text, channel="电话"), Gazetteer.empty()))["sector_petition"] is False


def test_facts_of_the_units_and_of_the_order_are_two_sets():
    """What is worked out before the units are known has to be all that does not depend on them."""
    unit = Unit(name="东区城管局", parent="东区", level="区", district="东区", function="城市管理", duties=("占道",))
    other = Unit(name="市城管局", parent="市", level="市", district="市级", function="城市管理", duties=("占道",))
    street = Unit(name="河西街道", parent="东区", level="街镇", district="东区", function="街道", duties=("环卫",))
    directory = UnitDirectory([unit, other, street])
    at = datetime(2026, 5, 6, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    seen: set[str] = set()
    for names in ((), ("东区城管局", "市城管局"), ("河西街道",), ("不在名录里的局",)):
        for kind in ("举报", "求助", ""):
            one = prepared("举报东区城管局", place=Place(district="东区", street="河西街道"), order_type=kind)
            facts = order_facts(one, received_at=at)
            added = unit_facts(one, facts, received_at=at, ranking_units=names, directory=directory)
            whole = derive_facts(one, received_at=at, ranking_units=names, directory=directory)
            assert whole == facts | added
            assert not facts.keys() & UNIT_FACTS and added.keys() <= UNIT_FACTS
            seen |= added.keys()
    assert seen == UNIT_FACTS
