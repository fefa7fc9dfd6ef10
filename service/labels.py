"""Files of labels: what to label next, the sheet it stands in, and the audit of what was labelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.prepare import prepare
from intake.readers import Row, read_columns, read_orders
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from service.ranking import rank_prepared
from service.settings import Settings
from service.table_writer import open_writer
from service.training import load_encoder
from service.training_sources import read_training_set
from training.config import TrainConfig
from training.label_audit import Suspicion, audit, out_of_fold
from training.label_exchange import Answered, Task
from training.labels import Strategy, suggest

register("E5109", "没有可标注的工单", "“{path}”里没有还没标注的工单：{rows} 行都已有承办单位，或者没有可用的文字。")

ANSWER = "答案单位"
SHEET = ("挑选理由", "建议单位1", "概率1", "建议单位2", "概率2", "建议单位3", "概率3", ANSWER)
AUDIT = ("工单编号", "诉求内容", "现有单位", "像是", "像是的概率", "现有单位的概率", "理由", ANSWER)
IMPORTED = ("工单编号", "诉求内容", "建议单位", ANSWER, "标注人", "问题")
#: Units whose probabilities are looked at for how torn the model is.
SHOWN = 10


def suggest_labels(
    ranker: UnitRanker,
    encoder: Encoder,
    orders: Path,
    out: Path,
    *,
    mapping: Mapping,
    count: int,
    strategy: Strategy,
    as_of: datetime,
    progress: Progress,
) -> int:
    """Write the most useful unlabelled orders to a sheet; how many. E5109 when every order has a unit already.

    Suggestions and answer are columns apart: the answer is left empty for a person.
    """
    theirs = [name for name in dict.fromkeys(read_columns(orders)) if name not in SHEET]
    rows, prepared, total = [], [], 0
    for row in read_orders(orders, mapping):
        total += 1
        if row.order is None or row.order.unit:
            continue
        one = prepare(row.order, Gazetteer.empty())
        if one.text:
            rows.append(row)
            prepared.append(one)
    if not rows:
        raise ZhipaiError("E5109", {"path": orders.name, "rows": total})
    vectors = encoder.encode([one.text for one in prepared], progress=progress)
    rankings = rank_prepared(ranker, prepared, vectors, as_of=as_of, top=SHOWN)
    shown = np.zeros((len(rows), SHOWN))
    for number, ranking in enumerate(rankings):
        values = [one.probability for one in ranking.units]
        shown[number, : len(values)] = values
    groups = [one.order.group for one in prepared]
    chosen = suggest(vectors, shown, count=count, strategy=strategy, groups=groups)
    writer = open_writer(out, [*theirs, *SHEET])
    try:
        for pick in chosen:
            why = f"把握不足（{pick.usefulness:.2f}）"
            if pick.stands_for > 1:
                why += f"，另有 {pick.stands_for - 1} 条与它几乎相同"
            cells = [part for unit in rankings[pick.row].units[:3] for part in (unit.unit, f"{unit.probability:.4f}")]
            cells += [""] * (6 - len(cells))
            writer.write([*(rows[pick.row].raw.get(name, "") for name in theirs), why, *cells, ""])
        writer.commit()
    finally:
        writer.close()
    return len(chosen)


def sheet_tasks(sheet: Path, mapping: Mapping) -> Iterator[Task]:
    """The orders of a sheet (of :func:`suggest_labels`, or any file of orders) as labelling tasks, masked."""
    for row in read_orders(sheet, replace(mapping, directory=None)):
        if row.order is None:
            continue
        text = prepare(row.order, Gazetteer.empty()).text
        if text:
            yield Task(row.order.order_id or f"第 {row.number} 行", text, tuple(_suggested(row)))


def _suggested(row: Row) -> Iterator[tuple[str, float]]:
    for place in (1, 2, 3):
        unit, probability = row.raw.get(f"建议单位{place}", ""), row.raw.get(f"概率{place}", "")
        if unit:
            yield unit, float(probability or 0)


def write_answers(answers: list[Answered], out: Path) -> None:
    """The answers of annotators as a sheet that can be trained on: 答案单位 is the unit, 建议单位 never is."""
    writer = open_writer(out, IMPORTED)
    try:
        for one in answers:
            writer.write([one.order_id, one.text, one.suggestion, one.answer, "、".join(one.annotators), one.problem])
        writer.commit()
    finally:
        writer.close()


def audit_labels(
    settings: Settings,
    orders: Path,
    mapping: Mapping,
    out: Path,
    *,
    config: TrainConfig,
    folds: int,
    at: datetime,
    progress: Progress,
) -> tuple[int, list[Suspicion]]:
    """Write the doubted labels of a file with their reasons; how many orders were read, and the doubts."""
    dataset = read_training_set(settings, orders, mapping)
    encoder = load_encoder(settings)
    dataset = replace(dataset, vectors=encoder.encode(dataset.texts, progress=progress))
    probabilities = out_of_fold(dataset, encoder=encoder, config=config, as_of=at, folds=folds, progress=progress)
    found = audit(dataset, probabilities, as_of=at)
    writer = open_writer(out, AUDIT)
    try:
        for one in found:
            row: list[Any] = [dataset.order_ids[one.row], dataset.texts[one.row], one.given, one.suggested]
            writer.write([*row, f"{one.p_suggested:.3f}", f"{one.p_given:.3f}", "；".join(one.reasons), ""])
        writer.commit()
    finally:
        writer.close()
    return len(dataset), found
