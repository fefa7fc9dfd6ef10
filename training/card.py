"""The model card, written by the code that trained the model."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from training.dataset import TrainingSet
from training.frozen import row_keys
from training.train import Trained

_MEASURES = (
    ("top1", "前 1 命中"),
    ("top3", "前 3 命中"),
    ("top5", "前 5 命中"),
    ("macro_f1", "宏平均 F1"),
    ("ece", "校准误差（15 箱）"),
)


def contradictions(dataset: TrainingSet) -> list[tuple[int, ...]]:
    """Rows of equal text that went to different units, one tuple a text."""
    by_text: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(dataset.texts):
        by_text[text].append(row)
    return [tuple(rows) for rows in by_text.values() if len({dataset.units[row] for row in rows}) > 1]


def data_card(dataset: TrainingSet, *, source: str, files: Mapping[str, str]) -> dict[str, Any]:
    """What the orders were: counts, period, units, and a hash that changes with any text or label. No text."""
    days = sorted(instant for instant in dataset.received_at if instant is not None)
    sizes = Counter(dataset.units)
    content = hashlib.sha256()
    for key, unit, group in sorted(zip(row_keys(dataset), dataset.units, dataset.groups, strict=True)):
        content.update(f"{key}\0{unit}\0{group}\n".encode())
    counts = dataset.counts
    return {
        "source": source,
        "hash": f"data-{content.hexdigest()[:16]}",
        "read": counts.read,
        "kept": len(dataset),
        "errors": counts.errors,
        "without_unit": counts.without_unit,
        "older": counts.older,
        "unknown_unit": counts.unknown_unit,
        "first_day": days[0].date().isoformat() if days else None,
        "last_day": days[-1].date().isoformat() if days else None,
        "units": len(sizes),
        "units_with_one_order": len(dataset.single_units),
        "largest_unit": max(sizes.values()),
        "groups": len(set(dataset.groups)),
        "contradictory_texts": len(contradictions(dataset)),
        "directory": dataset.directory.id,
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }


def _fields(figures: Mapping[str, Any] | None) -> list[str]:
    """One line on what the fields known at filing add, where the orders have any."""
    if not figures:
        return []
    told = "，".join(f"{name} {figures[key]:.3f}" for key, name in _MEASURES)
    return [f"以上只用文字；加上受理时的字段（工单类型、行业分类、渠道）：{told}。", ""]


def model_card(trained: Trained, *, at: datetime, source: str = "") -> str:
    """Markdown in Chinese: data, split, figures with intervals, worst units, use and limits.

    ``at`` is when it was trained and ``source`` says what the orders are; both come from the caller.
    """
    dataset, evaluation, config = trained.dataset, trained.evaluation, trained.config
    counts = dataset.counts
    days = sorted(instant for instant in dataset.received_at if instant is not None)
    period = f"{days[0]:%Y-%m-%d} 至 {days[-1]:%Y-%m-%d}" if days else "未记录"
    sizes = Counter(dataset.units)
    conformal, abstained = evaluation.conformal, evaluation.abstained
    lines = [
        "# 承办单位推荐模型",
        "",
        f"- 模型：{trained.ranker.model_id or '（未保存）'}",
        f"- 训练时刻：{at.isoformat(timespec='seconds')}",
        f"- 编码器：{trained.ranker.encoder_id}",
        f"- 单位名录：{trained.ranker.directory.id}",
        "",
        "## 数据",
        f"- 来源：{source or '未说明'}；受理时间 {period}",
        f"- 读入 {counts.read} 行，用于训练 {counts.kept} 条；有错误 {counts.errors}，无承办单位 {counts.without_unit}，"
        f"单位不在名录 {counts.unknown_unit}" + (f"，超出上限没有用的较早工单 {counts.older}" if counts.older else ""),
        f"- {len(sizes)} 个单位，其中只有 1 条工单的 {len(dataset.single_units)} 个",
        "",
        "## 评测",
        f"按重复组留出 {config.holdout:.0%}（随机种子 {config.seed}）：用 {evaluation.trained_on} 条训练，在另外 "
        f"{evaluation.n} 条、{evaluation.units} 个单位上评测；其中 {evaluation.new_units} 条的单位在训练部分没有工单，"
        f"{evaluation.left_out} 条的单位当日已撤销，不计入。登记的模型随后用全部 {counts.kept} 条重新训练，以上成绩不是它的成绩。",
        "",
        "| 指标 | 数值 | 95% 区间 |",
        "|---|---|---|",
    ]
    figures = evaluation.as_dict()
    for key, name in _MEASURES:
        low, high = evaluation.intervals[key]
        lines.append(f"| {name} | {figures[key]:.3f} | {low:.3f}–{high:.3f} |")
    lines += [
        f"| 准确率不低于 95% 时可直接决定的比例 | {evaluation.coverage_at_95:.3f} | |",
        f"| 覆盖集：约定 / 实际覆盖率 / 平均大小 | {conformal['level']:.2f} / {conformal['coverage']:.3f} / "
        f"{conformal['mean_size']:.2f} | |",
        f"| 职能归一：前 1 / 前 3 命中 | {evaluation.function_top1:.3f} / {evaluation.function_top3:.3f} | |",
        f"| 弃权比例；弃权时、不弃权时前 1 命中 | {abstained['share']:.3f}；{abstained['accuracy_abstained']:.3f}、"
        f"{abstained['accuracy_decided']:.3f} | |",
        "",
        *_fields(evaluation.with_fields),
        "### 最差的单位（召回，留出条数）",
        "",
        *(f"- {row['unit']}：{row['recall']:.2f}（{row['n']}）" for row in evaluation.worst_units),
        "",
        "## 用途和限度",
        "- 给派单员建议承办单位，由人决定；不得据此自动派单或拒绝受理。",
        "- 输入必须经过同一套清理（去派单提示、隐去个人信息）；带提示的文本会使成绩虚高。",
        "- 标签是历史上最终承办的单位，含当时的错派；机构改革之后须核对名录并重新训练。",
        "- 相近工单以隐去个人信息的摘要存在模型文件夹里，文件夹应与工单同等保管。",
        "",
        "批准人：________",
        "",
    ]
    return "\n".join(lines)
