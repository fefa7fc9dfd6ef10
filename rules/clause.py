"""What a clause (条款) is: the written source of a rule or limit, and how surely its text is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from rules.problems import Problem
from rules.vocabulary import CONFIDENCES
from rules.yaml_reader import Fields, Node

DOCUMENT_ID = r"[a-z][a-z0-9-]*"
PART_ID = r"[a-z0-9]+([.-][a-z0-9]+)*"


@dataclass(frozen=True, slots=True)
class Clause:
    """One article (or part of one) of a document.

    Parameters
    ----------
    id : str
        ``document#part``, such as ``weifang-12345-2021#22.2``. Ours; it never stands for the article's own number.
    number : str
        文号; empty for documents that have none.
    article : str
        The article as the document counts it; empty where it is not known.
    effective_from, effective_to : date
        The days on which the document holds; the end is exclusive, None where none is known.
    summary : str
        What it says, in our own words.
    source : str
        Code in the list of sources (S02, O01 …).
    """

    id: str
    document: str
    number: str
    article: str
    confidence: str
    effective_from: date
    effective_to: date | None
    summary: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        end = self.effective_to.isoformat() if self.effective_to else None
        row = {name: getattr(self, name) for name in self.__slots__}
        return row | {"effective_from": self.effective_from.isoformat(), "effective_to": end}


def parse_document(node: Node, problems: list[Problem]) -> list[tuple[Clause, Node]]:
    """Read one document with its clauses; each comes with its node, for messages about it."""
    fields = Fields(
        node,
        "文件",
        problems,
        allowed=("id", "document", "number", "source", "effective_from", "effective_to", "clauses"),
    )
    document_id = fields.text("id", pattern=DOCUMENT_ID, example="weifang-12345-2021")
    fields.get("effective_from", required=True)
    start, end = fields.span()
    base = Clause(
        id=document_id,
        document=fields.text("document"),
        number=fields.text("number", required=False),
        article="",
        confidence="",
        effective_from=start or date.max,
        effective_to=end,
        summary="",
        source=fields.text("source"),
    )
    return [
        (clause, item)
        for item in fields.items("clauses", required=True)
        if (clause := _parse_clause(item, base, problems)) is not None
    ]


def _parse_clause(node: Node, base: Clause, problems: list[Problem]) -> Clause | None:
    fields = Fields(node, "条款", problems, allowed=("id", "article", "confidence", "summary"))
    part = fields.text("id", pattern=PART_ID, example='"22.2"')
    article = fields.text("article", required=False)
    confidence = fields.text("confidence", choices=CONFIDENCES)
    summary = fields.text("summary")
    if not fields.ok:
        return None
    return replace(base, id=f"{base.id}#{part}", article=article, confidence=confidence, summary=summary)
