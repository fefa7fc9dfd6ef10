"""Look through the knowledge base, and through orders for what it lacks; reports as a workbook or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from intake.clean import clean_text
from intake.errors import ZhipaiError, register
from intake.mapping import Mapping as Columns
from intake.pii import mask_pii
from intake.prepare import prepare
from intake.readers import read_columns, read_orders
from knowledge_base import KnowledgeIndex, entry_to_dict
from knowledge_base.citations import KnownClause
from knowledge_base.columns import COLUMN_NAMES, to_cells
from knowledge_base.gaps import Asked, Gaps, samples
from knowledge_base.upkeep import Findings
from rules.pack import PACKS, load_pack
from service.db.engine import check_version, make_engine
from service.settings import Settings
from service.snapshot import load_gazetteer, load_knowledge
from service.table_writer import text_cell

register("E6612", "没有答复列", "文件“{path}”里没有列“{column}”。现有的列：{columns}。")
register("E6613", "报告格式不支持", "报告请写成 .xlsx 或 .json，不是“{suffix}”。")

#: Rows of one sheet of a report that a person may still look at.
MOST_ROWS = 5000
Sheets = Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]


def open_index(settings: Settings, *, as_of: datetime) -> KnowledgeIndex:
    """The index of the entries that stood at ``as_of``, without a model: the base can be looked after before there is one."""
    from models.encoder import Encoder

    engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
    try:
        check_version(engine)
        return load_knowledge(settings, engine, Encoder.load(settings.encoder_folder), as_of=as_of)
    finally:
        engine.dispose()


def known_clauses() -> list[KnownClause]:
    """The clauses of the rule packs that come along, with the day on which each ends."""
    return [
        KnownClause(clause.document, clause.article, clause.effective_to)
        for path in sorted(PACKS.glob("*/pack.yaml"))
        for clause in load_pack(path.parent.name).clauses.values()
    ]


def read_asked(
    path: Path, columns: Columns | None, settings: Settings, *, reply_column: str = "", only_type: str = ""
) -> Iterator[Asked]:
    """The orders of a file, masked; rows that are no orders are passed over.

    E6612 if there is no such reply column; what :func:`intake.readers.read_orders` raises for the file as a whole.
    """
    names = read_columns(path)
    if reply_column and reply_column not in names:
        raise ZhipaiError("E6612", {"path": path.name, "column": reply_column, "columns": "、".join(names)})
    gazetteer = load_gazetteer(settings)
    for row in read_orders(path, columns or Columns.guess(names)):
        if row.order is None or only_type not in ("", row.order.order_type):
            continue
        reply = mask_pii(clean_text(row.raw.get(reply_column, ""))).text if reply_column else ""
        prepared = prepare(row.order, gazetteer)
        yield Asked(row.order.order_id or str(row.number), prepared.text, row.order.unit, reply)


def check_document(found: Findings) -> dict[str, Any]:
    """What was found, as JSON."""
    return {
        "looked_at": found.looked_at,
        "duplicates": [
            {"first": one.first.id, "second": one.second.id, "score": round(one.score, 3)} for one in found.duplicates
        ],
        "contradictions": [
            {"first": one.first.id, "second": one.second.id, "kind": one.kind, "values": one.values, "clauses": one.clauses}
            for one in found.contradictions
        ],
        "repealed": [{"id": one.id, "clause": clause, "reason": reason} for one, clause, reason in found.repealed],
        "unfound": [
            {"id": one.entry.id, "question": one.question, "instead": one.instead.id if one.instead else None,
             "reason": one.reason}
            for one in found.unfound
        ],
        "quality": [
            {"id": one.entry.id, "unit": one.entry.unit, "score": one.score, "reasons": [list(why) for why in one.reasons]}
            for one in found.quality
        ],
    }  # fmt: skip


def without_text(document: Mapping[str, Any]) -> dict[str, Any]:
    """A report of gaps that names orders and holds no word of them: it may be kept where erasure does not reach."""
    topics = [{name: topic[name] for name in ("terms", "orders")} for topic in document.get("topics", ())]
    return {**document, **({"topics": topics} if "topics" in document else {})}


def check_sheets(found: Findings) -> Sheets:
    """What was found, as the sheets of a workbook."""
    return {
        "重复": (
            ("编号", "标题", "责任单位", "编号", "标题", "责任单位", "相同的可能"),
            [[*_head(one.first), *_head(one.second), f"{one.score:.2f}"] for one in found.duplicates],
        ),
        "矛盾": (
            ("种类", "编号", "标题", "责任单位", "说法", "编号", "标题", "责任单位", "说法"),
            [
                [one.kind, *_head(one.first), one.clauses[0], *_head(one.second), one.clauses[1]]
                for one in found.contradictions
            ],
        ),
        "依据失效": (
            ("编号", "标题", "责任单位", "依据", "原因"),
            [[*_head(one), clause, reason] for one, clause, reason in found.repealed],
        ),
        "搜不到": (
            ("编号", "标题", "责任单位", "用这句问法", "排在前面的", "标题", "责任单位", "原因"),
            [
                [*_head(one.entry), one.question, *(_head(one.instead) if one.instead else ("", "", "")), one.reason]
                for one in found.unfound
            ],
        ),
        "质量分": (
            ("编号", "标题", "责任单位", "分数", "扣分原因"),
            [
                [*_head(one.entry), one.score, "；".join(f"{why}（-{cost}）" for why, cost in one.reasons)]
                for one in found.quality
            ],
        ),
    }


def gaps_document(found: Gaps) -> dict[str, Any]:
    """What is lacking, as JSON. Texts are masked."""
    return {
        "read": found.read,
        "answerable": [
            {"order": one.asked.id, "unit": one.asked.unit, "entry": one.hit.entry.id, "score": round(one.hit.score, 3)}
            for one in found.answerable
        ],
        "topics": [
            {"terms": one.terms, "orders": [asked.id for asked in one.asked], "samples": samples(one),
             "draft": entry_to_dict(one.draft) if one.draft else None}
            for one in found.topics
        ],
        "alone": found.alone,
    }  # fmt: skip


def gaps_sheets(found: Gaps) -> Sheets:
    """What is lacking, as the sheets of a workbook; the sheet 草稿 can be imported as it is with ``--draft``."""
    names = tuple(COLUMN_NAMES)
    drafts = [one.draft for one in found.topics if one.draft is not None]
    return {
        "有条目可答却派出": (
            ("工单", "派往", "诉求", "可答的条目", "标题", "责任单位", "把握"),
            [
                [one.asked.id, one.asked.unit, one.asked.text, *_head(one.hit.entry), f"{one.hit.score:.2f}"]
                for one in found.answerable
            ],
        ),
        "没有条目可答": (
            ("主题词", "诉求数", "典型诉求", "工单", "有无草稿"),
            [
                ["、".join(one.terms), len(one.asked), "\n".join(samples(one)),
                 "、".join(asked.id for asked in one.asked[:50]), "有" if one.draft else "无"]
                for one in found.topics
            ],
        ),
        "草稿": ([COLUMN_NAMES[name][0] for name in names], [to_cells(entry_to_dict(one), names) for one in drafts]),
    }  # fmt: skip


def write_report(path: Path, document: Mapping[str, Any], sheets: Sheets) -> None:
    """Write a report as ``.json`` or ``.xlsx``, whole or not at all; every cell is text, never a formula. E6613."""
    part = path.with_name(f".{path.name}.part")
    try:
        if path.suffix.lower() == ".json":
            part.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
        elif path.suffix.lower() == ".xlsx":
            book = Workbook(write_only=True)
            for name, (header, rows) in sheets.items():
                sheet = book.create_sheet(name)
                for row in (header, *rows[:MOST_ROWS]):
                    sheet.append([text_cell(sheet, "" if cell is None else str(cell)) for cell in row])
                if len(rows) > MOST_ROWS:
                    sheet.append([text_cell(sheet, f"另有 {len(rows) - MOST_ROWS} 行，见 .json 报告")])
            book.save(part)
        else:
            raise ZhipaiError("E6613", {"suffix": path.suffix})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _head(entry: Any) -> tuple[str, str, str]:
    return entry.id, entry.title, entry.unit
