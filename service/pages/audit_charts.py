"""一致与改派: the rates of the log as charts and tables, each with its number and its interval."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError
from service.access import Actor
from service.api.auth import needs
from service.audit_query import AuditFilter
from service.audit_stats import DIMENSIONS, FEW, decision_stats
from service.pages.audit import PAGE, Wanted, checked, filters, runtime
from service.pages.render import page

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(needs("audit.read"))]
RATES = {"agreement": "一致率", "override": "改派率", "abstention": "弃权率", "returned": "退单率"}
BY = {"week": "按周", "unit": "按单位", "model": "按模型"}
#: Groups that a chart shows; the table has all.
SHOWN = 10


@router.get("/audit/charts")
def charts(
    request: Request,
    who: Reader,
    asked: Wanted,
    by: Annotated[str, Query(max_length=10)] = "week",
    part: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Response:
    """Rates in all and by week, unit or model, of the dispatches that the filters leave."""
    state = runtime(request)
    by = by if by in DIMENSIONS else "week"
    total: dict[str, Any] | None = None
    groups: list[dict[str, Any]] = []
    problem, known = "", False
    try:
        total, groups, known = _stats(state.engine, checked(request, who, asked), by)
    except ZhipaiError as error:
        problem = error.message
    shown = groups[(part - 1) * PAGE : part * PAGE]
    return page(
        request,
        "audit/charts.html",
        status_code=422 if problem else 200,
        tab="charts",
        problem=problem,
        by=by,
        ways=BY,
        rates=RATES,
        total=total,
        groups=shown,
        known=known,
        few=FEW,
        part=part,
        parts=-(-len(groups) // PAGE),
        options=(_weeks(groups) if by == "week" else _ranges(groups[:SHOWN])) if groups else None,
        number=min(len(groups), SHOWN),
        **filters(asked, state),
    )


def _stats(engine: Any, wanted: AuditFilter, by: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]], bool]:
    """The rates in all, those of the groups (weeks by time, others by number), and whether returns are known of."""
    found = decision_stats(engine, wanted, by=[by])
    groups = [group | {"name": group[by] or "（没有）"} for group in found["groups"] if by in group]
    if by != "week":
        groups.sort(key=lambda group: (-group["dispatches"], group["name"]))
    total = next((group for group in found["groups"] if by not in group), None)
    return total, groups, found["returns_known"]


def _weeks(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Two lines over the weeks, each in the band of its interval."""
    series: list[dict[str, Any]] = []
    for place, name in enumerate(("agreement", "override")):
        rates = [group[name] for group in groups]
        band = {"type": "line", "stack": name, "symbol": "none", "silent": True, "lineStyle": {"opacity": 0}}
        series += [
            {**band, "data": [_hundred(rate["low"]) for rate in rates]},
            {
                **band,
                "data": [_hundred(rate["high"], rate["low"]) for rate in rates],
                "areaStyle": {"opacity": 0.18},
                "colorBy": "series",
            },
            {"type": "line", "name": RATES[name], "data": [_hundred(rate["rate"]) for rate in rates], "symbolSize": 7},
        ]
        for one in series[-3:]:
            one["zlevel"] = place
    return {
        "legend": {"data": [RATES["agreement"], RATES["override"]]},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": [group["name"] for group in groups]},
        "yAxis": {"type": "value", "min": 0, "max": 100, "axisLabel": {"formatter": "{value}%"}},
        "series": series,
    }


def _ranges(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """For each group the interval of its rates as a box with the rate as the line in it."""
    names = [group["name"] if len(group["name"]) <= 16 else group["name"][:15] + "…" for group in groups]
    return {
        "legend": {"data": [RATES["agreement"], RATES["override"]]},
        "grid": {"left": 12, "right": 30, "top": 36, "bottom": 12, "containLabel": True},
        "yAxis": {"type": "category", "inverse": True, "data": names, "axisLabel": {"interval": 0}},
        "xAxis": {"type": "value", "min": 0, "max": 100, "axisLabel": {"formatter": "{value}%"}},
        "series": [
            {
                "type": "boxplot",
                "name": RATES[name],
                "boxWidth": [6, 14],
                "itemStyle": {"borderWidth": 2, "color": "transparent"},
                "data": [_box(group[name]) for group in groups],
            }
            for name in ("agreement", "override")
        ],
    }


def _box(rate: dict[str, Any]) -> list[float | None] | str:
    if rate["rate"] is None:
        return "-"
    low, middle, high = (_hundred(rate[name]) for name in ("low", "rate", "high"))
    return [low, low, middle, high, high]


def _hundred(value: float | None, less: float | None = 0) -> float | None:
    return None if value is None or less is None else round(100 * (value - less), 2)
