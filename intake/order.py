"""What a work order (工单) is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from intake.errors import ZhipaiError, register

#: Characters. The longest real order in the measured sets has about 3,000; a call record past this is a paste accident.
MAX_TEXT = 8000

register("E1001", "诉求内容为空", "诉求内容是空的。请填写来电人反映的事情，至少写明什么事、在哪里。")
register(
    "E1002", "诉求内容过长", "诉求内容有 {length} 个字，最多 {limit} 个字。请删去粘贴进来的附件或历史答复后再提交。"
)
register("E1003", "诉求内容无文字", "诉求内容里没有文字（只有符号、表情或数字）。请写明来电人反映的事情。")
register("E1004", "时刻缺时区", "“{field}”没有时区。请写成 2026-05-01T09:30:00+08:00 这样带时区的时刻。")


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One work order (工单) as filed.

    Everything here is known at the moment of filing. What a dispatcher or unit writes later (the unit, replies) is
    kept out, except ``unit`` in historic orders, which is the label and never a feature.

    Parameters
    ----------
    text : str
        诉求内容, as recorded. May still hold personal data and a dispatch hint; see ``intake.prepare``.
    order_id : str
        工单编号; empty when the order has none yet.
    title, channel, order_type, category : str
        诉求标题, 渠道, 工单类型, 行业分类; empty when not supplied.
    received_at : datetime or None
        受理时间, aware.
    district, street, community : str
        区, 街道, 社区 as filed; empty when not supplied.
    related : tuple of str
        关联工单.
    group : str
        重复组: orders that repeat one another share it; splits never cut through it.
    unit : str
        Finally accepted unit (承办单位) of a historic order; empty for a new one.
    """

    text: str
    order_id: str = ""
    title: str = ""
    channel: str = ""
    order_type: str = ""
    category: str = ""
    received_at: datetime | None = None
    district: str = ""
    street: str = ""
    community: str = ""
    related: tuple[str, ...] = ()
    group: str = ""
    unit: str = ""
    extra: dict[str, str] = field(default_factory=dict)


def check_order(order: WorkOrder, *, where: str = "") -> WorkOrder:
    """Return the order if it can be triaged, else raise :class:`ZhipaiError` with the place.

    ``where`` is a prefix for the place, such as a sheet and row. An order with no letter or ideograph at all (only
    emoji, digits, punctuation) cannot be triaged: E1003.
    """
    place = f"{where} 诉求内容".strip()
    text = order.text.strip()
    if not text:
        raise ZhipaiError("E1001", where=place)
    if len(order.text) > MAX_TEXT:
        raise ZhipaiError("E1002", {"length": len(order.text), "limit": MAX_TEXT}, where=place)
    if not any(character.isalpha() for character in text):
        raise ZhipaiError("E1003", where=place)
    if order.received_at is not None and order.received_at.tzinfo is None:
        raise ZhipaiError("E1004", {"field": "受理时间"}, where=f"{where} 受理时间".strip())
    return order
