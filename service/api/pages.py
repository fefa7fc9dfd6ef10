"""The start page: what this is, a form to try it, and where to go next. Nothing is loaded from outside."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

HERE = Path(__file__).parent
router = APIRouter(include_in_schema=False)


@router.get("/")
def start() -> FileResponse:
    return FileResponse(HERE / "start.html", media_type="text/html; charset=utf-8")


@router.get("/start.js")
def script() -> FileResponse:
    return FileResponse(HERE / "start.js", media_type="text/javascript; charset=utf-8")
