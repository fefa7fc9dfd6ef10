"""The report of a backtest as a workbook: one sheet for each way of counting, numbers as numbers, text never run."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from rules.backtest_report import STATE_NAMES
from service.table_writer import EXCEL_ROWS, text_cell

_CELLS = {
    "orders": "工单",
    "old": "对照有提示",
    "new": "新包有提示",
    "gained": "多出",
    "lost": "少了",
    "changed": "改变",
}
#: What a ZIP archive says where nothing is known about the time.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_workbook(report: Mapping[str, Any], path: Path) -> None:
    """Write the workbook. The same report gives the same bytes."""
    book = Workbook(write_only=True)
    for title, header, rows in _sheets(report):
        sheet = book.create_sheet(title)
        sheet.append([text_cell(sheet, name) for name in header])
        for number, row in enumerate(rows, start=2):
            if number > EXCEL_ROWS:
                break
            sheet.append(
                [
                    value if isinstance(value, int | float) else text_cell(sheet, "" if value is None else str(value))
                    for value in row
                ]
            )
    content = io.BytesIO()
    book.save(content)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(_without_times(content.getvalue()))
    part.replace(path)


def _without_times(content: bytes) -> bytes:
    """The workbook without the instant at which it was written."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            body = source.read(entry)
            if entry.filename == "docProps/core.xml":
                body = re.sub(rb"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", b"1980-01-01T00:00:00Z", body)
            target.writestr(zipfile.ZipInfo(entry.filename, _EPOCH), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


Sheet = tuple[str, Sequence[str], Iterable[Sequence[object]]]


def _sheets(report: Mapping[str, Any]) -> list[Sheet]:
    states = list(STATE_NAMES)
    rules = (
        [row[key] for key in ("rule", "title", "gate", "effect", "severity")]
        + [row["new"][state] for state in states]
        + [row["old"][state] for state in states]
        + [row[key] for key in ("gained", "lost", "verify", "clause", "basis")]
        for row in report["rules"]
    )
    moves = (
        [row["rule"], row["title"], STATE_NAMES[move["old"]], STATE_NAMES[move["new"]], move["orders"]]
        for row in report["rules"]
        for move in row["moves"]
    )
    clause_keys = ("clause", "document", "article", "confidence", "summary")
    examples = (
        [
            *(group[key] for key in ("says", "rule", "title")),
            *(order[key] for key in ("number", "order_id", "unit", "text", "cause")),
        ]
        for group in report["examples"]
        for order in group["orders"]
    )
    truth_keys = ("name", "n", "positives", "true_hits", "false_hits", "missed", "rejected", "unknown")
    return [
        ("总览", ("项目", "值"), _overview(report)),
        (
            "规则",
            ["规则", "名称", "关口", "意思", "轻重"]
            + [f"新：{STATE_NAMES[state]}" for state in states]
            + [f"对照：{STATE_NAMES[state]}" for state in states]
            + ["新命中", "不再命中", "需核实的增减", "条款", "依据"],
            rules,
        ),
        ("状态变化", ("规则", "名称", "对照", "新", "工单"), moves),
        (
            "条款",
            ["条款", "文件", "条号", "置信度", "概括", *_CELLS.values()],
            ([row[key] for key in (*clause_keys, *_CELLS)] for row in report["clauses"]),
        ),
        *(
            (title, [title, *_CELLS.values()], ([row[key] for key in ("name", *_CELLS)] for row in report[name]))
            for title, name in (("单位", "units"), ("区", "districts"), ("月", "months"))
        ),
        (
            "单位与规则",
            ("单位", "规则", "名称", "新命中", "不再命中"),
            ([row[key] for key in ("unit", "rule", "title", "gained", "lost")] for row in report["unit_rules"]),
        ),
        (
            "对照列",
            ("对照", "工单", "列中为是", "说对", "多说", "漏说", "都为否", "无法判断", "准确率", "召回率"),
            ([row[key] for key in (*truth_keys, "precision", "recall")] for row in report["truths"]),
        ),
        ("例子", ("变化", "规则", "名称", "行号或决定序号", "工单编号", "单位", "诉求（已脱敏）", "缺什么"), examples),
    ]


def _overview(report: Mapping[str, Any]) -> list[Sequence[object]]:
    totals, against = report["totals"], report["against"]
    names = {
        "rows": "读到的行",
        "evaluated": "判断的工单",
        "new": "新包有提示的工单",
        "old": "对照有提示的工单",
        "gained": "多出提示的工单",
        "lost": "少了提示的工单",
        "changed": "提示改变的工单",
        "verify": "新增需核实的工单",
    }
    return [
        ("规则包", report["pack"]["id"]),
        ("规则包内容散列", report["pack"]["content_hash"]),
        ("对照", against["id"] if against else "（没有对照）"),
        ("工单", report["source"]["name"]),
        ("工单内容散列", report["source"].get("file", "")),
        ("判断时刻", report["as_of"]),
        ("关口", "、".join(gate["title"] for gate in report["gates"])),
        *((title, totals[key]) for key, title in names.items()),
        *((f"未判断：{row['title']}（{row['code']}）", row["orders"]) for row in report["skipped"]),
    ]
