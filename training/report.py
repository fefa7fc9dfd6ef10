"""The generated part of docs/quality.md, written from the results of :mod:`training.quality`; what is absent says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from intake.errors import ZhipaiError, register
from training.errors import CAUSES
from training.quality import MEASUREMENTS, Measurement

register("E5111", "质量页缺少标记", "“{name}”里没有“{mark}”一行，不知道把结果写在哪里。请从版本库恢复这个文件。")

START, END = "<!-- zhipai quality：以下由命令生成，不要手改 -->", "<!-- zhipai quality：以上由命令生成 -->"
EARLIER = "这一节是用较早的编码器量的，换了编码器之后没有重测。"
Result = Mapping[str, Any]

#: Figure -> heading.
_FIGURES = {
    "top1": "前 1 命中",
    "top3": "前 3 命中",
    "top5": "前 5 命中",
    "macro_f1": "宏平均 F1",
    "function_top1": "职能归一前 1",
    "function_top3": "职能归一前 3",
    "coverage_at_95": "准确率 95% 时可直接决定",
    "ece": "校准误差（15 箱）",
    "conformal.coverage": "90% 覆盖集：覆盖率",
    "conformal.mean_size": "90% 覆盖集：平均大小",
    "abstained.share": "弃权比例",
}


def page(text: str, results: Mapping[str, Result | None], *, encoder: str = "", name: str = "quality.md") -> str:
    """``text`` with what stands between the two marks replaced; E5111 without the marks.

    A result that was not measured with the encoder of this id (empty: any) says so.
    """
    for mark in (START, END):
        if mark not in text:
            raise ZhipaiError("E5111", {"name": name, "mark": mark})
    before, after = text[: text.index(START)], text[text.index(END) + len(END) :]
    parts = [_section(one, results.get(one.name), encoder) for one in MEASUREMENTS]
    return f"{before}{START}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"


def _section(measurement: Measurement, found: Result | None, encoder: str) -> str:
    head = f"## {measurement.title}\n\n`zhipai quality --only {measurement.name}`"
    if found is None:
        return f"{head}\n\n未测：这次没有要求测这一项，或机器上没有数据 `{measurement.file}`；也没有以前的结果。"
    bodies: dict[str, Callable[[Result], list[str]]] = {
        "cold_start": _cold,
        "ablation": _ablation,
        "learning_curve": _curve,
        "transfer": _transfer,
    }
    lines = bodies.get(measurement.name, _folds)(found["result"])
    size = f"{found['orders']:,} 条，{found['unit_count']} 个单位；列对应 `datasets/mappings/{measurement.mapping}`。"
    older = [] if encoder in ("", found.get("encoder", "")) else ["", EARLIER]
    return "\n".join([head, "", size, *older, "", *lines])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def _folds(result: Result) -> list[str]:
    folds, fields = result["folds"], result["fields"]
    sizes = "、".join(str(fold["n"]) for fold in folds)
    seconds = result["text"]["train_seconds"]["mean"]
    rows = []
    for key, name in _FIGURES.items():
        row = [name, _mean(result["text"][key])]
        rows.append([*row, _mean(fields[key])] if fields else row)
    head = ["指标", "只用文字", "加受理时字段"] if fields else ["指标", "只用文字"]
    lines = [
        f"按重复组分 {len(folds)} 折（每折测试 {sizes} 条），均值和 95% 区间（各折间的 t 区间）；"
        f"一折训练平均 {seconds:.0f} 秒（不含编码）。",
        "",
        *_table(head, rows),
    ]
    # A result that is kept from an earlier version may lack it.
    if pooled := result.get("calibration"):
        lines += [
            "",
            f"校准误差，全部折的 {pooled['n']:,} 个答案合在一起、只用文字：{pooled['ece']:.4f}；完全校准的答案，同样多、同样的"
            f"概率，单凭偶然平均也会量出 {pooled['chance']:.4f}。一折条数少，偶然的部分更大。",
        ]
    if result["worst"]:
        worst = [[row["unit"], str(row["n"]), f"{row['recall']:.2f}", row["reason"]] for row in result["worst"]]
        lines += ["", "召回最低的单位（全部折合计，至少 20 条，只用文字）和数字里看得出的原因：", ""]
        lines += _table(["单位", "条数", "召回", "原因"], worst)
    return lines + _errors(result)


def _errors(result: Result) -> list[str]:
    """What the errors are made of, and how far the labels agree with themselves."""
    counts, agreed = result["errors"], result["agreement"]
    wrong = sum(count for name, count in counts.items() if name != "right")
    total = wrong + counts["right"]
    rows = [[text, str(counts[name]), f"{counts[name] / wrong:.0%}"] for name, text in CAUSES.items() if counts[name]]
    lines = ["", f"前 1 的错误由什么组成（全部折合计，{total:,} 条里错 {wrong:,} 条；归入最先符合的一行）：", ""]
    lines += _table(["原因", "条数", "占错误"], rows)
    if agreed["orders"]:
        lines += [
            "",
            f"标签自己的一致程度：{agreed['orders']:,} 条工单有重复来电，同组另一条派给同一单位的平均占 {agreed['share']:.3f}。",
        ]
    return lines


def _mean(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.3f}（{figure['low']:.3f}–{figure['high']:.3f}）"


def _interval(row: Result, key: str) -> str:
    low, high = row["intervals"][key]
    return f"{row[key]:.3f}（{low:.3f}–{high:.3f}）"


def _cold(result: Result) -> list[str]:
    return [
        f"每次把十分之一的单位的全部工单留出训练，共 {result['units']} 个单位、{result['orders']} 条；"
        "这些单位只剩职责、职能和辖区可依。",
        "",
        *_table(
            ["前 1 命中", "前 5 命中", "前 5 命中（各单位平均）"],
            [[f"{result[key]:.3f}" for key in ("top1", "top5", "top5_units")]],
        ),
    ]


def _ablation(result: Result) -> list[str]:
    keys = ("top1", "top3", "top5", "macro_f1", "ece")
    rows = [[row["name"], *(_interval(row, key) for key in keys)] for row in result["rows"]]
    return [
        f"五折里的第一折（测试 {result['rows'][0]['n']} 条），每次让一个部分看不见它的输入，其余重新训练；"
        "区间是按重复组自助法的 95% 区间。",
        "",
        *_table(["", *(_FIGURES[key] for key in keys)], rows),
    ]


def _curve(result: Result) -> list[str]:
    rows = [
        [
            f"{point['labels']:,}",
            *(f"{point[name][key]:.3f}" for name in ("random", "suggested") for key in ("top1", "macro_f1")),
            f"{point['margin']:+.3f} ± {point['margin_se']:.3f}",
        ]
        for point in result["points"]
    ]
    return [
        f"同一批留出工单（{result['test']:,} 条，按重复组），可供标注 {result['pool']:,} 条，{result['seeds']} 次不同的起点取平均。"
        "为了便宜，只用编码器向量上的 softmax 回归，成绩低于完整的排序；比的是挑工单的办法。"
        "`suggest-labels` 每批挑模型最拿不准、彼此不相像的工单。",
        "",
        *_table(["标注条数", "随机：前 1", "随机：宏 F1", "建议：前 1", "建议：宏 F1", "前 1 相差（± 标准误）"], rows),
    ]


def _transfer(result: Result) -> list[str]:
    keys = ("top1", "top3", "macro_f1", "ece")
    rows = [[_FIGURES[key], _interval(result, key)] for key in keys]
    return [
        f"训练 {result['trained_on']:,} 条随附语料，测试 {result['n']:,} 条，没有一条参与训练；"
        "区间是按重复组自助法的 95% 区间。",
        "",
        *_table(["指标", "数值"], rows),
    ]
