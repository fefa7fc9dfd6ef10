"""Elements (要素) of an order: 时间 地点 对象 诉求 联系方式, and which of them are missing.

What a record must hold: 时间、事项、联系方式 (北京市接诉即办工作条例第十条); 联系方式 and, where there is a scene, its address
(潍坊市12345政务服务便民热线条例第十一条). Found by pattern, so a hint for the call-taker and never a reason to refuse.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from intake.clean import clean_text, to_simplified
from intake.gazetteer import Gazetteer, Place
from intake.hints import strip_dispatch_hint
from intake.order import WorkOrder
from intake.pii import mask_pii

ELEMENT_NAMES = ("时间", "地点", "对象", "诉求", "联系方式")

_NUMBER = "(?:\\d{1,4}|[零〇一二两三四五六七八九十]{1,3}|半)"
_HOUR = f"{_NUMBER}(?:点|时|[:：])(?:半|钟|{_NUMBER}分?)?"
_PART = "(?:凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜间|夜里|夜晚|半夜|深夜|白天|晚间)"
_DAY = (
    r"(?:\d{2,4}年\d{1,2}月(?:\d{1,2}[日号])?|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}月\d{1,2}[日号]|(?:19|20)\d{2}年(?:初|底|上半年|下半年)?"
    r"|\d{1,2}月份?(?:初|中旬|底|上旬|下旬)|(?:今|昨|前|当|每|近)[天日晚早]|今[早晚]|昨[晚夜]|(?:这|上|本|下)(?:个)?(?:周|星期|月|礼拜)[一二三四五六日天]?"
    f"|(?:去|今|前|近|每)年|每(?:个)?(?:周|月|星期)[一二三四五六日天末]?|周[一二三四五六日末]|星期[一二三四五六日天]|节假日|寒假|暑假|春节|国庆"
    f"|刚才|刚刚|最近|近期|目前|现在|长期|常年|(?:近|连续|已有|已经|超过|长达){_NUMBER}(?:多)?(?:天|日|周|个月|年|小时)|{_NUMBER}(?:多)?(?:天|个月|年|个?小时)(?:以)?(?:前|来|了))"
)
_SPAN = f"(?:{_HOUR}(?:(?:至|到|-|—|~|～){_PART}?(?:次日)?{_PART}?{_HOUR})?(?:左右|许|多|以?后|以?前|之后|之前|开始)?)"
_TIME = re.compile(
    f"(?:{_DAY}的?{_PART}?{_SPAN}?|{_PART}{_SPAN}|(?<![\\d.]){_SPAN}(?=[，。、；\\s左许]|$)|{_PART}(?!班))"
)

_BODY = (
    "有限公司|公司|集团|物业|开发商|施工方|施工单位|承包商|包工头|房东|中介|房产中介|村委会|居委会|业委会|派出所|街道办|社区|幼儿园|学校|小学|中学"
    "|培训机构|培训班|驾校|医院|诊所|卫生院|药店|超市|商场|商店|饭店|餐馆|餐厅|烧烤店|酒吧|酒店|宾馆|网吧|歌厅|健身房|美容院|理发店|洗车店|修理厂"
    "|工厂|厂|作坊|养殖场|工地|停车场|菜市场|农贸市场|公交车|出租车|网约车|货车|渣土车|电动车|机动车|共享单车|路灯|井盖|红绿灯|信号灯|电梯|水管"
    "|下水道|污水管|垃圾桶|垃圾站|公厕|护栏|绿化带|树木|变压器|电线|电线杆|摊贩|商贩|小贩|广场舞|司机|快递|平台|银行|营业厅|楼[上下]的?(?:住户|邻居|业主)?|邻居"
)
_TARGET = re.compile(rf"[\u4e00-\u9fffA-Za-z0-9*（）()]{{0,14}}?(?:{_BODY})")
_BLAMED = re.compile(rf"(?:投诉|举报|控告)(?:的是)?([\u4e00-\u9fffA-Za-z0-9*（）()]{{0,16}}?(?:{_BODY}))")
_TARGET_LEAD = re.compile(
    ".*(?:位于|附近|旁边|对面|门口|里面|反映|投诉|举报|我们|左右|多次|联系|告知|导致|等待|乘坐|通过|要求|希望|表示|一名|一家|一辆|这家|该"
    "|[在于是其的有被和与我把将去至到向由让要了])"
)
_REQUEST = re.compile(
    r"(?:希望|要求|请求|恳请|恳求|强烈建议|建议|诉求(?:是|为)?[:：]?|想要?(?:咨询|了解|问|知道)|咨询[:：]?|请问|望(?=有关|相关|尽快|政府|贵)|(?<![申邀聘])请(?!问|求|表|假|示))"
    r"[^。！!？?；;\n]{2,80}[？?]?"
)
_QUESTION = re.compile(
    r"[^。！!？?；;\n，,]{4,60}[？?]|[^。！!？?；;\n，,]{0,20}(?:怎么办理|如何办理|需要什么材料|什么时候|何时)[^。！!？?；;\n]{0,30}"
)
#: A record that opens like this asks what follows.
_ASKS = re.compile("(?:咨询|询问|求助|建议)\\s*[:：;；]")
_FILES = re.compile("来电(?:投诉|举报|反映|求助|建议)[^，。！!？?；;\n]{0,20}")
_CONTACT_FIELD = re.compile("电话|手机|联系方式|邮箱|微信|phone|mobile|email|contact", re.IGNORECASE)
_MASKS = {"<手机号>": "phone", "<电话号码>": "phone", "<邮箱>": "email", "<账号>": "account"}


@dataclass(frozen=True, slots=True)
class Contact:
    """Whether the order tells how to reach the citizen, and of what kind; the number itself is never kept."""

    present: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Elements:
    """What was found.

    Parameters
    ----------
    time : tuple of str
        时间, as written: 每晚十点后, 2018年1月2日.
    place : Place
        地点.
    target : str
        对象: the person, body or thing complained of.
    request : str
        诉求: what is asked.
    contact : Contact
        联系方式.
    missing : tuple of str
        Names out of ``ELEMENT_NAMES`` that were not found, in that order.
    outside : str
        The neighbouring 市县 in which the matter lies by the text; empty where the text does not say so, or names a
        place of the city.
    """

    time: tuple[str, ...] = ()
    place: Place = field(default_factory=Place)
    target: str = ""
    request: str = ""
    contact: Contact = field(default_factory=Contact)
    missing: tuple[str, ...] = ELEMENT_NAMES
    outside: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        row = asdict(self)
        return row | {"time": list(self.time), "missing": list(self.missing)}


def extract_elements(order: WorkOrder, gazetteer: Gazetteer) -> Elements:
    """Find the elements of an order, masked or not. District, street and community as filed win over the text's."""
    masked = mask_pii(clean_text(f"{order.title}\n{order.text}")).text
    return read_elements(strip_dispatch_hint(to_simplified(masked)).text, masked, order, gazetteer)


def read_elements(text: str, masked: str, order: WorkOrder, gazetteer: Gazetteer) -> Elements:
    """Like :func:`extract_elements`, for callers who have the stripped text and the masked record already."""
    named = gazetteer.resolve(text)
    outside = "" if named.levels else gazetteer.outside.scene(text)
    place = _place(order, named)
    times = tuple(dict.fromkeys(match[0] for match in _TIME.finditer(text)))
    target, request, contact = _target(text), _request(text, masked), _contact(masked, order)
    found = (bool(times), bool(place.mention or place.levels), bool(target), bool(request), contact.present)
    missing = tuple(name for name, present in zip(ELEMENT_NAMES, found, strict=True) if not present)
    return Elements(times, place, target, request, contact, missing, outside)


def _place(order: WorkOrder, place: Place) -> Place:
    if order.district and order.district != place.district:
        return replace(place, district=order.district, street=order.street, community=order.community)
    return replace(place, street=order.street or place.street, community=order.community or place.community)


def _target(text: str) -> str:
    blamed = _BLAMED.search(text)
    match = blamed or _TARGET.search(text)
    if match is None:
        return ""
    found = match[1] if blamed else match[0]
    lead = _TARGET_LEAD.match(found, 0, len(found) - 1)
    return found[lead.end() :] if lead else found


def _request(text: str, masked: str) -> str:
    requests = _REQUEST.findall(text)
    if requests:
        return str(requests[-1]).strip()
    question = _QUESTION.search(text)
    if question:
        return question[0].strip()
    if _ASKS.search(masked, 0, 40):
        return re.split("[。！!；;\n]", text, maxsplit=1)[0][:80]
    filed = _FILES.search(text)
    return filed[0] if filed else ""


def _contact(masked: str, order: WorkOrder) -> Contact:
    for mask, kind in _MASKS.items():
        if mask in masked:
            return Contact(True, kind)
    if any(value and _CONTACT_FIELD.search(name) for name, value in order.extra.items()):
        return Contact(True, "field")
    return Contact()
