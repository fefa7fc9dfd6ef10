"""The shapes of requests and answers about cases."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.ruling_schemas import MAX_FACTS, Name, RulingOut
from service.api.schemas import EXAMPLE_DECISION_ID, Short, Text
from service.cases import LEAST_REASON, MOST_MATERIALS, MOST_REASON

EXAMPLE_CASE_ID = "c-0f3c6f7f6d8f4a0e9a57f6c1f2b3a4d5"
KindIn = Literal["return", "extension", "exclusion", "suspension"]
KIND_TEXT = "return 退单 / extension 延期 / exclusion 不纳入考核 / suspension 挂账"
Facts = Annotated[dict[Name, Any], Field(max_length=MAX_FACTS)]


class MaterialIn(BaseModel):
    """一件材料：名称和存放的地方；文件本身由你的系统保存。"""

    model_config = ConfigDict(extra="forbid")

    name: Short = Field(description="名称", examples=["职责说明（三定方案第四条）"])
    link: Text = Field("", max_length=500, description="存放的地方或链接", examples=[""])
    kind: Annotated[Text, Field(max_length=64)] = Field(
        "", description="是哪一种材料：事实字典里以 material_ 开头的名称；不属于的为空", examples=["material_statement"]
    )


class CaseIn(BaseModel):
    """承办单位的一个申请。"""

    model_config = ConfigDict(extra="forbid")

    actor: Text = Field("", max_length=64, description="申请人（工号）；登录后不用填", examples=["unit-017"])
    order_id: Text = Field(max_length=64, description="工单编号，须已派给本单位", examples=["20260501000123"])
    kind: KindIn = Field(description=KIND_TEXT, examples=["return"])
    reason: Text = Field(
        min_length=LEAST_REASON,
        max_length=MOST_REASON,
        description="理由；脱敏后保存，可以按规定删除",
        examples=["按三定方案，油烟监管属生态环境部门职责，建议改派"],
    )
    facts: Facts = Field(
        {},
        description="单位陈述的事实，见 GET /v1/rules/facts?gate=；由审核的人核实的、由系统得出的不能填",
        examples=[{"duty_basis_given": True}],
    )
    materials: list[MaterialIn] = Field([], max_length=MOST_MATERIALS, description="材料清单；没有列的就是没有")
    suggested_unit: Short = Field("", description="建议改派给哪个单位", examples=[""])


class CaseLineOut(BaseModel):
    case_id: str = Field(examples=[EXAMPLE_CASE_ID])
    order_id: str = Field(examples=["20260501000123"])
    kind: KindIn = Field(description=KIND_TEXT)
    status: Literal["pending", "accepted", "refused"] = Field(
        description="pending 待审 / accepted 同意 / refused 不同意"
    )
    unit: str = Field(description="申请单位", examples=["云汀市城市管理局"])
    asked_by: str = Field(examples=["unit-017"])
    asked_at: str = Field(examples=["2026-05-02T10:00:00+08:00"])
    answer: str = Field(description="提出申请时规则的结论", examples=["required"])
    decided_by: str = Field(examples=[""])
    decided_at: str = Field(examples=[""])
    decision_id: str | None = Field(description="审核的决定编号", examples=[None])
    due_at: str = Field(description="工单的办结到期（UTC）；未定为 9999", examples=["2026-05-12T15:59:59.000000+00:00"])
    reason: str = Field(description="理由（脱敏）；已删除的为空", examples=["不属于本单位职责"])


class CasesOut(BaseModel):
    cases: list[CaseLineOut]
    waiting: dict[str, int] = Field(description="各种申请的待审数", examples=[{"return": 3}])
    next: str = Field(description="下一页的 after；到头为空", examples=[""])


class CaseOut(BaseModel):
    """一个申请：单位写的、规则说的、怎样决定的。"""

    model_config = ConfigDict(extra="allow")

    case_id: str = Field(examples=[EXAMPLE_CASE_ID])
    order_id: str = Field(examples=["20260501000123"])
    kind: KindIn
    status: Literal["pending", "accepted", "refused"]
    revision: int = Field(description="审核时带上，可防止盖掉别人的决定", examples=[1])
    unit: str = Field(examples=["云汀市城市管理局"])
    asked_by: str = Field(examples=["unit-017"])
    asked_at: str = Field(examples=["2026-05-02T10:00:00+08:00"])
    reason: str = Field(examples=["不属于本单位职责"])
    materials: list[MaterialIn]
    suggested_unit: str = Field(examples=[""])
    decided_by: str = Field(examples=[""])
    decided_at: str = Field(examples=[""])
    decision_id: str | None = Field(examples=[None])
    ruling: RulingOut = Field(description="提出申请那一刻的研判，全部规则")


class CaseFiledOut(CaseOut):
    repeated: bool = Field(description="同一个申请重发，没有再写一次", examples=[False])


class ReviewIn(BaseModel):
    """审核一个申请。不能审核自己提出的。"""

    model_config = ConfigDict(extra="forbid")

    actor: Text = Field("", max_length=64, description="审核人（工号）；登录后不用填", examples=["bz-003"])
    choice: Literal["accept", "refuse"] = Field(description="accept 同意 / refuse 不同意", examples=["accept"])
    reason: Text = Field(min_length=2, max_length=2000, description="理由", examples=["三定方案写明不属该单位职责"])
    facts: Facts = Field({}, description="审核人自己核实的事实，盖过单位说的；据此重新研判", examples=[{}])
    revision: int | None = Field(None, ge=1, description="看到的 revision；不填则不核对", examples=[1])


class ReviewedOut(BaseModel):
    """决定在日志中的记录。"""

    model_config = ConfigDict(extra="allow")

    sequence: int = Field(examples=[2])
    decision_id: str = Field(examples=[EXAMPLE_DECISION_ID])
    kind: Literal["case"] = Field(examples=["case"])
    case_id: str = Field(examples=[EXAMPLE_CASE_ID])
    case_kind: KindIn
    outcome: Literal["accepted", "refused"]
    order_id: str = Field(examples=["20260501000123"])
    unit: str = Field(examples=["云汀市城市管理局"])
    actor: str = Field(examples=["bz-003"])
    reason: str = Field(examples=["三定方案写明不属该单位职责"])
