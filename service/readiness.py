"""What the parts say of their own state, for ``/readyz`` and the command line."""

from __future__ import annotations

from datetime import date

from rules import RuleEngine, RulePack, WorkCalendar
from service.rule_versions import Publication

#: From this month on the notice of the next year is due.
NOTICE_MONTH = 11


def rules_say(engine: RuleEngine, *, wanted: str) -> str:
    """Whether the wanted rule engine serves, and whether the two engines ever disagreed."""
    if engine.disagreement_count:
        return f"提醒：两个规则引擎有 {engine.disagreement_count} 次不一致，已按参考引擎判断，请报告规则员"
    if engine.kind != wanted:
        return f"ok（没有安装 durable_rules，由参考引擎判断；结论相同，少一道互校）引擎：{engine.kind}"
    return f"ok（引擎：{engine.kind}）"


def version_says(engine_says: str, pack: RulePack, publication: Publication | None, *, waiting: int) -> str:
    """What the engine says, and which version of the rules serves; a reminder if its facts or words have changed since."""
    if publication is None:
        return f"{engine_says}，规则包 {pack.id}，没有发布过，用的是文件夹里的规则"
    if pack.content_hash != publication.content_hash:
        return (
            f"提醒：现行规则 {publication.id} 发布之后，软件的事实字典或词表有了变化（现为 {pack.id}），"
            "请核对后重新发布"
        )
    more = f"，另有 {waiting} 个版本待生效" if waiting else ""
    return f"{engine_says}，现行规则 {publication.id}，自 {publication.effective_from:%Y-%m-%d %H:%M} 起{more}"


def calendar_says(calendar: WorkCalendar, *, today: date) -> str:
    """From 1 November the next year's holidays are due; past the coverage no deadline can be computed."""
    end = calendar.coverage_end
    if end < today:
        return f"失败：工作日历只到 {end}，时限无法计算，请用 zhipai calendar import 导入 {today.year} 年的放假安排"
    wanted = today.year + (today.month >= NOTICE_MONTH)
    if end < date(wanted, 12, 31):
        return (
            f"提醒：工作日历只到 {end}，越过它的时限会显示“无法判断”；"
            f"请在国务院公布 {wanted} 年放假安排后用 zhipai calendar import 导入"
        )
    return f"ok（到 {end}）"
