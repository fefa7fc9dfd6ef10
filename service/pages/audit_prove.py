"""验证与检查点: prove the log from the page, sign a checkpoint, take checkpoints and public keys away."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select

from intake.errors import ZhipaiError, register
from service import clock
from service.access import Actor
from service.api.auth import needs
from service.audit.checkpoint import file_name, publish, sign_checkpoint
from service.audit.keys import KeyStore
from service.audit.note import parse_checkpoint
from service.audit.report import KINDS
from service.audit.tree import identity_of, size_of
from service.audit_verification import start_verification, verification_state
from service.db.engine import reading
from service.db.tables_audit import LOG_CHECKPOINTS
from service.pages.audit import PAGE, runtime
from service.pages.render import fragment, page
from service.runtime import Runtime

register("E7984", "没有这个检查点", "没有这个检查点。请从列表里选一个。", status=404)

router = APIRouter(include_in_schema=False)
Verifier = Annotated[Actor, Depends(needs("audit.verify"))]


@router.get("/audit/prove")
def prove(request: Request, _: Verifier) -> Response:
    state = runtime(request)
    with reading(state.engine) as connection:
        size, identity = size_of(connection), identity_of(connection)
    entries = KeyStore(state.settings.key_folder).entries()
    return page(
        request,
        "audit/prove.html",
        tab="prove",
        size=size,
        identity=identity,
        minutes=state.settings.checkpoint_minutes,
        key=entries[-1] if entries else None,
        **_verification(state),
        **_checkpoints(state),
    )


@router.post("/audit/verify")
def verify(request: Request, who: Verifier) -> Response:
    """Begin to verify the whole log; where somebody began already, his counts."""
    state = runtime(request)
    start_verification(state.engine, state.settings, actor=who.name, at=clock.now(state.settings.time_zone))
    return fragment(request, "audit/verification.html", **_verification(state))


@router.get("/audit/verification")
def verification(request: Request, _: Verifier) -> Response:
    """How far it has come, or what came out."""
    return fragment(request, "audit/verification.html", **_verification(runtime(request)))


@router.post("/audit/checkpoints")
def sign(request: Request, _: Verifier) -> Response:
    """A checkpoint now; the last one again if nothing was added since. E7804–E7806, E7813."""
    state = runtime(request)
    signed = sign_checkpoint(state.engine, state.settings, at=clock.now(state.settings.time_zone))
    publish(signed, state.settings.checkpoints, KeyStore(state.settings.key_folder))
    told = {"toast": {"text": f"检查点在 {signed.size} 条处，已写到检查点文件夹。"}}
    return fragment(request, "audit/checkpoints.html", headers={"HX-Trigger": json.dumps(told)}, **_checkpoints(state))


@router.get("/audit/checkpoints")
def checkpoints(request: Request, _: Verifier, before: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """The next page of the list."""
    return fragment(request, "audit/checkpoint_rows.html", **_checkpoints(runtime(request), before))


@router.get("/audit/checkpoints/{number}")
def checkpoint(request: Request, _: Verifier, number: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> Response:
    """The signed text, as a file."""
    query = select(LOG_CHECKPOINTS.c.note).where(LOG_CHECKPOINTS.c.id == number)
    with reading(runtime(request).engine) as connection:
        note = connection.execute(query).scalar()
    if note is None:
        raise ZhipaiError("E7984")
    return _file(note, file_name(parse_checkpoint(note, name="数据库")))


@router.get("/audit/keys")
def keys(request: Request, _: Verifier) -> Response:
    """The public keys, one a line, as ``zhipai audit key show --out`` writes them."""
    entries = KeyStore(runtime(request).settings.key_folder).entries()
    return _file("".join(f"{entry.key.line}\n" for entry in entries), "zhipai-log-keys.pub")


def _file(text: str, name: str) -> Response:
    return PlainTextResponse(text, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _verification(state: Runtime) -> dict[str, Any]:
    found = verification_state(state.settings)
    return {"state": found, "problem_kinds": KINDS}


def _checkpoints(state: Runtime, before: int | None = None) -> dict[str, Any]:
    table = LOG_CHECKPOINTS.c
    query = select(table.id, table.size, table.key_id, table.note, table.created_at).order_by(table.id.desc())
    if before is not None:
        query = query.where(table.id < before)
    with reading(state.engine) as connection:
        found = connection.execute(query.limit(PAGE + 1)).all()
    rows = [
        {"id": one.id, "size": one.size, "key_id": one.key_id, "signed_at": one.created_at, "root": _root(one.note)}
        for one in found[:PAGE]
    ]
    return {"checkpoints": rows, "more": rows[-1]["id"] if len(found) > PAGE else None}


def _root(note: str) -> str:
    """The root that a checkpoint signs, in hexadecimal; empty where it cannot be read."""
    try:
        return parse_checkpoint(note, name="数据库").root.hex()
    except ZhipaiError:
        return ""
