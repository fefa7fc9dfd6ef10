"""Which characters of a masked text are elements (要素), masks and the words that weighed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Kind of an element -> its Chinese name; what stands first is drawn over what stands later.
KINDS = {"mask": "已脱敏", "time": "时间", "place": "地点", "target": "对象", "request": "诉求"}
_MASK = re.compile("<[\u4e00-\u9fff]{2,8}>")
#: What a call-taker asks for when an element is missing.
ASK = {
    "时间": "什么时候发生的，是不是一直这样",
    "地点": "在哪里：区、街道、小区或路名门牌",
    "对象": "反映的是谁、哪一家、什么设施",
    "诉求": "希望怎么解决",
    "联系方式": "怎样回复来电人：电话、微信或邮箱",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text; ``kind`` is a key of :data:`KINDS` or empty, ``word`` whether it is one of the words that weighed."""

    text: str
    kind: str
    word: bool

    @property
    def name(self) -> str:
        return KINDS.get(self.kind, "")


def segments(text: str, elements: Mapping[str, Any], words: Sequence[str] = ()) -> list[Segment]:
    """The text cut where something begins or ends. Put together the segments are the text, character for character."""
    kinds: list[str] = [""] * len(text)
    for kind, pieces in reversed(list(_pieces(elements).items())):
        for piece in pieces:
            for start in _occurrences(text, piece):
                kinds[start : start + len(piece)] = [kind] * len(piece)
    for match in _MASK.finditer(text):
        kinds[match.start() : match.end()] = ["mask"] * len(match[0])
    weighed = [False] * len(text)
    for word in words:
        for start in _occurrences(text, word):
            weighed[start : start + len(word)] = [True] * len(word)
    return list(_cut(text, kinds, weighed))


def _pieces(elements: Mapping[str, Any]) -> dict[str, list[str]]:
    place = elements["place"]
    return {
        "time": list(elements["time"]),
        "place": [piece for piece in (place["mention"], place["community"], place["street"]) if piece],
        "target": [elements["target"]],
        "request": [elements["request"]],
    }


def _occurrences(text: str, piece: str) -> Iterator[int]:
    start = text.find(piece) if piece else -1
    while start >= 0:
        yield start
        start = text.find(piece, start + len(piece))


def _cut(text: str, kinds: Sequence[str], weighed: Sequence[bool]) -> Iterator[Segment]:
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or (kinds[end], weighed[end]) != (kinds[start], weighed[start]):
            yield Segment(text[start:end], kinds[start], weighed[start])
            start = end


def missing(elements: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names of the elements that were not found, each with what to ask for."""
    return [(name, ASK[name]) for name in elements["missing"]]
