"""知识库: search as a dispatcher sees it, the list of entries, one entry with its life, and every step of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError
from intake.order import MAX_TEXT
from knowledge_base.entry import STATES
from knowledge_base.life import check_action
from service import clock
from service.access import Actor
from service.api.auth import needs
from service.api.kb_life_routes import AUTHORS, stepped
from service.api.kb_life_schemas import StepIn
from service.db.engine import reading
from service.kb_history import entry_diff, entry_document, entry_history, list_entries, read_life
from service.kb_search import search
from service.pages.form_fields import Fields, part, word
from service.pages.forms import go_to
from service.pages.kb_view import ACTION_NAMES, TONES, change_rows, whole
from service.pages.order_view import hits
from service.pages.render import fragment, page
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(needs("kb.read"))]
EntryId = Annotated[str, Path(max_length=64)]
#: Steps that the page of an entry offers, with the label of the button; those of a reviewer want a reason.
STEPS = {
    "submit": "送审", "discard": "放弃草稿", "publish": "发布", "return": "退回修改", "ask": "请单位更新",
    "archive": "归档", "rollback": "回退到这一版",
}  # fmt: skip
DONE = {
    "new": "草稿已保存，还没有发布。", "draft": "草稿已保存，还没有发布。", "submit": "已送审，由另一个人审核。", "discard": "草稿已放弃。",
    "publish": "已发布，一秒内可检索。", "return": "已退回修改。", "ask": "已请责任单位更新。", "archive": "已归档。",
    "rollback": "已回退，成为新的一版。",
}  # fmt: skip


@router.get("/kb")
def start(
    request: Request,
    who: Reader,
    q: Annotated[str, Query(max_length=MAX_TEXT)] = "",
    district: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Search, as a dispatcher sees it: what answers, with the passage, or that nothing does."""
    state = runtime_of(request)
    found: dict[str, Any] | None = None
    if q.strip():
        now = clock.now(state.settings.time_zone)
        found = search(state.snapshot.knowledge, q, as_of=now, district=district, top=8)
        # What does not answer is shown only as a hint of what there is.
        found["hits"] = found["hits"] if found["answered"] else found["hits"][:3]
    shown: dict[str, Any] = {"q": q, "district": district, "found": found, "hits": hits(found["hits"]) if found else []}
    if "hx-request" in request.headers:
        return fragment(request, "kb/hits.html", **shown)
    districts = sorted({unit.district for unit in state.snapshot.directory.units if unit.district})
    return kb_page(request, "kb/search.html", "search", districts=districts, **shown)


@router.get("/kb/entries")
def entries(
    request: Request,
    who: Reader,
    state: Annotated[str, Query(max_length=10)] = "",
    unit: Annotated[str, Query(max_length=200)] = "",
    title: Annotated[str, Query(max_length=128)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The entries in the order of their numbers."""
    asked = {"state": state if state in STATES else "", "unit": unit.strip(), "title": title.strip()}
    found = list_entries(
        runtime_of(request).engine,
        day=today(request),
        state=asked["state"],
        unit=asked["unit"],
        text=asked["title"],
        after=after,
    )
    return kb_page(
        request, "kb/entries.html", "entries", rows=found["entries"], next=found["next"], asked=asked, states=STATES
    )


@router.get("/kb/entries/{entry_id}")
def entry(
    request: Request,
    who: Reader,
    entry_id: EntryId,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The version that stands, the text in work beside it, and all that happened."""
    engine = runtime_of(request).engine
    found = entry_document(engine, entry_id, day=today(request))
    history = entry_history(engine, entry_id)
    for one in history:
        one["at"] = datetime.fromisoformat(one["at"])
    return kb_page(
        request,
        "kb/entry.html",
        "entries",
        entry=found,
        standing=whole(found["entry"]) if found["entry"] else None,
        draft=whole(found["draft"]) if found["draft"] else None,
        changes=change_rows(found["changes"]) if found["entry"] else [],
        history=list(reversed(history)),
        versions=[one["version"] for one in history if one["version"]],
        steps=_steps(request, who, entry_id, found["unit"]),
        done=DONE.get(done, ""),
        accepted={"draft": f"kb-{entry_id}", "new": "kb-new"}.get(done, ""),
    )


@router.get("/kb/entries/{entry_id}/diff")
def compare(
    request: Request,
    who: Reader,
    entry_id: EntryId,
    old: Annotated[int | None, Query(ge=1)] = None,
    new: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """What one version has differently from another."""
    engine = runtime_of(request).engine
    found = entry_diff(engine, entry_id, old, new)
    title = entry_document(engine, entry_id, day=today(request))["title"]
    return kb_page(
        request,
        "kb/diff.html",
        "entries",
        id=entry_id,
        title=title,
        old=found["old"],
        new=found["new"],
        changes=change_rows(found["changes"]),
    )


@router.post("/kb/entries/{entry_id}/steps/{action}")
def step(
    request: Request,
    who: Annotated[Actor, Depends(needs("kb.write", "kb.review"))],
    entry_id: EntryId,
    action: Annotated[str, Path(max_length=20)],
    form: Fields,
) -> Response:
    """One step; afterwards the page from which it was taken."""
    if action not in STEPS:
        raise ZhipaiError("E6503")
    revision, version = word(form, "revision"), word(form, "version")
    step_in = StepIn.model_construct(
        actor=word(form, "actor")[:200],
        reason=word(form, "reason")[:2000],
        revision=int(revision) if revision.isdigit() else None,
        version=int(version) if version.isdigit() else None,
    )
    stepped(request, who, entry_id, action, step_in)
    if word(form, "back") == "review":
        return go_to(request, f"/kb/review?done={action}")
    return go_to(request, f"/kb/entries/{part(entry_id)}?done={action}")


def _steps(request: Request, who: Actor, entry_id: str, unit: str) -> list[dict[str, Any]]:
    """The steps that fit the entry's state and that its reader may take; one that he may not take says why not."""
    with reading(runtime_of(request).engine) as connection:
        life = read_life(connection, entry_id)
    found = []
    for action, name in STEPS.items():
        answer = who.may("kb.write" if action in AUTHORS else "kb.review", unit=unit or None)
        if action == "rollback" or not answer.allowed:
            continue
        why = ""
        try:
            check_action(life, action, who.name)
        except ZhipaiError as error:
            if error.code != "E4042":
                continue
            why = error.message
        found.append({"action": action, "name": name, "reason": action not in AUTHORS, "why": why})
    return found


def kb_page(request: Request, template: str, tab: str, *, status_code: int = 200, **context: Any) -> Response:
    """A page of the knowledge base, with its tabs."""
    who: Actor = request.state.actor
    may = {name: who.may(f"kb.{name}").allowed for name in ("write", "review", "import")}
    return page(
        request, template, status_code=status_code, tab=tab, may=may, tones=TONES, action_names=ACTION_NAMES, **context
    )


def today(request: Request) -> date:
    return clock.now(runtime_of(request).settings.time_zone).date()


def runtime_of(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state
