"""Import entries from a file: tried first, row by row; then as drafts, which somebody else reviews."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, UploadFile
from fastapi.responses import FileResponse, Response

from intake.errors import ZhipaiError
from knowledge_base.versions import TITLES
from service import clock
from service.access import Actor
from service.api.auth import named, needs
from service.kb_uploads import Upload, find_upload, keep_upload, report_rows, run_upload
from service.pages.form_fields import Fields, word
from service.pages.forms import go_to
from service.pages.kb import kb_page, runtime_of
from service.version import VERSION

router = APIRouter(include_in_schema=False)
Importer = Annotated[Actor, Depends(needs("kb.import"))]
Token = Annotated[str, Path(max_length=40)]
Short = Annotated[str, Form(max_length=200)]
PAGE = 50


@router.get("/kb/import")
def form(request: Request, who: Importer) -> Response:
    return _form(request, {}, None)


def _form(request: Request, typed: dict[str, str], error: ZhipaiError | None) -> Response:
    """The form with what was typed (a browser lets no page fill in the file), and what is wrong with it."""
    limit = runtime_of(request).settings.max_upload_bytes // (1024 * 1024)
    status = error.status if error else 200
    values = dict.fromkeys(("way", "sheet", "unit", "district", "effective_from"), "") | typed
    return kb_page(request, "kb/import.html", "import", status_code=status, limit=limit, values=values, error=error)


@router.post("/kb/import")
def upload(
    request: Request,
    who: Importer,
    file: Annotated[UploadFile, File()],
    way: Annotated[Literal["draft", "submit"], Form()] = "draft",
    sheet: Short = "",
    unit: Short = "",
    district: Short = "",
    effective_from: Short = "",
) -> Response:
    """Keep the file and try it: nothing is written yet."""
    state = runtime_of(request)
    at = clock.now(state.settings.time_zone)
    defaults = {"unit": unit.strip(), "district": district.strip(), "effective_from": effective_from.strip()}
    try:
        _check_day(defaults["effective_from"])
        kept = keep_upload(
            state.settings,
            file.file,
            file.filename or "",
            owner=who.name,
            way=way,
            sheet=sheet,
            defaults=defaults,
            at=at,
        )
        _run(request, who, kept, actor="试导入", reason="", dry_run=True)
    except ZhipaiError as error:
        if error.status >= 500:
            raise
        return _form(request, {**defaults, "way": way, "sheet": sheet}, error)
    return go_to(request, f"/kb/import/{kept.token}")


def _check_day(text: str) -> None:
    """E4006 for what is no day: said once, and not in every row."""
    if not text:
        return
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ZhipaiError("E4006", {"field": TITLES["effective_from"], "value": text}) from None


@router.get("/kb/import/{token}")
def outcome(
    request: Request, who: Importer, token: Token, start: Annotated[int, Query(ge=0, alias="from")] = 0
) -> Response:
    """What became of every row, or would become of it."""
    found = find_upload(runtime_of(request).settings, token, owner=who.name)
    header, rows = report_rows(found, after=start, most=PAGE)
    total = int(found.summary.get("rows", 0))
    return kb_page(
        request,
        "kb/import_result.html",
        "import",
        upload=found,
        header=header,
        rows=rows,
        start=start,
        next=start + PAGE if start + PAGE < total else None,
    )


@router.post("/kb/import/{token}")
def confirm(request: Request, who: Importer, token: Token, sent: Fields) -> Response:
    """Import what was tried."""
    found = find_upload(runtime_of(request).settings, token, owner=who.name)
    _run(request, who, found, actor=named(who, word(sent, "actor")), reason=word(sent, "reason")[:2000], dry_run=False)
    return go_to(request, f"/kb/import/{token}")


@router.get("/kb/import/{token}/report")
def report(request: Request, who: Importer, token: Token) -> Response:
    """The user's own sheet with one more column."""
    found = find_upload(runtime_of(request).settings, token, owner=who.name)
    return FileResponse(found.report, filename=f"{found.path.stem}-导入结果.xlsx")


def _run(request: Request, who: Actor, found: Upload, *, actor: str, reason: str, dry_run: bool) -> dict[str, Any]:
    state = runtime_of(request)
    at = clock.now(state.settings.time_zone)
    done = run_upload(
        state.engine, found, actor=actor, reason=reason, software=f"zhipai {VERSION}", at=at, dry_run=dry_run
    )
    return done.summary
