"""Write an entry: the form with its preview, and what happens when two maintainers write at once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError
from knowledge_base.entry import SECRECIES
from knowledge_base.versions import TITLES
from service import clock
from service.access import Actor
from service.api.auth import needs
from service.api.kb_life_routes import drafted
from service.kb_history import entry_document
from service.kb_life import EntryConflict
from service.pages.form_fields import Fields, part, word
from service.pages.forms import go_to
from service.pages.kb import EntryId, kb_page, runtime_of, today
from service.pages.kb_view import change_rows, form_values, preview, read_entry, shown
from service.pages.render import fragment

router = APIRouter(include_in_schema=False)
Writer = Annotated[Actor, Depends(needs("kb.write"))]


@router.get("/kb/new")
def new(request: Request, who: Writer, title: Annotated[str, Query(max_length=128)] = "") -> Response:
    return entry_form(request, "", None, form_values({"title": title}))


@router.get("/kb/entries/{entry_id}/edit")
def edit(request: Request, who: Writer, entry_id: EntryId) -> Response:
    """The text in work, or else the version that stands."""
    found = entry_document(runtime_of(request).engine, entry_id, day=today(request))
    return entry_form(request, entry_id, found["revision"], form_values(found["draft"] or found["entry"] or {}))


@router.post("/kb/preview")
def show(request: Request, who: Writer, form: Fields) -> Response:
    """The text as the page of an entry would show it; nothing is kept."""
    return fragment(request, "kb/preview.html", shown=preview(read_entry(form)))


@router.post("/kb/new")
def create(request: Request, who: Writer, form: Fields) -> Response:
    return _save(request, who, "", form)


@router.post("/kb/entries/{entry_id}/edit")
def change(request: Request, who: Writer, entry_id: EntryId, form: Fields) -> Response:
    return _save(request, who, entry_id, form)


def _save(request: Request, who: Actor, entry_id: str, form: Fields) -> Response:
    """Keep the draft; what is wrong is said above the form, with everything that was typed still in it."""
    revision = word(form, "revision")
    seen = int(revision) if revision.isdigit() else None
    typed = {name: word(form, name) for name in form_values({})}
    try:
        told = drafted(request, who, read_entry(form), entry_id or None, revision=seen, said=word(form, "actor"))
    except EntryConflict as conflict:
        return _conflict(request, entry_id, conflict)
    except ZhipaiError as error:
        if error.status >= 500 or error.code in ("E6521", "E4043"):
            raise
        return entry_form(request, entry_id, seen, typed, error=in_words(error))
    # The draft in the browser belongs to the form that was sent: a new entry has no number there yet.
    done = "draft" if entry_id else "new"
    return go_to(request, f"/kb/entries/{part(told['id'])}?done={done}")


def in_words(error: ZhipaiError) -> ZhipaiError:
    """The same error with the field called as the form calls it."""
    name = TITLES.get(str(error.params.get("field", "")))
    return ZhipaiError(error.code, {**error.params, "field": name}, where=error.where) if name else error


def entry_form(
    request: Request, entry_id: str, revision: int | None, values: dict[str, str], *, error: ZhipaiError | None = None
) -> Response:
    return kb_page(
        request,
        "kb/edit.html",
        "entries" if entry_id else "new",
        status_code=error.status if error else 200,
        id=entry_id,
        revision=revision,
        values=values,
        titles=TITLES,
        secrecies=SECRECIES,
        error=error,
        units=_units(request),
    )


def _conflict(request: Request, entry_id: str, conflict: EntryConflict) -> Response:
    """Both texts, field by field, and one put together that the second may go on from."""
    found: dict[str, Any] = conflict.details
    mine, theirs = found["yours"] or {}, found["standing"]
    return kb_page(
        request,
        "kb/conflict.html",
        "entries",
        status_code=conflict.status,
        id=entry_id,
        error=conflict,
        revision=found["revision"],
        theirs=change_rows(one for one in found["changes"] if one["field"] != "state"),
        conflicts=[
            {"title": TITLES[name], "mine": shown(mine.get(name)), "theirs": shown(theirs.get(name))}
            for name in found["conflicts"]
        ],
        values=form_values(found["merged"]),
        titles=TITLES,
        secrecies=SECRECIES,
        units=_units(request),
    )


def _units(request: Request) -> list[str]:
    state = runtime_of(request)
    now = clock.now(state.settings.time_zone)
    return sorted(unit.name for unit in state.snapshot.directory.in_force(now))
