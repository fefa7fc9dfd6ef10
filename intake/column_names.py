"""The names that columns have in exports of hotline systems and in public data sets: field -> names, best first."""

from __future__ import annotations

from collections.abc import Iterable


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "text": _names(
        "诉求内容 工单内容 诉求描述 反映内容 问题描述 事件描述 事件内容 投诉内容 来电内容 来信内容 留言详情 留言内容 受理内容 诉求正文 "
        "主要内容 问题内容 详细内容 具体内容 内容描述 内容 正文 描述 诉求 text content order_text"
    ),
    "order_id": _names(
        "工单编号 工单号 诉求编号 受理编号 受理单号 事件编号 信件编号 留言编号 办件编号 编号 流水号 order_id id"
    ),
    "title": _names("诉求标题 工单标题 标题 事件标题 留言主题 主题 title"),
    "channel": _names("渠道 来源渠道 诉求渠道 受理渠道 诉求来源 事件来源 受理方式 channel"),
    "order_type": _names("工单类型 诉求类型 诉求性质 事件性质 信件类型 受理类型 order_type"),
    "category": _names("行业分类 诉求分类 问题分类 事项分类 分类 事件类型 问题类型 类别 category"),
    "received_at": _names(
        "受理时间 来电时间 诉求时间 创建时间 登记时间 提交时间 来信时间 留言时间 派发时间 时间 received_at created_at"
    ),
    "district": _names("区 所属区 区县 行政区 所属区域 事发区 辖区 district"),
    "street": _names("街道 所属街道 街镇 镇街 街道乡镇 street"),
    "community": _names("社区 所属社区 村社区 社区村 community"),
    "related": _names("关联工单 关联单号 相关工单 related"),
    "group": _names("重复组 group"),
    "unit": _names("承办单位 处置单位 责任单位 主办单位 办理单位 答复单位 处理单位 承办部门 责任部门 unit"),
}

_KNOWN = frozenset(name for names in COMMON_NAMES.values() for name in names)


def plain_name(column: str) -> str:
    """A column name without marks of obligation, remarks in brackets and capitals: “*诉求内容（必填）” is 诉求内容."""
    return column.strip().strip("*＊ ").split("（")[0].split("(")[0].lower()


def count_known(cells: Iterable[str]) -> int:
    """How many of the cells look like column names of an export of orders."""
    return sum(plain_name(cell) in _KNOWN for cell in cells)
