"""``/v1/access``: who I am and what I may do; accounts, roles and keys for the administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from intake.errors import ZhipaiError, register
from service import clock
from service.access import ACTIONS, ROLES, Actor, accounts, keys
from service.access.accounts import Order
from service.api.access_schemas import (
    AccountChange,
    AccountIn,
    AccountOut,
    AccountsOut,
    KeyIn,
    KeyOut,
    KeysOut,
    MeOut,
    NewKeyOut,
    PasswordOut,
    PermissionOut,
    ReasonIn,
    RolesOut,
)
from service.api.auth import actor, needs
from service.api.routes import PROBLEM, runtime

register("E7863", "范围不在名录", "“{name}”不在单位名录的{kind}之中。请从名录中选择全称。")

REFUSED: dict[int | str, dict[str, Any]] = {
    403: PROBLEM | {"description": "没有权限，detail 说明原因"},
    409: PROBLEM | {"description": "账号已存在，或角色不能同时担任"},
}
NONE: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "没有这个账号或密钥"}}
Administrator = Annotated[Actor, Depends(needs("access.manage", "access.grant_auditor"))]
Name = Annotated[str, Path(max_length=64, description="账号名", examples=["pd-017"])]
router = APIRouter(prefix="/v1/access", tags=["权限"])


@router.get("/me", summary="我是谁、能做什么", response_model=MeOut)
def me(request: Request, who: Annotated[Actor, Depends(actor)]) -> dict[str, Any]:
    """每一项操作都说明可以或不可以的原因。"""
    return {
        "name": who.name,
        "display": who.display,
        "roles": [role for role in ROLES if role in who.roles],
        "scope": who.scope.says(),
        "via": who.via,
        "permissions": [_permission(who, action) for action in ACTIONS],
    }


@router.get("/check", summary="我可不可以做这件事", response_model=PermissionOut)
def check(
    request: Request,
    who: Annotated[Actor, Depends(actor)],
    action: Annotated[str, Query(max_length=40, description="操作编号", examples=["dispatch.decide"])],
    unit: Annotated[str | None, Query(max_length=200, description="对哪个单位")] = None,
    district: Annotated[str | None, Query(max_length=200, description="对哪个区")] = None,
) -> dict[str, Any]:
    """只回答，不做任何事。"""
    return _permission(who, action, unit=unit, district=district)


@router.get("/roles", summary="角色与操作", response_model=RolesOut, dependencies=[Depends(actor)])
def roles() -> dict[str, Any]:
    """每个角色可以做哪些操作。没有写的都不可以。"""
    rows = [{"id": one.id, "title": one.title, "actions": sorted(one.actions)} for one in ROLES.values()]
    return {"roles": rows, "actions": ACTIONS}


@router.get("/accounts", summary="账号清单", response_model=AccountsOut, responses=REFUSED)
def account_list(request: Request, who: Administrator) -> dict[str, Any]:
    """系统管理员看不到审计员和安全管理员的账号。"""
    return {"accounts": accounts.list_accounts(runtime(request).engine, who)}


@router.post("/accounts", summary="建立账号", status_code=201, response_model=PasswordOut, responses=REFUSED)
def create(request: Request, who: Administrator, account: AccountIn) -> dict[str, Any]:
    """返回一次性密码，只显示这一次；本人登录后须先改掉。建立账号记入决定日志。"""
    _check_scope(request, account.districts, account.units)
    wanted = account.model_dump(exclude={"reason"})
    password = accounts.create_account(runtime(request).engine, _order(request, who, account.reason), **wanted)
    return {"name": account.name, "one_time_password": password}


@router.patch("/accounts/{name}", summary="修改账号", response_model=AccountOut, responses=REFUSED | NONE)
def change(request: Request, who: Administrator, name: Name, wanted: AccountChange) -> dict[str, Any]:
    """改姓名、角色、范围，停用或恢复。改后本人的所有会话退出。记入决定日志。"""
    _check_scope(request, wanted.districts or [], wanted.units or [])
    changes = wanted.model_dump(exclude={"reason"}, exclude_none=True)
    return accounts.change_account(runtime(request).engine, _order(request, who, wanted.reason), name, changes)


@router.post("/accounts/{name}/password", summary="重设密码", response_model=PasswordOut, responses=REFUSED | NONE)
def reset(request: Request, who: Administrator, name: Name, why: ReasonIn) -> dict[str, Any]:
    """解除锁定，退出所有会话，返回新的一次性密码。记入决定日志。"""
    password = accounts.reset_password(runtime(request).engine, _order(request, who, why.reason), name)
    return {"name": name, "one_time_password": password}


@router.get("/keys", summary="接口密钥清单", response_model=KeysOut, responses=REFUSED)
def key_list(request: Request, who: Administrator) -> dict[str, Any]:
    """不含密钥本身。"""
    return {"keys": keys.list_keys(runtime(request).engine, who)}


@router.post("/keys", summary="发放接口密钥", status_code=201, response_model=NewKeyOut, responses=REFUSED)
def create_key(request: Request, who: Administrator, key: KeyIn) -> dict[str, Any]:
    """密钥只显示这一次，库里只存它的散列。记入决定日志。"""
    _check_scope(request, key.districts, key.units)
    wanted = key.model_dump(exclude={"reason"})
    key_id, whole = keys.create_key(runtime(request).engine, _order(request, who, key.reason), **wanted)
    return {"key_id": key_id, "key": whole}


@router.post("/keys/{key_id}/revoke", summary="撤销接口密钥", response_model=KeyOut, responses=REFUSED | NONE)
def revoke(
    request: Request,
    who: Administrator,
    key_id: Annotated[str, Path(max_length=16, description="密钥编号", examples=["3f2a9c01b7de"])],
    why: ReasonIn,
) -> dict[str, Any]:
    """立即失效。记入决定日志。"""
    return keys.revoke_key(runtime(request).engine, _order(request, who, why.reason), key_id)


def _permission(who: Actor, action: str, *, unit: str | None = None, district: str | None = None) -> dict[str, Any]:
    answer = who.may(action, unit=unit, district=district)
    return {"action": action, "title": ACTIONS.get(action, ""), "allowed": answer.allowed, "reason": answer.reason}


def _order(request: Request, who: Actor, reason: str) -> Order:
    at = clock.now(runtime(request).settings.time_zone)
    return Order(who, reason, at, request.state.request_id)


def _check_scope(request: Request, districts: list[str], units: list[str]) -> None:
    """E7863 for a name that stands for nothing: such an account would silently see nothing."""
    directory = runtime(request).snapshot.directory
    known = {unit.name for unit in directory.units}, {unit.district for unit in directory.units}
    for names, those, kind in ((units, known[0], "单位"), (districts, known[1], "区")):
        for name in names:
            if name not in those:
                raise ZhipaiError("E7863", {"name": name, "kind": kind})
