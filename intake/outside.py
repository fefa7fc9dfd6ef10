"""Places outside the city: whether a text tells of a matter in a neighbouring 市县. Found by pattern, so a hint."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from intake.errors import ZhipaiError, register

register("E1202", "市外地名有误", "市外地名有误：{problem}。写法见 datasets/mappings/README.md。", exit_code=3)

#: A 市县 by its full form; anything else in the list is a short form, which may be part of a longer, unknown name.
_FULL = re.compile("[市县区旗盟]$")
#: 东方市场, 文昌市民: the 市 belongs to what follows.
_MARKET = re.compile("市[场民]")
#: After a short form: a street, an estate or a business that only bears the name (五指山路, 三亚学院, 万宁大排档).
_NAMED_AFTER = re.compile(
    r"(?:大?[路街道]|巷|里(?![面边])|门(?![诊市店面])|坊|桥|湖|河|江|苑|园|城(?![镇市区管乡中])|府|庄|大厦|广场|小区|花园|新村|家园|公寓"
    r"|国际(?!机场)|[东西南北中]路)"
    r"|(?:(?![的一有某])[\u4e00-\u9fff]){0,8}?(?:学院|大学|有限公司|有限责任|集团|分店|排档|排挡|粉店|餐馆|餐厅|餐饮|饭店|菜馆|饭馆|酒家|食府|美食|快餐|小吃"
    r"|农家菜|粉汤|粉(?=[^丝刷末红])|[鸡鸭鹅羊猪牛](?:肉)?店?)"
)
#: After any form: where somebody comes from or what is registered there, and the ends of a journey.
_ORIGIN_AFTER = re.compile(
    r"(?:的|本地|当地)?(?:户口|户籍|籍|人(?![民社才力防工员口行流群])|居民(?!委)|车牌|牌照|牌|身份证|居住证|社保|医保|社会保险|医疗保险|方向"
    r"|班车|班线|客车|大巴|动车|高铁|火车|航班|飞机|机票|车票|车次|入口|出口|高速|东线|西线)|(?:开|飞|前)?[往到至去](?![处底现目今年世期])|[-—－~～]"
)
_ORIGIN_BEFORE = re.compile(
    r"(?:[往到至去回从经由赴飞抵走离]|来自|返回|途经|路过|发往|寄往|寄到|运到|迁入|迁出|老家|老家[在是]|家乡[在是]?|出生[于在]"
    r"|户口(?:地|所在地)?[在是]|户籍(?:地)?[在是为]|社保(?:地)?[在是]|[-—－~～])$"
)
#: In the rest of the clause: registered there, asked about here.
_REGISTERED = re.compile(
    "户口|户籍|社保|社会保险|医保|车牌|牌照|上牌|身份证|居住证|驾驶证|行驶证|落户|转移|注册地|违章|年检|年审"
)
#: In the rest of the clause: a ride from there to here; what happened, happened on the way.
_RIDE = re.compile("(?:乘坐|搭乘|乘|坐|打|寄|拦截|拦了?一?辆)[^。；，,]{0,14}(?:车|寄)|车次|班次|发车")
_CLAUSE_END = re.compile("[，。！？；,!?;]")
_KEYS = {"name", "aliases", "except"}


@dataclass(frozen=True)
class Outside:
    """The neighbouring 市县 of a city, and the names by which a text is known to be about the city itself.

    Parameters
    ----------
    names : tuple of (str, str)
        What a text may say (文昌, 文昌市) and the 市县 it means (文昌市); "" for what only looks like one (规定安装).
    inside : tuple of str
        Names within the city: its own, of its districts, streets and landmarks. One of them, and nothing is said.
    """

    names: tuple[tuple[str, str], ...] = ()
    inside: tuple[str, ...] = ()

    @classmethod
    def from_data(cls, data: Any) -> Outside:
        """Build from ``{inside: [...], outside: [{name, aliases, except}]}`` as it stands in YAML; E1202."""
        if not isinstance(data, dict):
            raise ZhipaiError("E1202", {"problem": "最外层应是“键: 值”，里面写 inside 和 outside"})
        rows, inside = data.get("outside") or (), data.get("inside") or ()
        if not isinstance(rows, list | tuple) or not isinstance(inside, list | tuple):
            raise ZhipaiError("E1202", {"problem": "inside 和 outside 都应是列表"})
        names: dict[str, str] = {}
        for row in rows:
            if not isinstance(row, dict) or not row.get("name") or set(row) - _KEYS:
                raise ZhipaiError("E1202", {"problem": f"“{row}”应写成 name、aliases、except"})
            name = str(row["name"])
            names |= {name: name} | {str(alias): name for alias in row.get("aliases") or ()}
            names |= {str(lookalike): "" for lookalike in row.get("except") or ()}
        for name in (*names, *inside):
            if len(str(name)) < 2:
                raise ZhipaiError("E1202", {"problem": f"“{name}”只有一个字，认不准"})
        return cls(tuple(names.items()), tuple(map(str, inside)))

    @cached_property
    def id(self) -> str:
        """Content hash."""
        return hashlib.sha256(repr((self.names, self.inside)).encode()).hexdigest()

    @cached_property
    def _meanings(self) -> dict[str, str]:
        return dict(self.names)

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        return _any_of(self._meanings)

    @cached_property
    def _in_city(self) -> re.Pattern[str]:
        return _any_of(self.inside)

    def scene(self, text: str) -> str:
        """The 市县 in which the matter of a text lies, or "" where the text does not say so.

        A name does not count where it is the end of a journey, where somebody comes from or is registered, or part of
        the name of a street or a business; and no name counts in a text that names a place of the city too.
        """
        for match in self._mention.finditer(text):
            if self._meanings[match[0]] and _is_scene(text, match):
                return "" if self._in_city.search(text) else self._meanings[match[0]]
        return ""


def _is_scene(text: str, match: re.Match[str]) -> bool:
    """Whether the words around a name leave it the scene of the matter."""
    start, end = match.span()
    if _MARKET.match(text, end - 1) or (not _FULL.search(match[0]) and _NAMED_AFTER.match(text, end)):
        return False
    if _ORIGIN_AFTER.match(text, end) or _ORIGIN_BEFORE.search(text[max(0, start - 6) : start]):
        return False
    stop = _CLAUSE_END.search(text, end)
    rest = text[end : stop.start() if stop else len(text)]
    return not (_REGISTERED.search(rest) or _RIDE.search(rest))


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Any of the names, the longest first; for no names a pattern that matches nowhere."""
    return re.compile("|".join(map(re.escape, sorted(set(names), key=len, reverse=True))) or "(?!)")
