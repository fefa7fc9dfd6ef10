"""Take out of an order what the call-taker wrote for the dispatcher: it names the answer, not the question.

Patterns only, no list of a city's units: a clause is a dispatch hint by its form (“请 + 单位 + 核实处理”,
“30 分钟内响应处置”), not by whose name stands in it. What citizens ask for in their own words (“希望有关部门…”,
“请住建局督促开发商缴款”) stays. Quantifiers are possessive (``*+``) where alternatives overlap, so that no input makes
the matcher try them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# --- who speaks: “市民来电反映：”, “市民再次微信反映；” ---------------------------------------------------------------
_CALLER = "市民|群众|居民|村民|网民|网友|来电人|来电者|诉求人|投诉人|反映人|当事人|游客|乘客|业主|先生|女士"
_CHANNEL = "来电|来信|来访|来函|来|电话|微信|公众号|微博|短信|网站|网上|网络|邮件|信箱|市民云|云平台|云|APP|app|平台|留言|通过|市民|再次|多次|又"
_ACT = "反映|反应|反咨询|反反映|咨询|投诉|求助|建议|举报|表扬|感谢|补充|反馈|撤销|催办|催单|询问|报备|报修|(?<=来电)"
_SAYS = rf"(?:{_CALLER})(?:{_CHANNEL}|第.次){{0,8}}+(?:{_ACT})\s*+[:：;；]"
#: At the start it says nothing and goes; later on it opens a repeat and stays.
_LEAD_IN = re.compile(
    rf"\s*+(?:[:：]?\s*+(?:{_SAYS}|(?:来电|微信|公众号|网站|短信|电话|留言|来信)(?:{_ACT})\s?[:：])[\s:：]*+)++"
)
_REPEAT = re.compile(_SAYS)

# --- order numbers: “（工单编号：20171111000001）”, “政府工单号20180104148553” ---------------------------------------
_NUMBERED = "(?:政府|相关|关联|原)?(?:工单|诉求|受理|办件|来电)?(?:编号|单号|号)"
_NUMBER = re.compile(
    rf"(?:{_NUMBERED}\s?)?[（(【]\s?(?:{_NUMBERED}\s?[:：;；为]?\s?)?[A-Z]{{0,4}}\d{{12,20}}\s?[）)】][。，]?"
    r"|(?:政府|相关|关联|原)?(?:工单|诉求|受理|办件)(?:编号|单号|号)\s?[:：;；为]?\s?[A-Z]{0,4}\d{8,20}[。，]?"
    r"|(?:政府)?(?:工单|办件)?\s?\d{14}(?=《)"
)

# --- earlier replies: “2017-12-29 21:08秀英区城管局反馈：”, “市住建局2017-11-09 09:16:27的处理意见：” ------------------
_ORGAN = (
    "(?:局|委|会|办|办公室|厅|院|处|所|站|队|中心|专席|政府|部|部门|公司|集团|街道|镇|乡|社区|指挥部|城管|交警|公安|环保|工商|供电"
    "|国土|住建|社保|人社|教育|卫生|水务|物价|质监|食药监|国税|地税|税务|消防|园林|电信|移动|联通|环卫|民政|燃气)"
)
_CLOCK = r"\d{1,2}\s?[:：时点]\s?\d{0,2}(?:\s?[:：分]\s?\d{0,2})?[分秒]?"
_DATE = rf"(?:\d{{4}}\s?[-/.年]\s?)?\d{{1,2}}\s?[-/.月]\s?\d{{1,2}}\s?日?(?:\s?{_CLOCK})?"
_REPLIED = "(?<!来电)(?:答复|回复|反馈|回应|的?(?:处理|办理)(?:意见|结果))"
_NAME = r"[^\s，。；：:;！!？?、（()）\d]"
_REPLY = re.compile(
    r"(?:^|(?<=[\n）)。！!？?；;】]))[^\S\n]*+(?:已告知(?:市民)?[，,]?)?于?\s?"
    rf"(?P<when>{_DATE})?\s?[:：]?\s?"
    rf"(?:{_NAME}{{1,25}}?{_ORGAN}(?:{_DATE})?{_REPLIED}|(?(when){_NAME}{{1,30}}?(?:{_REPLIED}|{_ORGAN})|(?!)))\s?[:：]"
)

# --- dispatch clauses: “请区环保局核实处理！谢谢！”, “（请职能局按规定在30分钟内联系市民，响应处置）” --------------------
#: Words for nobody in particular, and for people one appeals to: with them the request is the citizen's own.
_NOBODY = (
    "有关|相关|领导|书记|市长|区长|县长|省长|上级|政府|贵|您|你|各|帮|给|把|将|对|在|问|求|示|尽快|尽早|马上|立即|及时|予以|给予|核"
    "|协调|工作人员|部门|严查|重视|维持|要"
)
_ASKED = rf"(?!{_NOBODY})(?:(?!领导|书记|市长)[\u4e00-\u9fffA-Za-z0-9·（）()]){{1,28}}?"
_WHOM = "(?:市民|群众|诉求人|来电人|投诉人|当事人|居民|业主|反映人|其)"
_HOW = (
    "(?:再次|重新|尽快|尽早|马上|立即|及时|迅速|依法|认真|予以|给予|进行|联合|协助|协调|督促|派人|安排|工作人员|人员|前往|到场|到达|到"
    r"|现场|至|做|并|按照|按|依照|据|规定|要求|子|在|于|\d{1,3}|三十|分钟|分|小时|工作日|个|之|以|内|就|此|该|针对性|对|问题|情况|的|[，,]|\s)*+"
)
_VERIFY = f"(?:核实|核查|核处|实处理|处置|响应|联系{_WHOM}|[与和跟于]?{_WHOM}联系|回复{_WHOM}|督办|转办|阅处|研处|核办)"
_DEEDS = f"(?:{_HOW}(?>{_VERIFY}|处处置|处护理|处理|处|联系|办理|落实|跟进|回复|答复|反馈|查处|调查|解决|里|理)(?:情况|问题|结果)?)*+"
_END = r"(?=[，,。！!？?；;、（(）)：:\s…~～*]|谢谢|感谢|辛苦|请|市民|于|\d{4}|$)"
_PLEASE = "(?:[故现特并且还望烦恳敬再]|希望|再次|同时|另外?|因此|所以)?(?<![申邀聘宴提呈报])请"
_MINUTES = r"(?:\d{1,3}|三十|[一二两三]|半个?)\s?(?:分钟?|小时|个?工作日)(?:之|以)?内?"
_IN_TIME = (
    rf"请(?=[^，。\n]{{0,24}}(?:职能|规定))[^，。！!？?\n（(）)]{{0,22}}?{_MINUTES}{_DEEDS}"
    rf"|请[^，。！!？?\n（(）)]{{0,22}}?{_MINUTES}(?={_HOW}{_VERIFY}){_DEEDS}"
    rf"|(?<=[（(]){_MINUTES}(?:紧急|办件|(?={_HOW}{_VERIFY}|{_HOW}处理)){_DEEDS}(?:办件)?"
)
#: The call-taker's own words: 核实 or 核查 with another deed, 职能局, or a number of minutes.
_FORMULA = (
    rf"{_IN_TIME}|{_PLEASE}(?:市|区|县)?职能(?:局|部门|单位)?{_HOW}{_VERIFY}{_DEEDS}{_END}"
    rf"|{_PLEASE}{_ASKED}{_HOW}(?:核实|核查|核处|实处理)(?={_HOW}(?:处|回复|给予|答复|里|理)|核处|实处理|理){_DEEDS}{_END}"
    rf"|{_PLEASE}{_ASKED}{_HOW}核处理{_END}"
)
#: Weaker words that citizens use as well: a hint only inside a call record, which its lead-in gives away.
_RECORDED = (
    rf"{_PLEASE}{_ASKED}{_HOW}{_VERIFY}{_DEEDS}{_END}"
    rf"|{_PLEASE}(?!{_NOBODY})[\u4e00-\u9fff]{{0,20}}?{_ORGAN}{_HOW}(?:处理|办理){_END}"
    rf"|(?:建议|拟|现|请)?(?:转交|转派|转办|派单至|派至|派给|转)(?!{_NOBODY})[\u4e00-\u9fff]{{0,20}}?{_ORGAN}{_DEEDS}{_END}"
)
_AFTER = "(?:[，,。！!；;、\\s…~～*）)]|谢谢(?:您|配合|支持)?|感谢(?:您的)?(?:配合|支持)|辛苦了)*+"


def _hints(clause: str) -> re.Pattern[str]:
    """Clauses that follow one another, with the punctuation around them."""
    return re.compile(rf"(?<![，,、；;：:\s])[，,、；;：:\s]*+(?:[（(【]?\s?(?:{clause})\s?[）)】]?{_AFTER})++")


_HINT = _hints(_FORMULA)
_HINT_IN_RECORD = _hints(f"{_FORMULA}|{_RECORDED}")


@dataclass(frozen=True, slots=True)
class Stripped:
    """A text without dispatch hints, and what was taken out, in order of removal."""

    text: str
    removed: tuple[str, ...]


def strip_dispatch_hint(text: str) -> Stripped:
    """Remove dispatch clauses, earlier units' replies, order numbers and the lead-in of a call record.

    A reply goes from its head to the next “市民再次来电反映：” or to its order number; a reply with neither after it goes
    to the end of its line if its head tells the time of day, and stays otherwise: it may be the citizen's own account.
    """
    removed: list[str] = []
    lead_in = _LEAD_IN.match(text)
    if lead_in:
        removed.append(lead_in[0].strip())
        text = text[lead_in.end() :]
    text = _without_replies(text, removed)
    text = _NUMBER.sub(lambda match: _drop(match[0], removed), text)
    hint = _HINT_IN_RECORD if lead_in or _REPEAT.search(text) else _HINT
    text = hint.sub(lambda match: _close(match, removed), text)
    return Stripped(text.strip().rstrip("，,、；;：:"), tuple(piece for piece in removed if piece))


def _drop(piece: str, removed: list[str]) -> str:
    removed.append(piece.strip())
    return ""


def _close(match: re.Match[str], removed: list[str]) -> str:
    """What stands in place of a hint: the end of the sentence before it, and the line break after it."""
    removed.append(match[0].strip("，,、；;：: \n"))
    at_start, at_end = match.start() == 0, match.end() == len(match.string)
    before = match.string[match.start() - 1] if not at_start else "。"
    stop = "" if at_start or at_end or before in "。！？!?\n" else "。"
    return stop + ("\n" if "\n" in match[0] and not at_end else "")


def _without_replies(text: str, removed: list[str]) -> str:
    parts: list[str] = []
    start = search_from = 0
    while reply := _REPLY.search(text, search_from):
        search_from = reply.end()
        end = _end_of_reply(text, reply)
        if end < 0:
            continue
        parts.append(text[start : reply.start()].rstrip(" ") + "\n")
        removed.append(text[reply.start() : end].strip())
        start = search_from = end
    return "".join(parts) + text[start:]


def _end_of_reply(text: str, reply: re.Match[str]) -> int:
    """Where a reply ends; -1 when it is not sure to be a unit's."""
    following = _REPEAT.search(text, reply.end())
    if following:
        return following.start()
    number = _NUMBER.search(text, reply.end())
    if number:
        return number.end()
    if not re.search(_CLOCK, reply["when"] or ""):
        return -1
    line_end = text.find("\n", reply.end())
    return len(text) if line_end < 0 else line_end
