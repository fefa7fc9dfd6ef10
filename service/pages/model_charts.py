"""Charts of an evaluation as ECharts options: data only. Each says in words what it shows, and has its numbers beside it
(``columns``, ``rows``) for those who do not see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.model_desk import Evidence

#: Room for the names of the axes, which ECharts does not count as labels.
GRID = {"left": 30, "right": 24, "top": 20, "bottom": 34, "containLabel": True}
Chart = dict[str, Any]


def reliability(found: Evidence) -> Chart:
    """Mean probability against the share that was right; the size of a point is its number of orders."""
    most = max((one["n"] for one in found.reliability), default=1)
    points = [
        {
            "value": [round(one["confidence"], 4), round(one["accuracy"], 4), one["n"]],
            "symbolSize": round(8 + 22 * (one["n"] / most) ** 0.5, 1),
        }
        for one in found.reliability
    ]
    options = {
        "grid": GRID,
        "xAxis": _share("模型给出的概率"),
        "yAxis": _side(_share("实际命中率")),
        "series": [
            {
                "type": "line",
                "data": [[0, 0], [1, 1]],
                "symbol": "none",
                "lineStyle": {"type": "dashed"},
                "silent": True,
            },
            {"type": "line", "data": points, "name": "各段"},
        ],
        "tooltip": {"trigger": "item"},
    }
    alt = f"可靠性：点在虚线上表示概率与实际一致。校准误差 {found.figures['ece']:.3f}，{found.figures['n']} 条。"
    rows = [
        (
            f"{one['confidence']:.3f}",
            f"{one['accuracy']:.3f}",
            f"{one['n']:,}",
            f"{one['accuracy'] - one['confidence']:+.3f}",
        )
        for one in found.reliability
    ]
    return {
        "id": "reliability",
        "title": "可靠性",
        "options": options,
        "alt": alt,
        "columns": ("平均概率", "实际命中率", "工单", "差"),
        "rows": rows,
    }


def accuracy_at_coverage(found: Evidence) -> Chart:
    options = {
        "grid": GRID,
        "xAxis": _share("直接决定的工单比例"),
        "yAxis": _side(_share("其中首选命中")),
        "series": [
            {
                "type": "line",
                "data": [[round(share, 4), round(right, 4)] for share, right in found.curve],
                "symbol": "none",
                "markLine": {
                    "symbol": "none",
                    "silent": True,
                    "data": [{"yAxis": 0.95}],
                    "label": {"formatter": "95%", "position": "insideEndTop"},
                },
            }
        ],
        "tooltip": {"trigger": "axis"},
    }
    share = found.figures["coverage_at_95"]
    alt = f"最有把握的在前：要首选命中不低于 95%，可以直接决定其中 {share:.0%} 的工单。"
    return {
        "id": "coverage",
        "title": "直接决定多少，命中多少",
        "options": options,
        "alt": alt,
        "columns": ("直接决定的比例", "其中首选命中"),
        "rows": [(f"{at:.0%}", f"{right:.3f}") for at, right in _tenths(found.curve)],
    }


def _tenths(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of the curve that lie nearest to 10%, 20% … 100%, each once."""
    nearest = [min(points, key=lambda point: abs(point[0] - tenth / 10)) for tenth in range(1, 11)] if points else []
    return list(dict.fromkeys(nearest))


def curve(measured: Mapping[str, Any]) -> Chart:
    """What more labels buy, at random and as suggested (:func:`training.learning_curve.learning_curve`)."""
    points = measured["points"]
    ways = (("random", "随机标"), ("suggested", "按建议标"))
    series = [
        {"type": "line", "name": name, "data": [[one["labels"], round(one[key]["top1"], 4)] for one in points]}
        for key, name in ways
    ]
    sizes = [one["labels"] for one in points]
    options = {
        "grid": GRID | {"top": 40},
        "legend": {"top": 0},
        "xAxis": {
            "type": "log",
            "name": "标注条数",
            "nameLocation": "middle",
            "nameGap": 26,
            "min": min(sizes),
            "max": max(sizes),
        },
        "yAxis": _side({"type": "value", "scale": True, "name": "前 1 命中"}),
        "series": series,
        "tooltip": {"trigger": "axis"},
    }
    alt = f"学习曲线：前 1 命中随标注条数的变化；{measured['seeds']} 次平均，{measured['test']} 条测试。"
    return {
        "id": "learning",
        "title": "多标注换来什么",
        "options": options,
        "alt": alt,
        "columns": ("标注条数", *(f"{name}，前 {at}" for at in (1, 3) for _, name in ways)),
        "rows": [
            (f"{one['labels']:,}", *(f"{one[key][f'top{at}']:.3f}" for at in (1, 3) for key, _ in ways))
            for one in points
        ],
    }


def _share(name: str) -> dict[str, Any]:
    return {"type": "value", "min": 0, "max": 1, "name": name, "nameLocation": "middle", "nameGap": 26}


def _side(axis: dict[str, Any]) -> dict[str, Any]:
    """An upright axis: its name stands clear of the numbers."""
    return axis | {"nameLocation": "middle", "nameGap": 38}
