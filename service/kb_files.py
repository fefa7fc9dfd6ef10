"""Files into the knowledge base and out of it: a result for every row, written beside the user's own columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from knowledge_base import KnowledgeEntry, entry_to_dict
from knowledge_base.columns import COLUMN_NAMES, to_cells
from knowledge_base.documents import open_document
from knowledge_base.entry import DRAFT, PUBLISHED, SUBMITTED, TO_UPDATE
from knowledge_base.markdown_files import open_folder, write_folder
from knowledge_base.sheet_rows import EntryRow, EntrySheet, open_sheet
from models.files import sha256
from service.entries import BATCH, ImportOrder, compare_entries, import_entries
from service.kb_life import Step, import_drafts
from service.table_writer import open_writer

register("E6611", "没有可导入的条目", "“{name}”里没有一行可以导入（{failed} 行有错）。每一行的原因见 {report}。")

Way = Literal["as_written", "draft", "submit"]
RESULT = "导入结果"
_SAYINGS = {"added": "新增", "changed": "更新", "unchanged": "未变", "kept": "未动：已有别人在改的草稿或待审稿"}


@dataclass(frozen=True)
class ImportSummary:
    """How many rows there were, what became of them, and what the user should know besides."""

    rows: int
    added: int
    changed: int
    unchanged: int
    kept: int
    failed: int
    notes: tuple[str, ...]
    first_error: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"notes": list(self.notes)}


def open_any(path: Path, *, defaults: dict[str, str], sheet: str = "") -> EntrySheet:
    """A sheet, a folder of Markdown files, or a policy document; E4012 for anything else."""
    if path.is_dir():
        return open_folder(path, defaults=defaults)
    if path.suffix.lower() in (".docx", ".pdf"):
        return open_document(path, defaults=defaults)
    return open_sheet(path, defaults=defaults, sheet=sheet)


def import_path(
    engine: Engine,
    path: Path,
    *,
    defaults: dict[str, str],
    order: ImportOrder,
    at: datetime,
    way: Way = "as_written",
    sheet: str = "",
    report: Path | None = None,
    dry_run: bool = False,
) -> ImportSummary:
    """Import what is in a file or folder; good rows go in, bad ones are told.

    ``way`` says whether the rows stand at once in the state that they are written in, or become drafts (sent for review).
    The report is a copy of the user's sheet with the column 导入结果. ``dry_run`` does all but the writing.

    Raises
    ------
    ZhipaiError
        E6611 if no row is good, and what :func:`open_any` raises for the file as a whole.
    """
    source = open_any(path, defaults=defaults, sheet=sheet)
    order = replace(order, file=path.name, sha256=sha256(path) if path.is_file() else "")
    counts = dict.fromkeys((*_SAYINGS, "failed"), 0)
    first_error = ""
    writer = open_writer(report, [*source.header, RESULT]) if report else None
    if writer is None:
        for batch in _batches(source.rows):
            _, first_error = _one_batch(engine, batch, counts, first_error, order, at, way, dry_run)
    else:
        with closing(writer):
            for batch in _batches(source.rows):
                said, first_error = _one_batch(engine, batch, counts, first_error, order, at, way, dry_run)
                for row, saying in zip(batch, said, strict=True):
                    writer.write([*row.cells, saying])
            writer.commit()
    rows = sum(counts.values())
    if not rows:
        raise ZhipaiError("E4053", {"path": path.name})
    if counts["failed"] == rows:
        shown = report.name if report else f"报告（加 --report 文件名）；第一处：{first_error}"
        raise ZhipaiError("E6611", {"name": path.name, "failed": rows, "report": shown})
    return ImportSummary(rows=rows, notes=source.notes, first_error=first_error, **counts)


def _batches(rows: Iterator[EntryRow]) -> Iterator[list[EntryRow]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _one_batch(
    engine: Engine,
    batch: Sequence[EntryRow],
    counts: dict[str, int],
    first_error: str,
    order: ImportOrder,
    at: datetime,
    way: Way,
    dry_run: bool,
) -> tuple[list[str], str]:
    """Import the good rows of a batch; what is to be said of each row, and the first error so far."""
    entries = [row.entry for row in batch if row.entry is not None]
    standing = [_as_stored(entry) for entry in entries if way == "as_written" and entry.state not in (DRAFT, SUBMITTED)]
    outcomes = compare_entries(engine, standing)
    if not dry_run:
        import_entries(engine, standing, at=at, order=order)
    step = Step(order.actor, order.reason, software=order.software)
    for submit in (False, True):
        drafts = [one for one in entries if one.id not in outcomes and _is_submitted(one, way) is submit]
        if drafts:
            outcomes |= import_drafts(engine, drafts, step, submit=submit, at=at, dry_run=dry_run)
    said = []
    for row in batch:
        if row.error is not None:
            counts["failed"] += 1
            first_error = first_error or str(row.error)
            said.append(f"出错：[{row.error.code}] {row.error.message}")
        elif row.entry is not None:
            outcome = outcomes[row.entry.id]
            counts[outcome] += 1
            said.append(("将" if dry_run and outcome in ("added", "changed") else "") + _SAYINGS[outcome])
    return said, first_error


def _is_submitted(entry: KnowledgeEntry, way: Way) -> bool:
    return way == "submit" or (way == "as_written" and entry.state == SUBMITTED)


def _as_stored(entry: KnowledgeEntry) -> KnowledgeEntry:
    """待更新 is where an entry stands, not what it says: the text is that of the published version."""
    return replace(entry, state=PUBLISHED) if entry.state == TO_UPDATE else entry


def export_path(entries: Sequence[KnowledgeEntry], out: Path) -> int:
    """Write entries to a sheet (.xlsx, .csv, .jsonl) or, where the name has no suffix, a folder of Markdown files.

    Importing what was written changes nothing. Returns how many; E6601 for another suffix.
    """
    if not out.suffix:
        return write_folder(out, entries)
    if out.suffix.lower() == ".jsonl":
        part = out.with_name(f".{out.name}.part")
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(entry_to_dict(entry), ensure_ascii=False) + "\n" for entry in entries)
        part.replace(out)
        return len(entries)
    names = tuple(COLUMN_NAMES)
    with closing(open_writer(out, [COLUMN_NAMES[name][0] for name in names])) as writer:
        for entry in entries:
            writer.write(to_cells(entry_to_dict(entry), names))
        writer.commit()
    return len(entries)
