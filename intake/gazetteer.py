"""Places: find the place a text speaks of and, with a city's gazetteer, the district and street it lies in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from intake.errors import ZhipaiError, register
from intake.outside import Outside

register(
    "E1201",
    "地名表读不出",
    "地名表“{path}”读不出来：{problem}。写法请对照 datasets/city/gazetteer.yaml。",
    exit_code=3,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text: ``text[start:end]`` is ``mention``. Unknown levels are empty; no place at all is all empty."""

    district: str = ""
    street: str = ""
    community: str = ""
    mention: str = ""
    start: int = 0
    end: int = 0

    @property
    def levels(self) -> int:
        """How exactly the place is known: 0 (not at all) to 3 (community)."""
        return bool(self.district) + bool(self.street) + bool(self.community)


#: What may follow a short form and make it part of another, unknown name: “临江大道” says nothing about 临江区.
_GOES_ON = re.compile(
    "(?:大?[路街道]|巷|里|弄|桥|湖|河|江|山|镇|乡|村|苑|园|城|府|庄|大厦|广场|小区|花园|新村|家园|公寓|[东西南北中]路)"
)
_KINDS = (
    "大道|大街|路|街(?!道办)|巷|小区|花园|广场(?!舞)|大厦|新村|家园|公寓|村委会|村|社区|居委会|学校|中学|小学|幼儿园|大学|医院|公园|市场|商城"
    "|商场|超市|车站|客运站|地铁站|高铁站|机场|码头|镇|乡(?!镇)|街道(?!办)|工业园|开发区|苑|城(?![镇市区管乡中东西南北])"
)
#: A place by its form alone, with the district before it and the house number after it.
_GENERIC = re.compile(
    rf"(?:[\u4e00-\u9fff]{{2,3}}[区县])?[\u4e00-\u9fff]{{1,8}}?(?:{_KINDS})(?!灯|面|况|费|人|民|由|线|程|上|边)(?:(?:\d{{1,4}}-)?\d{{1,4}}号)?"
)
#: What runs into a name from the left: the name begins after the last of these.
_LEADS_IN = re.compile(
    ".*(?:位于|家住|住在|靠近|附近|旁边|旁|对面|反映|投诉|咨询|表示|告知|要求|希望|公里|[在于住至到从往去是其的有和与经由过把被将要了不没一询、])"
)


class Gazetteer:
    """The places of a city. The longest name wins; a name that several places share tells what they agree on.

    Short forms (临江 for 临江区, 石磴 for 石磴街道) count unless a full name or a longer, unknown one stands there.
    ``outside`` holds the neighbouring 市县, whose places are in no district of the city.
    """

    def __init__(
        self,
        full: Iterable[tuple[str, Place]],
        short: Iterable[tuple[str, Place]] = (),
        outside: Outside | None = None,
    ):
        self.outside = outside or Outside()
        meanings: dict[str, set[Place]] = defaultdict(set)
        for name, place in full:
            meanings[name].add(place)
        shortened: dict[str, set[Place]] = defaultdict(set)
        for name, place in short:
            if name not in meanings:
                shortened[name].add(place)
        self._short = frozenset(shortened)
        agreed = {name: _agreed(places) for name, places in (meanings | shortened).items()}
        self._places = {name: place for name, place in agreed.items() if place.levels}
        #: First two characters -> names, longest first: a scan costs one look-up for each character.
        self._by_start: dict[str, tuple[str, ...]] = {}
        for name in sorted(self._places, key=len, reverse=True):
            self._by_start[name[:2]] = (*self._by_start.get(name[:2], ()), name)

    @classmethod
    def empty(cls) -> Gazetteer:
        """No names: places are found by their form alone and lie in no known district."""
        return cls(())

    @classmethod
    def from_file(cls, path: Path) -> Gazetteer:
        """Read ``{city, districts: [{name, streets: [{name, communities, roads, estates, landmarks}]}], outside}``.

        ``outside`` and ``inside`` are as :meth:`Outside.from_data` takes them; the city's own name is inside in any case.

        Raises
        ------
        ZhipaiError
            E1201 for a file that cannot be read as places, E1202 for neighbours that are written wrongly.
        """
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            rows = list(_rows(data))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ZhipaiError("E1201", {"path": path.name, "problem": type(error).__name__}) from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ZhipaiError("E1201", {"path": path.name, "problem": f"缺少或写错了 {error}"}) from error
        return cls(
            [(name, place) for name, place, is_short in rows if not is_short],
            [(name, place) for name, place, is_short in rows if is_short],
            _outside(data),
        )

    def with_outside(self, outside: Outside) -> Gazetteer:
        """The same places with other neighbours."""
        other = copy(self)
        other.outside = outside
        return other

    def resolve(self, text: str) -> Place:
        """The place that is known most exactly; among equals the longest name, then the first."""
        best = Place()
        for mention, start in self._mentions(text):
            place = self._places[mention]
            if (place.levels, len(mention)) > (best.levels, len(best.mention)):
                best = Place(place.district, place.street, place.community, mention, start, start + len(mention))
        return best if best.mention else _by_form(text)

    def _mentions(self, text: str) -> Iterator[tuple[str, int]]:
        start = 0
        while start < len(text) - 1:
            for name in self._by_start.get(text[start : start + 2], ()):
                end = start + len(name)
                if text.startswith(name, start) and not (name in self._short and _GOES_ON.match(text, end)):
                    yield name, start
                    start = end
                    break
            else:
                start += 1


def _agreed(places: set[Place]) -> Place:
    """What all meanings of one name agree on."""
    districts, streets, communities = (
        {getattr(place, level) for place in places} for level in ("district", "street", "community")
    )
    district = districts.pop() if len(districts) == 1 else ""
    street = streets.pop() if district and len(streets) == 1 else ""
    community = communities.pop() if street and len(communities) == 1 else ""
    return Place(district, street, community)


def _by_form(text: str) -> Place:
    """The longest place that looks like one; Place() when nothing does."""
    best = Place()
    for match in _GENERIC.finditer(text):
        lead = _LEADS_IN.match(match[0], 0, max(len(match[0]) - 2, 0))
        start = match.start() + (lead.end() if lead else 0)
        if match.end() - start >= 3 and match.end() - start > len(best.mention):
            best = Place(mention=text[start : match.end()], start=start, end=match.end())
    return best


def _outside(data: dict[str, Any]) -> Outside:
    """The neighbours of the city that a gazetteer names."""
    city = str(data.get("city") or "")
    own = [name for name in (city, city.removesuffix("市")) if len(name) >= 2]
    return Outside.from_data({"outside": data.get("outside"), "inside": [*own, *(data.get("inside") or ())]})


def _rows(data: Any) -> Iterator[tuple[str, Place, bool]]:
    """Name, place, and whether the name is a short form."""
    for district in data["districts"]:
        yield from _forms(district["name"], Place(district["name"]), ("区", "县", "市"))
        for street in district.get("streets") or ():
            here = Place(district["name"], street["name"])
            yield from _forms(street["name"], here, ("街道办事处", "街道", "镇", "乡"))
            for name in street.get("communities") or ():
                yield from _forms(
                    name, Place(district["name"], street["name"], name), ("社区", "居委会", "村委会", "村")
                )
            for kind in ("roads", "estates", "landmarks"):
                for name in street.get(kind) or ():
                    yield name, here, False


def _forms(name: str, place: Place, suffixes: tuple[str, ...]) -> Iterator[tuple[str, Place, bool]]:
    yield name, place, False
    suffix = next((suffix for suffix in suffixes if name.endswith(suffix)), "")
    short = name.removesuffix(suffix)
    if suffix and len(short) >= 2:
        yield short, place, True
