"""Mask personal data by pattern: numbers, plates, mail, accounts, names after a cue, door numbers.

Placeholders follow the public data sets the models learn from (``<手机号>``, ``琼A****``, ``某先生``, ``***室``), so that
training and serving see one form. Names without any cue are out of reach of patterns and stay: see
``docs/decisions/0001-pii-masking.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from intake.clean import to_simplified
from intake.names import FILL, find_names, is_titled

#: What stands in place of a span; plates keep their first two characters, names before a title become “某”.
PLACEHOLDERS = {
    "phone": "<手机号>",
    "id_card": "<身份证号>",
    "plate": "****",
    "bank_card": "<长号码>",
    "email": "<邮箱>",
    "account": "<账号>",
    "name": "某某",
    "door": "***",
}
_LANDLINE = "<电话号码>"
#: Placeholders of numbers, ours and those found in data masked elsewhere.
_NUMBER_MASK = re.compile("<(?:手机号|电话号码|身份证号|长号码|邮箱|账号|银行卡号)>")
_ID_CARD = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}[ -]?(?:\d{8}[ -]?\d{3}[0-9Xx]|\d{9})(?![0-9A-Za-z])")
_MOBILE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}[ -]?\d{4}|[ -]?\d{3}[ -]?\d{5})(?!\d)")
_LANDLINE_NUMBER = re.compile(
    r"(?<![\d-])(?:[（(]0\d{2,3}[）)][ -]?|0\d{2,3}[ -]?)[2-9]\d{6,7}(?:(?:[ -]|转)\d{1,5})?(?!\d)"
    r"|(?:(?<=电话)|(?<=座机)|(?<=固话)|(?<=电话号码)|(?<=致电)|(?<=拨打)|(?<=热线)|(?<=电话[:：为是])|(?<=座机[:：为是])|(?<=固话[:：为是])"
    r"|(?<=号码[:：为是])|(?<=方式[:：为是]))[2-9]\d{6,7}(?!\d)"
)
_LONG_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(?:\d{16,19}|\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{1,3})?|\d{6}[ -]\d{13})(?![0-9A-Za-z])"
)
_CARD_CUE = re.compile(r"(?:卡号|账号|帐号|银行卡|存折|户头)[:：为是]?\s*(\d{10,15})(?!\d)")
_NOT_PERSONAL = re.compile(
    r"(?:单号|编号|发票|订单|工单|流水|受理号|文号|案号|号文|条码|序列号|运单|快递|信用代码|票号|批次|合同号|许可证号?|设备号|表号|户号)[^0-9，。；\n]{0,4}$"
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,12}"
)
_ACCOUNT = re.compile(
    r"(?:(?:微信|薇信|威信|[Vv]信|[Ww]e[Cc]hat)(?!公众号|群名|小程序)(?:号码|号|群号|账号|帐号|id|ID)?"
    r"|(?:[Qq]{2}|扣扣|企鹅)(?:号码|号|群号|群|账号|帐号)?|(?:抖音|快手|支付宝|淘宝|微博|陌陌)(?:号|账号|帐号|id|ID))"
    r"(?:[:：为是]|\s)*([A-Za-z][A-Za-z0-9_-]{5,19}|[1-9]\d{4,11})(?![0-9A-Za-z_@-])"
)
_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使"
_PLATE = re.compile(
    rf"[{_PROVINCE}][A-HJ-NP-Za-hj-np-z][·•.\- ]?((?=(?:[A-Za-z]*\d){{2}})(?:[A-HJ-NP-Za-hj-np-z0-9]{{6}}|[A-HJ-NP-Za-hj-np-z0-9]{{5}}"
    r"|[A-HJ-NP-Za-hj-np-z0-9]{4}[挂学警港澳使领]))(?![0-9A-Za-z])"
)
_DOOR = re.compile(
    r"(?<![\d.])(\d{2,4})(?=(?:号房|号室|室|房)(?![屋产价贷租款管地间源型]))"
    r"|(?:栋|幢|座|单元|号楼|[A-Da-d]区?楼)[ -]?(\d{3,4})(?![\d.年月日元路平米层万号时点余个户多吨人家名套间台%％㎡m])"
    r"|(?:栋|幢|座|单元|号楼)[ -]?(\d{3,4})(?=号(?!楼|路|线|车|院|门))"
    r"|(?<![\d-])\d{1,2}-\d{1,2}-(\d{3,4})(?![\d-])"
)


@dataclass(frozen=True, slots=True)
class PiiSpan:
    """One piece of personal data: ``text[start:end]`` of the original text is a ``kind``."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with placeholders, and where they stand in the original text."""

    text: str
    spans: tuple[PiiSpan, ...]


def mask_pii(text: str) -> Masked:
    """Replace personal data by placeholders; masking twice changes nothing more.

    Full-width digits and traditional characters are recognised. Invisible characters inside a number are not: pass the
    text through :func:`intake.clean.clean_text` first, as ``intake.prepare`` does.
    """
    spans = find_pii(text)
    parts: list[str] = []
    start = 0
    for span in spans:
        parts += text[start : span.start], _placeholder(text, span)
        start = span.end
    return Masked("".join(parts) + text[start:], spans)


def find_pii(text: str) -> tuple[PiiSpan, ...]:
    """The spans that :func:`mask_pii` replaces, in order and without overlap."""
    probe = list(_NUMBER_MASK.sub(lambda match: FILL * len(match[0]), _fold(text)))
    spans: list[PiiSpan] = []
    # What is masked may uncover its neighbour (“a@b.com13800138000”), so look until there is nothing more to find.
    while found := _find_once("".join(probe)):
        for span in found:
            probe[span.start : span.end] = _STAND_IN.get(span.kind, FILL) * (span.end - span.start)
        spans += found
    return tuple(sorted(spans, key=lambda span: span.start))


#: What stands in the searched text for a span already found, as its placeholder would.
_STAND_IN = {"name": "某", "plate": "*", "door": "*"}


def _find_once(text: str) -> list[PiiSpan]:
    """Spans without overlap; where two overlap the one found first stays."""
    spans: list[PiiSpan] = []
    taken = bytearray(len(text))

    def take(found: Iterator[tuple[str, int, int]]) -> None:
        for kind, start, end in found:
            if start < end and not any(taken[start:end]):
                taken[start:end] = b"\x01" * (end - start)
                spans.append(PiiSpan(kind, start, end))

    if "@" in text or any(map(str.isdigit, text)):
        take(_numbers(text))
        for span in spans:
            text = text[: span.start] + _STAND_IN.get(span.kind, FILL) * (span.end - span.start) + text[span.end :]
    take(("name", start, end) for start, end in find_names(text))
    return spans


_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B)} | {0xFF0D: 0x2D, 0xFF20: 0x40, 0x3000: 0x20}


def _fold(text: str) -> str:
    """The text to search: same length, half-width, simplified where that keeps the length."""
    text = text.translate(_FULL_WIDTH)
    simplified = to_simplified(text)
    return simplified if len(simplified) == len(text) else text


def _placeholder(text: str, span: PiiSpan) -> str:
    if span.kind == "name" and is_titled(_fold(text[span.end : span.end + 4])):
        return "某"
    if span.kind == "phone" and not re.fullmatch(r"\D*(?:86\D*)?1[3-9]\d[ \d-]*", _fold(text[span.start : span.end])):
        return _LANDLINE
    return PLACEHOLDERS[span.kind]


def _numbers(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _EMAIL.finditer(text):
        yield "email", *match.span()
    for match in _ID_CARD.finditer(text):
        if _is_id_card(re.sub("[ -]", "", match[0]), text[max(0, match.start() - 8) : match.start()]):
            yield "id_card", *match.span()
    for match in _ACCOUNT.finditer(text):
        yield ("phone" if _MOBILE.fullmatch(match[1]) else "account"), *match.span(1)
    for match in _MOBILE.finditer(text):
        if not _NOT_PERSONAL.search(text, max(0, match.start() - 12), match.start()):
            yield "phone", *match.span()
    for match in _LANDLINE_NUMBER.finditer(text):
        if not _NOT_PERSONAL.search(text, max(0, match.start() - 12), match.start()):
            yield "phone", *match.span()
    for match in _CARD_CUE.finditer(text):
        yield "bank_card", *match.span(1)
    for match in _LONG_NUMBER.finditer(text):
        if not _NOT_PERSONAL.search(text, max(0, match.start() - 12), match.start()):
            yield "bank_card", *match.span()
    for match in _PLATE.finditer(text):
        yield "plate", *match.span(1)
    for match in _DOOR.finditer(text):
        yield "door", *match.span(match.lastindex or 0)


def _is_id_card(digits: str, before: str) -> bool:
    """Whether 15 or 18 digits are an ID number: a birth date that exists, and for 18 the check digit or a cue."""
    year, month, day = (
        (digits[6:10], digits[10:12], digits[12:14])
        if len(digits) == 18
        else ("19" + digits[6:8], digits[8:10], digits[10:12])
    )
    if not (1900 <= int(year) < 2100 and _is_day(int(year), int(month), int(day))):
        return False
    if "身份证" in before or "证件" in before:
        return True
    if len(digits) == 15:
        return not _NOT_PERSONAL.search(before)
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    check = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False)) % 11
    return "10X98765432"[check] == digits[17].upper()


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
