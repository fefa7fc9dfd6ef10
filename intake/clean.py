"""Make any string safe to store and equal where it reads equal: control characters, widths, traditional characters."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import zip_longest

from opencc import OpenCC

#: Characters that carry no meaning of their own and hide text from a pattern: controls (but tab and line feed), soft
#: hyphen, zero-width and direction marks, variation selectors, private use, tags, lone surrogates, noncharacters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\ufffe\uffff\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]+"
)
#: Written forms that NFKC may fold without touching Chinese punctuation (，。！？：；（）「」《》…—～ stay): full-width
#: letters, digits and the signs of e-mail addresses and phone numbers, half-width kana, radicals and compatibility
#: ideographs (left behind by PDF copies), mathematical letters, squared units such as ㎡.
_FOLDABLE = re.compile(
    "[\uff02-\uff07\uff0a\uff0b\uff0d-\uff19\uff1c-\uff1e\uff20-\uff3d\uff3f-\uff5b\uff5d\uff65-\uff9f"
    "\u2e80-\u2fd5\uf900-\ufaff\u3371-\u337a\u3380-\u33df\U0001d400-\U0001d7ff\U0002f800-\U0002fa1f]+"
)
_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SPACE = re.compile("[^\\S\n]+")
_ODD = re.compile("[^\u0021-\u007e\u3001-\u301e\u4e00-\u9fff\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f“”‘’…—·]")


def clean_text(text: str) -> str:
    """Return the text without invisible characters, with folded widths and single spaces.

    Total (never raises) and idempotent. Chinese punctuation keeps its form. A run of line breaks becomes one line
    feed, because call records are structured by lines; other white space becomes one space.
    """
    if not _ODD.search(text):
        return text
    text = _LINE_BREAK.sub("\n", text)
    text = _INVISIBLE.sub("", text)
    text = _FOLDABLE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = unicodedata.normalize("NFC", text)
    text = _SPACE.sub(" ", text)
    return re.sub(" ?\n[ \n]*", "\n", text).strip()


@cache
def _converter() -> tuple[OpenCC, frozenset[str]]:
    """The converter and every character that some conversion changes."""
    converter = OpenCC("t2s")
    changed: set[str] = set()
    for _, _, dictionary in converter.dict_cache.values():
        for source, targets in dictionary.items():
            target = targets.split(" ")[0]
            changed.update(char for char, other in zip_longest(source, target) if char and char != other)
    return converter, frozenset(changed)


def to_simplified(text: str) -> str:
    """Return the text in simplified characters; text that is simplified already comes back as it is."""
    converter, traditional = _converter()
    return text if traditional.isdisjoint(text) else converter.convert(text)
