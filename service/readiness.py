"""What the parts say of their own state, for ``/readyz`` and the command line."""

from __future__ import annotations

from datetime import date

from rules import RuleEngine, WorkCalendar


def rules_say(engine: RuleEngine, *, wanted: str) -> str:
    """Whether the wanted rule engine serves, and whether the two engines ever disagreed."""
    if engine.disagreement_count:
        return f"提醒：两个规则引擎有 {engine.disagreement_count} 次不一致，已按参考引擎判断，请报告规则员"
    if engine.kind != wanted:
        return f"ok（没有安装 durable_rules，由参考引擎判断；结论相同，少一道互校）引擎：{engine.kind}"
    return f"ok（引擎：{engine.kind}）"


def calendar_says(calendar: WorkCalendar, *, today: date) -> str:
    """From 1 November the next year's holidays are due; past the coverage no deadline can be computed."""
    end = calendar.coverage_end
    if end < today:
        return f"失败：工作日历只到 {end}，时限无法计算，请导入今年的放假安排"
    if end.year == today.year and today.month >= 11:
        return f"提醒：工作日历只到 {end}，跨年的时限会显示“无法判断”，请在国务院公布后导入下一年的放假安排"
    return f"ok（到 {end}）"
