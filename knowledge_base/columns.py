"""How entries stand in a sheet: what columns are called, and what a cell says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from intake.column_names import plain_name
from knowledge_base.versions import TITLES

#: Field -> names of its column, the one that is written first. Remarks in brackets and marks of obligation do not count.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    name: (TITLES[name], name, *others)
    for name, others in {
        "id": ("条目编号", "知识编号", "序列号", "知识id"),
        "title": ("知识标题", "条目标题", "问题", "标准问", "标准问题", "question", "名称", "事项名称"),
        "questions": ("相似问", "相似问法", "扩展问", "其他问法", "常见问法"),
        "answer": ("答复", "答案", "回答", "答复内容", "知识内容", "内容", "要点", "reply"),
        "body": ("全文", "详细内容", "详情"),
        "matter": ("事项编号", "所属事项", "事项编码"),
        "district": ("辖区", "适用区域", "区县", "适用地区"),
        "audience": ("服务对象", "面向对象"),
        "unit": ("维护单位", "发文单位", "承办单位", "单位", "部门", "责任部门"),
        "clause": ("政策依据", "法律依据", "依据文号", "设定依据"),
        "effective_from": ("生效时间", "实施日期", "施行日期", "开始日期"),
        "effective_to": ("失效时间", "截止日期", "有效期至", "到期日期", "结束日期"),
        "attachments": ("附件名称",),
        "contacts": ("联系电话", "咨询电话", "电话", "咨询方式"),
        "source": ("知识来源", "出处", "来源渠道"),
        "secrecy": ("公开范围", "是否公开"),
        "state": ("知识状态", "条目状态"),
    }.items()
}
_FIELD_OF = {column: name for name, columns in COLUMN_NAMES.items() for column in columns}
_SEPARATOR = re.compile(r"[；;|]")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?")
_NO_END = frozenset({"长期", "长期有效", "永久", "无", "/", "-", "—"})
_CONTACT = re.compile(r"(?:(?P<name>[^：:]{1,40})[：:]\s*)?(?P<value>[^（(]+?)\s*(?:[（(](?P<day>[^（）()]*)[)）])?")


def field_of(column: str) -> str:
    """The field that a column of this name holds; empty for a column of the user's own."""
    return _FIELD_OF.get(plain_name(column), "")


def from_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """A row of a sheet (field -> cell) as an entry stands in JSON; unreadable dates stay text, to be refused by name."""
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        text = _unquoted(cell.strip())
        if name == "questions":
            row[name] = _list(text)
        elif name == "contacts":
            row[name] = [_contact(part) for part in _list(text)]
        elif name == "attachments":
            row[name] = [dict(zip(("name", "sha256"), part.split("#"), strict=False)) for part in _list(text)]
        elif name in ("effective_from", "effective_to"):
            row[name] = None if text in _NO_END and name == "effective_to" else to_day(text) or text or None
        else:
            row[name] = text
    if not row.get("id") and row.get("title"):
        row["id"] = stable_id(row)
    return row


def stable_id(row: Mapping[str, Any]) -> str:
    """An id for an entry that came without one, the same whenever the same title, district and unit come again."""
    key = "\0".join(str(row.get(name) or "") for name in ("title", "district", "unit"))
    return f"K{sha256(key.encode()).hexdigest()[:12]}"


def to_cells(row: Mapping[str, Any], names: Sequence[str] = tuple(TITLES)) -> list[str]:
    """An entry as it stands in JSON, as cells in the order of ``names``; :func:`from_cells` reads them back."""
    return [_cell(name, row.get(name)) for name in names]


def to_day(text: str) -> str:
    """2026年1月31日, 2026/1/31, 2026-01-31 00:00:00 … as 2026-01-31; empty if it is no day."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return ""
    try:
        return date(*map(int, match.groups())).isoformat()
    except ValueError:
        return ""


def _cell(name: str, value: Any) -> str:
    if name == "contacts":
        return "\n".join(map(_contact_cell, value or ()))
    if name == "attachments":
        return "\n".join("#".join(filter(None, (one["name"], one.get("sha256")))) for one in value or ())
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def _contact_cell(contact: Mapping[str, Any]) -> str:
    name = f"{contact['name']}：" if contact.get("name") else ""
    return f"{name}{contact['value']}" + (f"（{contact['checked']}）" if contact.get("checked") else "")


def _contact(text: str) -> dict[str, Any]:
    match = _CONTACT.fullmatch(text)
    if match is None:
        return {"value": text}
    day = re.sub(r"[^\d年月/.-]", "", match["day"] or "").rstrip("年月/.-")
    checked = to_day(match["day"] or "") or to_day(day)
    if match["day"] and not checked:  # a remark, not a day
        return {"name": match["name"] or "", "value": text[match.start("value") :]}
    return {"name": match["name"] or "", "value": match["value"], "checked": checked or None}


def _list(text: str) -> list[str]:
    """One to a line; in a cell of one line, between semicolons or bars."""
    parts = text.splitlines() if "\n" in text else _SEPARATOR.split(text)
    return [part.strip() for part in parts if part.strip()]


def _unquoted(text: str) -> str:
    """Without the apostrophe that our CSV puts before what a spreadsheet would run."""
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text


def plain_value(value: Any) -> Any:
    """A YAML value as it stands in JSON: days as text."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain_value(one) for one in value]
    if isinstance(value, dict):
        return {key: plain_value(one) for key, one in value.items()}
    return value
