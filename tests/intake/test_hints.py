"""Dispatch hints go by their form, in any city; what citizens ask for stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.hints import strip_dispatch_hint

STRIPPED = [
    # the responsible unit is named
    ("路灯不亮，请区环保局核实处理", "路灯不亮"),
    ("路灯不亮，请市公安局交通警察支队核实处理！", "路灯不亮"),
    ("路灯不亮。请临江区城市管理局核实处理，谢谢！", "路灯不亮。"),
    ("路灯不亮，请望津街道办事处核实处置。", "路灯不亮"),
    ("水费过高，请供水集团核实回复", "水费过高"),
    ("是否上班？请教育局核实处理！", "是否上班？"),
    ("宽带很慢，请XX宽带核查处理。", "宽带很慢"),
    ("停水了，烦请威立雅核实处理，谢谢配合！", "停水了"),
    ("路灯不亮，请交警再次核实处理！后来又亮了。", "路灯不亮。后来又亮了。"),
    # the time limit
    ("有人占道。（请职能局按规定在30分钟内联系市民，响应处置）", "有人占道。"),
    ("有人占道（请职能局按照规定30分钟内核实处理，响应处置。）", "有人占道"),
    ("有人占道，请职能局在三十分钟内联系市民，响应处置", "有人占道"),
    ("有人吸毒，请公安局核实处理（30分钟内到现场处理）", "有人吸毒"),
    ("有人占道，请城管核实处理！请职能局在规定30分钟内与市民联系响应处置。", "有人占道"),
    # earlier replies and order numbers
    (
        "市民来电反映：噪音扰民，请城管核实处理！\n2017-12-29 21:08秀英区城管局反馈：已到场，未发现。（工单号20171229094328）\n"
        "市民再次来电反映：仍有噪音，请城管核实处理！",
        "噪音扰民。\n市民再次来电反映：仍有噪音",
    ),
    (
        "停电。\n2018-01-02供电公司答复：正在抢修。（20180102123456）\n群众再次来电反映：还没来电",
        "停电。\n群众再次来电反映：还没来电",
    ),
    ("停电。于2018-01-02 10:00市供电公司：正在抢修。", "停电。"),
    ("（政府工单号：20171229093845）停电", "停电"),
    ("工单号20180102134642《关于停电的问题》结果", "《关于停电的问题》结果"),
    # lead-ins
    ("市民来电反映: 市民来电反映:路灯不亮", "路灯不亮"),
    ("市民公众号咨询：怎么办社保卡？", "怎么办社保卡？"),
    ("群众来信投诉：油烟扰民", "油烟扰民"),
    ("游客来电反映:门票太贵", "门票太贵"),
    # weaker words count inside a call record only
    ("市民来电反映：工地噪音，请区城管局处理。", "工地噪音"),
    ("市民来电反映：工地噪音，转区城管局处理。", "工地噪音"),
]
KEPT = [
    "希望有关部门尽快核实处理",
    "请帮我查一下医保",
    "希望城管尽快处理",
    "请有关部门核实处理",
    "请相关部门协调解决，还我们一个安静的环境",
    "请住建局督促开发商缴纳尾款。",
    "要求民警协助处理",
    "申请城管局核实处理结果公示",
    "请问市社保局电话是多少",
    "我请环保局的人来看过，没有处理",
    "请领导调查核实处理",
    "敬请书记领导调查核实处理！",
    "请你们30分钟内恢复供水",
    "物业答复：没有钱修。我们不同意",
    "2018年1月5日物业公司回复：没有钱修。但是我们已经交了物业费",
    "请要进行为期5个工作日的公示",
    "电话0571-88880000没人接",
]


@pytest.mark.parametrize(("record", "text"), STRIPPED)
def test_the_dispatch_hint_goes(record: str, text: str) -> None:
    stripped = strip_dispatch_hint(record)
    assert stripped.text == text
    assert stripped.removed


@pytest.mark.parametrize("text", KEPT)
def test_what_the_citizen_asks_for_stays(text: str) -> None:
    stripped = strip_dispatch_hint(text)
    assert stripped.text == text
    assert stripped.removed == ()


@pytest.mark.parametrize(
    "unit", ["云汀市临江区城市管理局", "槐安区政府", "白鹭区卫健委", "数据资源局", "供热中心", "沧桥镇人民政府"]
)
def test_no_city_needs_a_list_of_units(unit: str) -> None:
    assert strip_dispatch_hint(f"楼道漏水，请{unit}核实处理！").text == "楼道漏水"


def test_what_is_removed_is_told() -> None:
    stripped = strip_dispatch_hint(
        "市民来电反映：漏水，请区住建局核实处理，谢谢！（请职能局按规定在30分钟内联系市民，响应处置）"
    )
    assert stripped.removed == (
        "市民来电反映：",
        "请区住建局核实处理，谢谢！（请职能局按规定在30分钟内联系市民，响应处置）",
    )


#: Each once made a naive pattern run for minutes.
@pytest.mark.parametrize(
    "text",
    [
        "请城管核实" + "处理" * 4000 + "x",
        "，" * 50_000,
        "\n" * 50_000,
        "请" * 8000,
        "请" + "区" * 50_000,
        "市民" + "市民云" * 10_000,
        "（工单号" * 10_000,
        "\n2018-01-01 10:00" * 3000,
    ],
    ids=lambda text: text[:6],
)
def test_no_text_makes_the_patterns_run_away(text: str) -> None:
    strip_dispatch_hint(text)


@given(st.text(alphabet="请区市城管局核实处理，。！（）30分钟内市民来电反映：\n工单号2018-年月日答复谢", max_size=80))
@settings(deadline=None)
def test_stripping_is_total_and_leaves_no_more_than_it_got(text: str) -> None:
    stripped = strip_dispatch_hint(text)
    assert len(stripped.text) <= len(text) + 1
