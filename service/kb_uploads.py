"""Files of entries that somebody uploads: kept for a day in the data folder for the one who sent them, tried, then imported."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal

from openpyxl import load_workbook
from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from service.entries import ImportOrder
from service.kb_files import import_path
from service.settings import Settings

register("E7999", "没有这份上传", "没有这份上传的文件，可能已超过一天被清除，或是别人上传的。请重新上传。", status=404)

SUFFIXES = (".xlsx", ".csv", ".jsonl", ".docx", ".pdf")
#: After so long an upload is cleared away.
KEPT = timedelta(days=1)
REPORT = "report.xlsx"
TOKEN = re.compile(r"[0-9a-f]{32}")
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]+')
Way = Literal["draft", "submit"]


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file. ``defaults`` fill what a row leaves open; ``summary`` is that of the last run (a trial first)."""

    token: str
    folder: Path
    name: str
    owner: str
    way: Way
    sheet: str
    defaults: dict[str, str]
    summary: dict[str, Any]
    tried: bool
    done: bool

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def report(self) -> Path:
        return self.folder / REPORT


def keep_upload(
    settings: Settings,
    file: BinaryIO,
    name: str,
    *,
    owner: str,
    way: Way,
    sheet: str = "",
    defaults: dict[str, str] | None = None,
    at: datetime,
) -> Upload:
    """Keep a file under a token that nobody guesses; older ones are cleared away. E4012 for a suffix that is not read."""
    _clear(settings, at)
    safe = _UNSAFE.sub("_", Path(name).name).strip(". ")[-120:]
    if Path(safe).suffix.lower() not in SUFFIXES:
        raise ZhipaiError("E4012", {"name": safe})
    token = secrets.token_hex(16)
    folder = settings.home / "kb-uploads" / token
    folder.mkdir(parents=True, mode=0o700)
    with (folder / safe).open("wb") as out:
        shutil.copyfileobj(file, out)
    upload = Upload(token, folder, safe, owner, way, sheet, defaults or {}, {}, tried=False, done=False)
    _write(upload, at)
    return upload


def find_upload(settings: Settings, token: str, *, owner: str) -> Upload:
    """An upload of somebody's own; E7999."""
    folder = settings.home / "kb-uploads" / token
    if not TOKEN.fullmatch(token) or not (folder / "upload.json").is_file():
        raise ZhipaiError("E7999")
    known = json.loads((folder / "upload.json").read_text(encoding="utf-8"))
    known.pop("at")
    if known["owner"] != owner:
        raise ZhipaiError("E7999")
    return Upload(token=token, folder=folder, **known)


def run_upload(
    engine: Engine, upload: Upload, *, actor: str, reason: str, software: str, at: datetime, dry_run: bool
) -> Upload:
    """Try an upload, or import it as drafts; its report is a copy of the user's sheet with a column of results.

    Whatever is imported here becomes a draft or is sent for review: that the author does not review himself holds for a
    file as for one entry. Raises what :func:`service.kb_files.import_path` raises.
    """
    summary = import_path(
        engine,
        upload.path,
        defaults=upload.defaults,
        order=ImportOrder(actor, reason, software=software),
        at=at,
        way=upload.way,
        sheet=upload.sheet,
        report=upload.report,
        dry_run=dry_run,
    )
    done = Upload(
        upload.token,
        upload.folder,
        upload.name,
        upload.owner,
        upload.way,
        upload.sheet,
        upload.defaults,
        summary.as_dict(),
        tried=True,
        done=upload.done or not dry_run,
    )
    _write(done, at)
    return done


def report_rows(upload: Upload, *, after: int = 0, most: int = 50) -> tuple[list[str], list[list[str]]]:
    """The header of a report, and some of its rows."""
    if not upload.report.is_file():
        return [], []
    book = load_workbook(upload.report, read_only=True)
    try:
        rows: Iterator[Any] = book.worksheets[0].iter_rows(values_only=True)
        header = [_text(cell) for cell in next(rows, ())]
        return header, [[_text(cell) for cell in row] for row in islice(rows, after, after + most)]
    finally:
        book.close()


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _write(upload: Upload, at: datetime) -> None:
    known = {
        "name": upload.name,
        "owner": upload.owner,
        "way": upload.way,
        "sheet": upload.sheet,
        "defaults": upload.defaults,
        "summary": upload.summary,
        "tried": upload.tried,
        "done": upload.done,
        "at": at.isoformat(),
    }
    (upload.folder / "upload.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")


def _clear(settings: Settings, at: datetime) -> None:
    for known in (settings.home / "kb-uploads").glob("*/upload.json"):
        since = datetime.fromisoformat(json.loads(known.read_text(encoding="utf-8"))["at"])
        if at - since > KEPT:
            shutil.rmtree(known.parent, ignore_errors=True)
