"""The roles and what each of them may do. Whatever is not written here is refused.

Three administrators are kept apart (三员分立): the system administrator runs accounts, the security administrator gives
out the auditor's role and erases personal data, the auditor reads and proves the log. No account holds two of the three.
"""

from __future__ import annotations

from dataclasses import dataclass

#: action -> what it is, as a person reads it.
ACTIONS: dict[str, str] = {
    "triage.propose": "取得派单建议",
    "dispatch.decide": "作出派单决定",
    "case.review": "审核退单、延期、不纳入考核和挂账申请",
    "case.submit": "提交退单、延期、不纳入考核和挂账申请",
    "kb.read": "查看知识库",
    "kb.write": "起草和修改知识条目",
    "kb.review": "审核和发布知识条目",
    "kb.import": "导入知识条目",
    "rules.read": "查看规则",
    "rules.write": "修改规则",
    "rules.publish": "发布规则",
    "rules.backtest": "回测规则",
    "model.read": "查看模型",
    "model.train": "训练模型",
    "model.promote": "上线和退回模型",
    "model.label": "标注工单",
    "audit.read": "查看决定日志",
    "audit.verify": "验证决定日志",
    "audit.export": "导出决定日志",
    "audit.replay": "回放决定",
    "access.manage": "管理账号、角色和接口密钥",
    "access.grant_auditor": "授予和收回审计员",
    "privacy.erase": "删除个人信息",
    "metrics.read": "查看运行指标",
    "overview.read": "查看总览",
}


@dataclass(frozen=True, slots=True)
class Role:
    """A role: its Chinese name and the actions it may take."""

    id: str
    title: str
    actions: frozenset[str]


def _role(name: str, title: str, *actions: str) -> Role:
    return Role(name, title, frozenset(actions))


AUDITOR, ADMIN, SECURITY_ADMIN = "auditor", "admin", "security_admin"

#: In the order in which they are shown, and in which the one that a person acts under is chosen.
ROLES: dict[str, Role] = {
    role.id: role
    for role in (
        _role("dispatcher", "派单员", "triage.propose", "dispatch.decide", "kb.read", "rules.read"),
        _role(
            "shift_lead",
            "班长",
            "triage.propose",
            "dispatch.decide",
            "case.review",
            "kb.read",
            "rules.read",
            "overview.read",
        ),
        _role("kb_maintainer", "知识库维护员", "kb.read", "kb.write", "kb.import"),
        _role("kb_reviewer", "知识库审核员", "kb.read", "kb.review"),
        _role(
            "data_scientist",
            "数据科学家",
            "triage.propose",
            "kb.read",
            "rules.read",
            "model.read",
            "model.train",
            "model.promote",
            "model.label",
            "overview.read",
            "metrics.read",
        ),
        _role(
            "rule_owner",
            "规则员",
            "triage.propose",
            "kb.read",
            "rules.read",
            "rules.write",
            "rules.publish",
            "rules.backtest",
        ),
        _role(
            AUDITOR,
            "审计员",
            "audit.read",
            "audit.verify",
            "audit.export",
            "audit.replay",
            "kb.read",
            "rules.read",
            "model.read",
            "overview.read",
        ),
        _role("unit", "承办单位", "case.submit"),
        _role(ADMIN, "系统管理员", "access.manage", "metrics.read"),
        _role(SECURITY_ADMIN, "安全管理员", "access.grant_auditor", "privacy.erase"),
    )
}

#: Nobody holds two of these.
SEPARATED = frozenset({AUDITOR, ADMIN, SECURITY_ADMIN})
#: What the system administrator can neither see, grant nor take away.
OUT_OF_REACH_OF_ADMIN = frozenset({AUDITOR, SECURITY_ADMIN})


def holders(action: str) -> tuple[str, ...]:
    """The titles of the roles that may do something."""
    return tuple(role.title for role in ROLES.values() if action in role.actions)


def titles(roles: frozenset[str]) -> str:
    """The Chinese names of some roles, in their usual order."""
    return "、".join(role.title for role in ROLES.values() if role.id in roles)
