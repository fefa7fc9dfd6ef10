"""What a maintainer looks after: the review queue, what is due, what says the same twice or differently."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from knowledge_base.entry import SUBMITTED
from service import clock, kb_jobs
from service.access import Actor
from service.api.auth import needs
from service.entries import entries_by_id
from service.kb_history import entry_documents, list_entries, what_is_due
from service.kb_reminders import reminded
from service.pages.form_fields import Fields
from service.pages.forms import go_to
from service.pages.kb import DONE, Reader, kb_page, runtime_of, today
from service.pages.kb_view import change_rows

router = APIRouter(include_in_schema=False)
PAGE = 50
#: Days that the calendar shows.
AHEAD = 90
From = Annotated[int, Query(ge=0, le=1_000_000, alias="from")]
#: What the page of the check shows, by tab.
FINDINGS = {
    "duplicates": "重复", "contradictions": "矛盾", "repealed": "依据失效", "unfound": "搜不到", "quality": "质量分低",
}  # fmt: skip


@router.get("/kb/review")
def review(
    request: Request,
    who: Reader,
    after: Annotated[str, Query(max_length=64)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """What waits for a reviewer, each with what it changes."""
    engine, day = runtime_of(request).engine, today(request)
    found = list_entries(engine, day=day, state=SUBMITTED, after=after, limit=PAGE)
    waiting = entry_documents(engine, [one["id"] for one in found["entries"]], day=day)
    rows = [
        {**one, "changes": change_rows(one["changes"]), "own": who.name in one["authors"], "new": one["entry"] is None}
        for one in waiting
    ]
    return kb_page(request, "kb/review.html", "review", rows=rows, next=found["next"], done=DONE.get(done, ""))


@router.get("/kb/due")
def due(request: Request, who: Reader, start: From = 0) -> Response:
    """The calendar of what ends, what was asked for, and how many reminders were pushed."""
    state = runtime_of(request)
    now = clock.now(state.settings.time_zone)
    found = what_is_due(state.engine, now=now, within=AHEAD, limit=state.settings.kb_update_days)
    coming = [one for one in found["expiring"] if one["days"] > 0]
    over = [one for one in found["expiring"] if one["days"] <= 0]
    part = coming[start : start + PAGE]
    months = [
        {"month": month, "rows": list(rows)}
        for month, rows in groupby(part, key=lambda one: str(one["effective_to"])[:7])
    ]
    soon = {step: sum(one["reminder"] == step for one in coming if one["days"] <= 30) for step in (30, 7, 1)}
    return kb_page(
        request,
        "kb/due.html",
        "due",
        months=months,
        total=len(coming),
        ended=len(over),
        over=over[:PAGE],
        soon=soon,
        asked=found["asked"][:PAGE],
        units=found["units"],
        limit=found["update_days"],
        reminded=reminded(state.engine, since=now - timedelta(days=30)),
        day=found["day"],
        next=start + PAGE if start + PAGE < len(coming) else None,
    )


@router.get("/kb/check")
def check(
    request: Request,
    who: Reader,
    what: Annotated[str, Query(max_length=20)] = "duplicates",
    start: From = 0,
) -> Response:
    """What the last look through the base found, with the texts as they stand now."""
    state = runtime_of(request)
    what = what if what in FINDINGS else "duplicates"
    standing = kb_jobs.standing(state.settings, "check")
    report = standing.report or {}
    found: list[dict[str, Any]] = report.get(what, [])
    if what == "quality":
        found = sorted((one for one in found if one["score"] < 80), key=lambda one: one["score"])
    part = found[start : start + PAGE]
    names = ("first", "second", "id", "instead")
    ids = {one[name] for one in part for name in names if one.get(name)}
    entries = entries_by_id(state.engine, ids)
    return kb_page(
        request,
        "kb/check.html",
        "check",
        standing=standing,
        what=what,
        findings=FINDINGS,
        counts={name: len(report.get(name, ())) for name in FINDINGS if name != "quality"}
        | {"quality": sum(one["score"] < 80 for one in report.get("quality", ()))},
        looked_at=report.get("looked_at", 0),
        rows=[
            one for one in part if all(one.get(name) in entries for name in ("first", "second", "id") if name in one)
        ],
        entries=entries,
        next=start + PAGE if start + PAGE < len(found) else None,
    )


@router.post("/kb/{job}/start")
def begin(
    request: Request, who: Annotated[Actor, Depends(needs("kb.write", "kb.review"))], job: kb_jobs.Job, form: Fields
) -> Response:
    """Look through the base, in a process of its own."""
    state = runtime_of(request)
    kb_jobs.start(state.settings, job, entries=len(state.snapshot.knowledge.entries))
    return go_to(request, f"/kb/{job}")
