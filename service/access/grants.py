"""Who may give which role to whom. Every change of an account goes through here."""

from __future__ import annotations

from collections.abc import Collection

from intake.errors import ZhipaiError, register
from service.access.actor import Actor
from service.access.roles import (
    ADMIN,
    AUDITOR,
    OUT_OF_REACH_OF_ADMIN,
    ROLES,
    SECURITY_ADMIN,
    SEPARATED,
    titles,
)

register("E6521", "没有权限", "没有权限：{reason}。", status=403, exit_code=4)
register(
    "E7853", "不能改自己的权限", "不能修改自己的账号、角色或密钥范围。请由另一位管理员操作。", status=403, exit_code=4
)
register("E7854", "没有这个角色", "没有角色“{role}”。可用的角色：{roles}。")
register("E7855", "角色不能同时担任", "角色不能同时担任：{problem}。", status=409, exit_code=4)
register("E7856", "不能授予这个角色", "“{role}”只能{who}授予和收回。", status=403, exit_code=4)

AT_THE_MACHINE = "在服务器上用命令 zhipai users create-security-admin"


def check_roles(roles: Collection[str]) -> frozenset[str]:
    """The roles, if they exist and may be held together; E7854, E7855 otherwise."""
    wanted = frozenset(roles)
    for role in sorted(wanted - ROLES.keys()):
        raise ZhipaiError("E7854", {"role": role[:40], "roles": "、".join(ROLES)})
    if len(wanted & SEPARATED) > 1:
        raise ZhipaiError("E7855", {"problem": f"三员分立：{titles(wanted & SEPARATED)}不能由一个账号兼任"})
    if AUDITOR in wanted and len(wanted) > 1:
        raise ZhipaiError("E7855", {"problem": "审计员不能兼任别的角色，否则会审计自己作的决定"})
    return wanted


def require(actor: Actor, action: str, *, unit: str | None = None, district: str | None = None) -> None:
    """E6521 with the reason unless ``actor`` may do it."""
    answer = actor.may(action, unit=unit, district=district)
    if not answer.allowed:
        raise ZhipaiError("E6521", {"reason": answer.reason})


def within_reach(actor: Actor, roles: Collection[str]) -> bool:
    """Whether an administrator may see an account with these roles at all."""
    return actor.may("access.grant_auditor").allowed or not OUT_OF_REACH_OF_ADMIN & set(roles)


def check_grant(actor: Actor, name: str, before: Collection[str], after: Collection[str]) -> str:
    """The action under which ``actor`` may change the account ``name``; E7853, E7856 or E6521 if he may not.

    The auditor's role is given and taken by the security administrator, every other by the system administrator; the
    security administrator's own only at the machine. An auditor's or security administrator's account is out of the
    system administrator's reach altogether.
    """
    if name == actor.name:
        raise ZhipaiError("E7853")
    changed = set(before) ^ set(after)
    if SECURITY_ADMIN in changed:
        raise ZhipaiError("E7856", {"role": ROLES[SECURITY_ADMIN].title, "who": AT_THE_MACHINE})
    for role in sorted(changed):
        action, who = ("access.grant_auditor", SECURITY_ADMIN) if role == AUDITOR else ("access.manage", ADMIN)
        if not actor.may(action).allowed:
            raise ZhipaiError("E7856", {"role": ROLES[role].title, "who": f"由{ROLES[who].title}"})
    needed = "access.grant_auditor" if OUT_OF_REACH_OF_ADMIN & (set(before) | changed) else "access.manage"
    require(actor, needed)
    return needed
