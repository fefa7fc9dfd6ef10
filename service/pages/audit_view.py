"""The words in which the audit pages tell of records, verdicts and differences. Pure: no clock, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.fact_dictionary import fact_dictionary
from rules.vocabulary import GATES, STAGES
from service.access.roles import ROLES
from service.pages.order_view import STATES

#: kind of a record -> what a person calls it.
KINDS = {
    "dispatch": "派单",
    "refusal": "不予受理",
    "merge": "并单",
    "undo": "撤销",
    "reopen": "退回待派",
    "case": "单位申请的审核",
    "knowledge_publication": "知识条目发布",
    "knowledge_import": "知识条目导入",
    "knowledge_reminder": "知识条目到期提醒",
    "rule_publication": "规则发布",
    "model_promotion": "模型上线与退回",
    "label": "标注",
    "access": "账号与权限",
    "erasure": "个人信息删除",
    "outbox": "对外通知",
    "log_key": "换签名密钥",
}
ACTIONS = {
    "accept": "采纳",
    "override": "改派",
    "refuse": "不予受理",
    "merge": "并单",
    "undo": "撤销",
    "reopen": "退回待派",
    "answer": "标注",
    "skip": "跳过",
}
CASES = {"return": "退单", "extension": "延期", "exclusion": "不纳入考核", "suspension": "挂账"}
OUTCOMES = {"accepted": "同意", "refused": "不同意"}
#: Fields of a record that are not a dispatch, by their Chinese name; any other stands under its own.
FIELDS = {
    "pack": "规则包",
    "content_hash": "内容摘要",
    "effective_from": "生效",
    "replaces": "取代",
    "entry_id": "条目",
    "version": "版本",
    "model_id": "模型",
    "alias": "别名",
    "previous": "此前",
    "account": "账号",
    "roles": "角色",
    "case_id": "申请编号",
    "case_kind": "事项",
    "outcome": "结果",
    "note": "说明",
    "orders": "工单",
    "undoes": "撤销的决定",
    "into": "并入的工单",
    "choice": "选择",
}
#: What stands elsewhere on the page, or says nothing to a person.
ELSEWHERE = frozenset(
    {
        "sequence", "decision_id", "kind", "decided_at", "order_id", "actor", "role", "action", "unit", "reason", "as_of",
        "proposal_id", "snapshot", "software", "request_id", "masked_paths", "proposal", "context", "disposition",
    }
)  # fmt: skip
#: Parts of a proposal, as a replay names them in its paths.
PARTS = {
    "units": "单位",
    "verdicts": "规则判定",
    "deadlines": "时限",
    "entries": "知识条目",
    "elements": "要素",
    "order": "工单",
    "coverage_set": "候选范围",
    "joint": "主办与协办",
    "abstained": "疑难",
    "abstain_reason": "疑难原因",
    "abstain_kind": "疑难原因",
    "backoff": "退一级的单位",
}
SNAPSHOT = {"rules": "规则", "model": "模型", "knowledge": "知识库", "directory": "单位名录", "calendar": "工作日历"}
SNAPSHOT_PARTS = SNAPSHOT | {"gazetteer": "地名表"}


def kind_of(kind: str) -> str:
    return KINDS.get(kind, kind)


def role_of(record: Mapping[str, Any]) -> str:
    """The role in which somebody decided; empty where the record does not say."""
    role = record.get("role") or ""
    return ROLES[role].title if role in ROLES else {"local": "未启用登录"}.get(role, role)


def sentence(record: Mapping[str, Any]) -> str:
    """What was decided, in one sentence without the reason."""
    kind, unit = record["kind"], record.get("unit") or ""
    if kind == "dispatch":
        return _dispatched(record, unit)
    if kind == "refusal":
        return f"没有派给承办单位，按“{(record.get('disposition') or {}).get('action') or '不予受理'}”处置。"
    if kind == "merge":
        return f"并入工单 {record.get('into', '')}。"
    if kind in ("undo", "reopen"):
        return f"{'同意退回' if kind == 'reopen' else '撤销了决定'} {record.get('undoes') or ''}，工单回到待派。"
    if kind == "case":
        case = CASES.get(str(record.get("case_kind")), "申请")
        return f"{unit or '单位'}申请{case}，{OUTCOMES.get(str(record.get('outcome')), '已审核')}。"
    return f"{kind_of(kind)}。"


def _dispatched(record: Mapping[str, Any], unit: str) -> str:
    units = (record.get("proposal") or {}).get("units") or []
    first = units[0]["unit"] if units else ""
    if record.get("action") == "accept":
        return f"采纳了建议的第一位，派给{unit}。"
    return f"没有采纳建议的第一位（{first}），改派给{unit}。" if first else f"没有建议的单位，由人指定派给{unit}。"


def what(row: Mapping[str, Any]) -> str:
    """The action of a line of the log, where it says more than its kind."""
    if row["kind"] == "case":
        parts = CASES.get(row["case_kind"], row["case_kind"]), OUTCOMES.get(row["outcome"], row["outcome"])
        return "，".join(part for part in parts if part)
    return ACTIONS.get(row["action"], row["action"]) if row["kind"] == "dispatch" else ""


def line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of :func:`service.audit_query.newest_first` in words."""
    return {**row, "kind_name": kind_of(row["kind"]), "what": what(row)}


def facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a record says besides what every record says, for those that hold no proposal."""
    return [
        (FIELDS.get(name, name), _said(name, value))
        for name, value in record.items()
        if name not in ELSEWHERE and value not in (None, "", [], {}) and not isinstance(value, dict)
    ]


def _said(name: str, value: Any) -> str:
    if name in ("case_kind", "outcome"):
        return {**CASES, **OUTCOMES}.get(str(value), str(value))
    if isinstance(value, list):
        plain = [str(one) for one in value if not isinstance(one, dict | list)]
        return "、".join(plain[:20]) + (f"……共 {len(value)} 项" if len(value) > 20 else "") or f"{len(value)} 项"
    return {True: "是", False: "否"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def values_read(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts that a rule read, in words, with their values."""
    dictionary = fact_dictionary()
    found = ((dictionary.get(name), name, value) for name, value in verdict["values"].items())
    return [(fact.description if fact else name, _value(value)) for fact, name, value in found]


def _value(value: Any) -> str:
    if value is None:
        return "没有"
    if isinstance(value, bool):
        return "是" if value else "否"
    return "、".join(map(str, value)) if isinstance(value, list) else str(value)


def verdicts(found: Iterable[Mapping[str, Any]], state: str) -> list[dict[str, Any]]:
    """The verdicts of one state with what a person reads of them."""
    return [
        {**one, "gate_name": GATES[one["gate"]], "told": STATES[one["state"]], "read": values_read(one)}
        for one in found
        if one["state"] == state
    ]


def differences(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The differences of a replay, each with the part of the proposal in which it lies."""
    return [{**one, "part": PARTS.get(one["path"].split("/")[1], one["path"].split("/")[1])} for one in found]


def changed(changes: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, str]]:
    """What would be otherwise, as lines of (kind, name, then, now)."""
    rows = [
        {"kind": "单位", "name": one["unit"], "then": _rank(one["then"]), "now": _rank(one["now"])}
        for one in changes["units"]
    ]
    for one in changes["verdicts"]:
        sides = one["then"] or {}, one["now"] or {}
        title = next((side["title"] for side in reversed(sides) if side.get("title")), "")
        then, now = (STATES.get(side.get("state") or "", "未命中") for side in sides)
        rows.append({"kind": "规则", "name": f"{one['rule_id']}　{title}", "then": then, "now": now})
    for one in changes["deadlines"]:
        name = f"{one['track']}：{one['title']}" if one["track"] else STAGES[one["stage"]]
        rows.append({"kind": "时限", "name": name, "then": _due(one["then"]), "now": _due(one["now"])})
    return rows


def _rank(side: Mapping[str, Any] | None) -> str:
    return f"第 {side['rank']} 位，{side['probability']:.1%}" if side else "不在前列"


def _due(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "没有这一项"
    return (side.get("due_at") or "无法判断")[:16].replace("T", " ")
