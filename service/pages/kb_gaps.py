"""缺口: what people asked and nothing answered, by topic, with a draft made of the unit's own answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry, entry_to_dict
from knowledge_base.gaps import draft_of
from service import kb_jobs
from service.access import Actor
from service.api.auth import needs
from service.api.kb_life_routes import drafted
from service.entries import entries_by_id
from service.kb_asked import answered_by, asked_of
from service.kb_history import entry_documents
from service.pages.form_fields import Fields, part, word
from service.pages.forms import go_to
from service.pages.kb import Reader, kb_page, runtime_of, today
from service.pages.kb_edit import Writer, entry_form
from service.pages.kb_view import form_values
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
#: Topics, and orders that an entry would have answered, on one page; questions of a topic that are shown.
PAGE, SAMPLES = 50, 5
#: Where the drafts say that they come from.
SOURCE = "本系统近期工单"
EMPTY: Mapping[str, Any] = {"topics": [], "answerable": [], "read": 0, "alone": 0}
TopicId = Annotated[str, Path(max_length=13, pattern="^K[0-9a-f]{12}$")]


def entry_id_of(orders: Sequence[str]) -> str:
    """The number that the draft of a topic gets: asked for twice, it is the same draft."""
    return "K" + hashlib.sha256("\n".join(sorted(orders)).encode()).hexdigest()[:12]


@router.get("/kb/gaps")
def gaps(request: Request, who: Reader, start: Annotated[int, Query(ge=0, le=1_000_000, alias="from")] = 0) -> Response:
    """The topics of the last look; and what an entry would have answered, yet was dispatched."""
    state = runtime_of(request)
    standing = kb_jobs.standing(state.settings, "gaps")
    report = standing.report or EMPTY
    answerable = report["answerable"][:PAGE]
    asked = {one.id: one for one in asked_of(state.engine, [one["order"] for one in answerable])}
    return kb_page(
        request,
        "kb/gaps.html",
        "gaps",
        standing=standing,
        days=kb_jobs.DAYS,
        report=report,
        topics=_topics(request, report["topics"][start : start + PAGE]),
        answerable=[{**one, "text": asked[one["order"]].text} for one in answerable if one["order"] in asked],
        entries=entries_by_id(state.engine, [one["entry"] for one in answerable]),
        next=start + PAGE if start + PAGE < len(report["topics"]) else None,
    )


def _topics(request: Request, topics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The topics as their cards show them, with the units that replied and the draft that was made already."""
    engine = runtime_of(request).engine
    samples = {one.id: one for one in asked_of(engine, [order for one in topics for order in one["orders"][:SAMPLES]])}
    replied = answered_by(engine, [order for one in topics for order in one["orders"]])
    ids = [entry_id_of(one["orders"]) for one in topics]
    drafts = {one["id"]: one for one in entry_documents(engine, ids, day=today(request))}
    return [
        {
            "id": entry_id,
            "terms": topic["terms"],
            "n": len(topic["orders"]),
            "samples": [samples[order].text for order in topic["orders"][:SAMPLES] if order in samples],
            "units": Counter(replied[order] for order in topic["orders"] if order in replied).most_common(),
            "draft": drafts.get(entry_id),
        }
        for entry_id, topic in zip(ids, topics, strict=True)
    ]


@router.get("/kb/gaps/{topic}/draft")
def begin_draft(request: Request, who: Writer, topic: TopicId) -> Response:
    """A new entry to go on from, not kept yet: the questions of a topic, and the unit's reply where there is one."""
    orders, terms = _topic(runtime_of(request), topic)
    content, _ = _content(runtime_of(request), orders, terms)
    return entry_form(request, "", None, form_values(content))


@router.post("/kb/gaps/{topic}/draft")
def keep_draft(
    request: Request, who: Annotated[Actor, Depends(needs("kb.write"))], topic: TopicId, form: Fields
) -> Response:
    """Keep the draft of a topic, made of the unit's own replies, and open it. Made already, it is opened as it is."""
    state = runtime_of(request)
    if entry_documents(state.engine, [topic], day=today(request)):
        return go_to(request, f"/kb/entries/{part(topic)}/edit")
    content, draft = _content(state, *_topic(state, topic))
    if draft is None:
        return go_to(request, f"/kb/gaps/{topic}/draft")
    try:
        drafted(request, who, content | {"id": topic}, None, revision=None, said=word(form, "actor"))
    except ZhipaiError as error:
        if error.status >= 500 or error.code in ("E6502", "E6521"):
            raise
        # A reply may be too long for an answer: whoever asked shortens it in the form.
        return entry_form(request, "", None, form_values(content), error=error)
    return go_to(request, f"/kb/entries/{part(topic)}/edit")


def _topic(state: Runtime, topic: str) -> tuple[list[str], list[str]]:
    """The orders and terms of a topic of the last look; E6503 if it is not in it (any more)."""
    report = kb_jobs.standing(state.settings, "gaps").report or EMPTY
    for one in report["topics"]:
        if entry_id_of(one["orders"]) == topic:
            return one["orders"], one["terms"]
    raise ZhipaiError("E6503")


def _content(
    state: Runtime, orders: Sequence[str], terms: Sequence[str]
) -> tuple[dict[str, Any], KnowledgeEntry | None]:
    """The entry of a topic as it stands in JSON; None beside it where no unit has replied and the answer is lacking."""
    asked = asked_of(state.engine, orders)
    made = draft_of(asked, terms, SOURCE)
    if made is not None:
        return entry_to_dict(made), made
    questions = list(dict.fromkeys(one.text[:200] for one in asked))[:SAMPLES]
    return {"title": "、".join(terms[:3]), "questions": questions}, None
