"""The shapes of requests and answers about accounts, roles and keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas import Short, Text

ROLE_LIST: Any = Field([], max_length=20, description="角色编号，见 GET /v1/access/roles", examples=[["dispatcher"]])
DISTRICTS: Any = Field([], max_length=100, description="可见的区；与 units 都不填为全市", examples=[["临江区"]])
UNITS: Any = Field([], max_length=200, description="可见的单位，连同下级", examples=[[]])
REASON = Field(max_length=500, description="理由，记入决定日志", examples=["新到岗"])


class AccountIn(BaseModel):
    """一个新账号。"""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(max_length=64, description="账号名（工号），以后不能改", examples=["pd-017"])
    display: Text = Field("", max_length=100, description="显示的姓名", examples=["张三"])
    roles: list[Short] = ROLE_LIST
    districts: list[Short] = DISTRICTS
    units: list[Short] = UNITS
    subject: Text = Field("", max_length=255, description="统一登录里的用户编号（sub）；填了就不用密码", examples=[""])
    reason: Text = REASON


class AccountChange(BaseModel):
    """要改的项目；不填的不变。"""

    model_config = ConfigDict(extra="forbid")

    display: Text | None = Field(None, max_length=100, min_length=1, examples=["张三"])
    roles: list[Short] | None = Field(None, max_length=20, description="改成这些角色", examples=[["shift_lead"]])
    districts: list[Short] | None = Field(None, max_length=100, examples=[[]])
    units: list[Short] | None = Field(None, max_length=200, examples=[[]])
    subject: Text | None = Field(None, max_length=255, examples=[None])
    closed: bool | None = Field(None, description="true 停用，false 恢复", examples=[None])
    reason: Text = REASON


class ReasonIn(BaseModel):
    """为什么。"""

    model_config = ConfigDict(extra="forbid")

    reason: Text = REASON


class KeyIn(BaseModel):
    """一个新的接口密钥。"""

    model_config = ConfigDict(extra="forbid")

    title: Text = Field(min_length=1, max_length=100, description="给哪个系统用", examples=["工单系统"])
    roles: list[Short] = ROLE_LIST
    actions: list[Short] | None = Field(
        None, max_length=40, description="只开放这些操作；不填为角色的全部", examples=[["triage.propose"]]
    )
    districts: list[Short] = DISTRICTS
    units: list[Short] = UNITS
    days: int = Field(90, ge=1, le=366, description="几天后到期", examples=[90])
    reason: Text = REASON


class AccountOut(BaseModel):
    name: str = Field(examples=["pd-017"])
    display: str = Field(examples=["张三"])
    roles: list[str] = Field(examples=[["dispatcher"]])
    districts: list[str] = Field(examples=[[]])
    units: list[str] = Field(examples=[[]])
    subject: str | None = Field(examples=[None])
    closed: bool = Field(description="停用的不能登录", examples=[False])
    must_change: bool = Field(description="还没有换掉一次性密码", examples=[True])
    created_at: str = Field(examples=["2026-05-01T09:30:00+08:00"])


class AccountsOut(BaseModel):
    accounts: list[AccountOut] = Field(description="按账号名排列", examples=[[]])


class PasswordOut(BaseModel):
    name: str = Field(examples=["pd-017"])
    one_time_password: str = Field(description="只显示这一次，72 小时内有效；统一登录的账号为空", examples=[""])


class KeyOut(BaseModel):
    key_id: str = Field(examples=["3f2a9c01b7de"])
    title: str = Field(examples=["工单系统"])
    roles: list[str] = Field(examples=[["dispatcher"]])
    actions: list[str] | None = Field(examples=[["triage.propose"]])
    action_titles: list[str] | None = Field(examples=[["取得派单建议"]])
    districts: list[str] = Field(examples=[[]])
    units: list[str] = Field(examples=[[]])
    created_by: str = Field(examples=["admin"])
    created_at: str = Field(examples=["2026-05-01T09:30:00+08:00"])
    expires_at: str = Field(examples=["2026-07-30T09:30:00+08:00"])
    revoked_at: str | None = Field(examples=[None])
    used_at: str | None = Field(description="最近一次使用，精确到分钟", examples=[None])


class KeysOut(BaseModel):
    keys: list[KeyOut] = Field(description="新的在前", examples=[[]])


class NewKeyOut(BaseModel):
    key_id: str = Field(examples=["3f2a9c01b7de"])
    key: str = Field(description="只显示这一次", examples=["zk_3f2a9c01b7de_……"])


class PermissionOut(BaseModel):
    action: str = Field(examples=["dispatch.decide"])
    title: str = Field(examples=["作出派单决定"])
    allowed: bool = Field(examples=[True])
    reason: str = Field(examples=["角色“派单员”可以作出派单决定，范围：全市"])


class MeOut(BaseModel):
    name: str = Field(examples=["pd-017"])
    display: str = Field(examples=["张三"])
    roles: list[str] = Field(examples=[["dispatcher"]])
    scope: str = Field(description="数据范围", examples=["全市"])
    via: str = Field(description="session 登录、key 密钥、local 没有启用登录", examples=["session"])
    permissions: list[PermissionOut]


class RoleOut(BaseModel):
    id: str = Field(examples=["dispatcher"])
    title: str = Field(examples=["派单员"])
    actions: list[str] = Field(examples=[["triage.propose", "dispatch.decide"]])


class RolesOut(BaseModel):
    roles: list[RoleOut]
    actions: dict[str, str] = Field(description="操作的编号与名称", examples=[{"dispatch.decide": "作出派单决定"}])
