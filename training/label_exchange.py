"""Labelling tasks for Label Studio and Argilla, and the answers back. A suggestion is never taken for an answer.

Formats: Label Studio's task JSON with ``predictions`` and ``annotations`` (labelstud.io, guide/task_format and
guide/predictions); Argilla's records as ``dataset.records.to_json`` writes them, with ``suggestions`` and ``responses``
by question (docs.argilla.io, reference/argilla/records).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

from intake.errors import ZhipaiError, register

register(
    "E5112",
    "标注文件看不懂",
    "“{path}”第 {number} 条不是 Label Studio 或 Argilla 导出的标注（{problem}）。请导出为 JSON 后再导入。",
)

Format = Literal["label-studio", "argilla"]
FORMATS: tuple[Format, ...] = ("label-studio", "argilla")
#: The name of the question and of the text, on both sides.
QUESTION, TEXT = "unit", "text"


@dataclass(frozen=True, slots=True)
class Task:
    """An order to label, with the units that a model suggests, the likeliest first."""

    order_id: str
    text: str
    suggestions: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back for one order. ``answer`` is empty where annotators disagree (``problem`` says so) or gave none."""

    order_id: str
    text: str
    suggestion: str
    answer: str
    annotators: tuple[str, ...] = ()
    problem: str = ""


def export_tasks(tasks: Iterable[Task], path: Path, *, form: Format, model: str = "") -> int:
    """Write tasks for a tool to import; how many. ``model`` is named as the source of the suggestions."""
    make = _label_studio if form == "label-studio" else _argilla
    rows = [make(task, model) for task in tasks]
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return len(rows)


def labelling_config(units: Sequence[str]) -> str:
    """The labelling interface that Label Studio needs for these tasks (XML)."""
    choices = "\n".join(f"    <Choice value={quoteattr(unit)}/>" for unit in units)
    return (
        f'<View>\n  <Text name="{TEXT}" value="${TEXT}"/>\n'
        f'  <Choices name="{QUESTION}" toName="{TEXT}" choice="single" showInLine="false">\n{choices}\n'
        "  </Choices>\n</View>\n"
    )


def _label_studio(task: Task, model: str) -> dict[str, Any]:
    row: dict[str, Any] = {"data": {TEXT: task.text, "order_id": task.order_id}}
    if task.suggestions:
        unit, probability = task.suggestions[0]
        choice = {"from_name": QUESTION, "to_name": TEXT, "type": "choices", "value": {"choices": [unit]}}
        row["predictions"] = [{"model_version": model, "score": probability, "result": [choice]}]
    return row


def _argilla(task: Task, model: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": task.order_id,
        "fields": {TEXT: task.text},
        "metadata": {"order_id": task.order_id},
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }
    if task.suggestions:
        unit, probability = task.suggestions[0]
        row["suggestions"][QUESTION] = {"value": unit, "score": probability, "agent": model}
    return row


def import_answers(path: Path) -> list[Answered]:
    """Read what either tool exported; which one shows in each row. E5112 names the first row that is neither."""
    try:
        text = path.read_text(encoding="utf-8")
        # Argilla's older exports are JSON lines.
        rows = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ZhipaiError("E5112", {"path": path.name, "number": 1, "problem": type(error).__name__}) from error
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_from_label_studio(row) if "data" in row else _from_argilla(row))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            problem = f"缺少或写错了 {error}" if isinstance(error, KeyError) else "结构不对"
            raise ZhipaiError("E5112", {"path": path.name, "number": number, "problem": problem}) from error
    return found


def _from_label_studio(row: dict[str, Any]) -> Answered:
    data = row["data"]
    answers = [
        (choice, str(annotation.get("completed_by", "")))
        for annotation in row.get("annotations") or ()
        # A task that was skipped has an annotation too.
        if not annotation.get("was_cancelled")
        for choice in _choices(annotation["result"])
    ]
    suggested = [choice for one in row.get("predictions") or () for choice in _choices(one["result"])]
    return _agreed(str(data.get("order_id") or row.get("id", "")), str(data[TEXT]), suggested, answers)


def _choices(result: Iterable[dict[str, Any]]) -> Iterator[str]:
    for one in result:
        if one.get("type") == "choices" and one.get("from_name") == QUESTION:
            yield from map(str, one["value"]["choices"][:1])


def _from_argilla(row: dict[str, Any]) -> Answered:
    answers = [
        (str(response["value"]), str(response.get("user_id") or ""))
        for response in (row.get("responses") or {}).get(QUESTION) or ()
        if response.get("status", "submitted") == "submitted" and response["value"]
    ]
    suggestion = (row.get("suggestions") or {}).get(QUESTION) or {}
    metadata = row.get("metadata") or {}
    suggested = [str(suggestion["value"])] if suggestion.get("value") else []
    return _agreed(str(metadata.get("order_id") or row["id"]), str(row["fields"][TEXT]), suggested, answers)


def _agreed(order_id: str, text: str, suggested: list[str], answers: list[tuple[str, str]]) -> Answered:
    """One answer where all annotators gave the same; else none, and why."""
    units = sorted({unit for unit, _ in answers})
    return Answered(
        order_id,
        text,
        suggested[0] if suggested else "",
        units[0] if len(units) == 1 else "",
        tuple(sorted({who for _, who in answers if who})),
        f"标注不一致：{'、'.join(units)}" if len(units) > 1 else "" if units else "没有标注",
    )
