"""Citations (依据): which document and article an entry rests on, read from the words in which people write it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_NUMBER = "[0-9０-９〇零一二三四五六七八九十百千]+"
ARTICLE = rf"第{_NUMBER}条(?:之{_NUMBER})?"
_ARTICLES = re.compile(rf"{ARTICLE}(?:第{_NUMBER}款)?(?:第?[（(]?{_NUMBER}[）)]?项)?")
_DOCUMENT = re.compile(r"《([^《》]{2,80})》")
_REPEALED = re.compile("已?废止|已失效|停止执行")
_DIGITS = {**{digit: value for value, digit in enumerate("零一二三四五六七八九")}, "〇": 0}


@dataclass(frozen=True, slots=True)
class Citation:
    """A document and one of its articles (empty: the document as a whole). ``repealed``: the writer says it has ended."""

    document: str
    article: str = ""
    repealed: bool = False


@dataclass(frozen=True, slots=True)
class KnownClause:
    """A clause that somebody keeps with its dates; ``effective_to`` is exclusive."""

    document: str
    article: str
    effective_to: date | None


def parse_citations(text: str) -> tuple[Citation, ...]:
    """Read “《甲办法》第十条、第十二条；《乙条例》（已废止）”; text without 《》 is one document by that name."""
    names = list(_DOCUMENT.finditer(text))
    if not names:
        plain = _ARTICLES.split(text)[0].strip(" ，,；;。、") if text.strip() else ""
        return _cited(plain, text) if plain else ()
    ends = [*(name.start() for name in names[1:]), len(text)]
    found = [_cited(name[1], text[name.end() : end]) for name, end in zip(names, ends, strict=True)]
    return tuple(citation for part in found for citation in part)


def _cited(document: str, rest: str) -> tuple[Citation, ...]:
    repealed = bool(_REPEALED.search(rest))
    articles = _ARTICLES.findall(rest)
    return tuple(Citation(document, article, repealed) for article in articles or [""])


def repealed_citations(
    citations: Iterable[Citation], known: Iterable[KnownClause], *, day: date
) -> list[tuple[Citation, str]]:
    """The citations that no longer hold on a day, each with the reason in Chinese.

    A document of which one clause is known to stand still holds; one of which all known clauses have ended does not.
    """
    clauses = [(document_key(one.document), article_number(one.article), one.effective_to) for one in known]
    found = []
    for citation in citations:
        if citation.repealed:
            found.append((citation, "依据里写明已废止"))
            continue
        of_document = [one for one in clauses if one[0] == document_key(citation.document)]
        number = article_number(citation.article)
        ends = [end for _, article, end in of_document if number is not None and article == number] or [
            end for _, _, end in of_document
        ]
        ended = [end for end in ends if end is not None and end <= day]
        if ended and len(ended) == len(ends):
            found.append((citation, f"已于 {max(ended)} 起失效"))
    return found


def document_key(name: str) -> str:
    """A document's name without marks and spaces, so that two ways of writing it meet."""
    return re.sub(r"[《》\s（）()·]", "", name)


def article_number(article: str) -> int | None:
    """The number of 第十二条 or 第12条; None where there is none."""
    match = re.search(rf"第({_NUMBER})条", article)
    return chinese_number(match[1]) if match else None


def chinese_number(text: str) -> int:
    """The value of 一百零八 or 108."""
    text = text.translate(str.maketrans("０１２３４５６７８９", "0123456789"))
    if text.isdecimal():
        return int(text)
    total, digit = 0, 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character.isdecimal():
            digit = digit * 10 + int(character)
        else:
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return total + digit
