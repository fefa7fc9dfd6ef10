"""Facts and their values as a person reads them."""

from __future__ import annotations

from rules.fact_dictionary import Fact, Value


def said_value(value: Value | None, fact: Fact | None) -> str:
    """A value in Chinese: 是, 否, 没有填写, 10 工作日 …"""
    if value is None:
        return "没有填写"
    if isinstance(value, bool):
        return "是" if value else "否"
    return f"{value} {fact.unit}" if fact and fact.unit else str(value)
