"""The shapes of requests and answers. Requests are checked here; answers are documented here and built elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from intake.order import MAX_TEXT, WorkOrder

EXAMPLE_TEXT = "小区楼下烧烤店每晚油烟很大，孩子一直咳嗽，找店家说过没用，希望有人管管。"
EXAMPLE_PROPOSAL_ID = "p-0f3c6f7f6d8f4a0e9a57f6c1f2b3a4d5"
EXAMPLE_DECISION_ID = "d-3b1c7a52f1de4d0f8d1a7e2f6c9b8a70"


def _whole(value: str) -> str:
    """Without lone surrogates: half an emoji cut off by a client must not cost the citizen the call."""
    return value.encode("utf-8", "ignore").decode("utf-8")


Text = Annotated[str, AfterValidator(_whole)]
Short = Annotated[Text, Field(max_length=200)]


class TriageIn(BaseModel):
    """一条待派的诉求。只有“诉求内容”必填。"""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(description=f"诉求内容，按来电人原话记录，最多 {MAX_TEXT} 字", examples=[EXAMPLE_TEXT])
    order_id: Text = Field("", max_length=64, description="工单编号；不填由系统编号", examples=["20260501000123"])
    title: Short = Field("", description="诉求标题", examples=["烧烤店油烟扰民"])
    channel: Short = Field("", description="渠道", examples=["电话"])
    order_type: Short = Field("", description="工单类型", examples=["投诉"])
    category: Short = Field("", description="行业分类", examples=["城市管理"])
    received_at: AwareDatetime | None = Field(
        None, description="受理时间，带时区", examples=["2026-05-01T09:30:00+08:00"]
    )
    district: Short = Field("", description="区", examples=["临江区"])
    street: Short = Field("", description="街道", examples=[""])
    community: Short = Field("", description="社区", examples=[""])
    related: list[Short] = Field([], max_length=50, description="关联工单的编号", examples=[[]])
    as_of: AwareDatetime | None = Field(
        None,
        description="按哪一刻的规则、单位和知识判断，也是时限的起点；不填为现在",
        examples=["2026-05-01T09:31:00+08:00"],
    )

    def to_order(self) -> WorkOrder:
        row = self.model_dump(exclude={"as_of", "related"})
        return WorkOrder(**row, related=tuple(self.related))


class EvidenceOut(BaseModel):
    kind: Literal["word", "similar_order", "duty", "field", "rule"] = Field(description="证据的种类")
    text: str = Field(description="证据本身：起作用的词、相似的历史工单、职责条目", examples=["油烟"])
    weight: float = Field(description="它对这个单位得分的贡献", examples=[1.73])
    ref: str = Field(description="出处的编号；没有则为空", examples=[""])


class UnitOut(BaseModel):
    unit: str = Field(examples=["临江区城市管理局"])
    probability: float = Field(ge=0, le=1, description="校准过的概率", examples=[0.81])
    evidence: list[EvidenceOut]


class EntryOut(BaseModel):
    id: str = Field(examples=["K2031"])
    title: str = Field(examples=["餐饮油烟扰民由谁管"])
    score: float = Field(examples=[0.74])
    unit: str = Field(examples=["云汀市城市管理局"])
    effective_to: str | None = Field(description="失效日期（不含当日）；长期有效为 null", examples=[None])


class ClauseOut(BaseModel):
    id: str = Field(examples=["weifang-12345-2021#20"])
    document: str = Field(examples=["潍坊市12345政务服务便民热线条例"])
    article: str = Field(examples=["第二十条"])
    confidence: str = Field(examples=["原文已读"])


class DispositionOut(BaseModel):
    action: str = Field(description="处置方式", examples=["转办"])
    tell: str = Field(description="告知来电人的要点", examples=[""])


class VerdictOut(BaseModel):
    model_config = ConfigDict(extra="allow")

    rule_id: str = Field(examples=["NAT-ACC-002"])
    gate: str = Field(examples=["acceptance"])
    state: Literal["hit", "pass", "not_evaluated"]
    severity: Literal["block", "warn", "info"]
    title: str
    clause: ClauseOut
    disposition: DispositionOut | None
    values: dict[str, Any] = Field(description="规则读到的事实")


class DeadlineOut(BaseModel):
    model_config = ConfigDict(extra="allow")

    stage: str = Field(
        description="sign_in 签收 / return 退回 / first_contact 首次联系 / resolve 办结 / statutory 法定程序",
        examples=["resolve"],
    )
    track: str = Field(description="哪部法的时钟；空为热线自己的时限", examples=[""])
    title: str = Field(description="时限的名称", examples=["办结时限"])
    limit: str = Field(examples=["5个工作日"])
    due_at: str | None = Field(examples=["2026-05-12T23:59:59+08:00"])
    state: str = Field(examples=["computed"])
    clause: ClauseOut | None


class SnapshotOut(BaseModel):
    rules: str
    model: str
    knowledge: str
    directory: str
    calendar: str


class BackoffOut(BaseModel):
    kind: Literal["parent", "district"] = Field(description="parent 主管局，district 区")
    name: str
    probability: float = Field(description="其下各单位的概率之和")


class JointOut(BaseModel):
    unit: str
    role: Literal["lead", "assist"] = Field(description="lead 主办，assist 协办")
    reason: str


class ProposalOut(BaseModel):
    """一条建议。它是诉求、as_of 和五个快照编号的纯函数：同样的输入永远得到同样的建议。"""

    proposal_id: str = Field(examples=[EXAMPLE_PROPOSAL_ID])
    as_of: str = Field(examples=["2026-05-01T09:31:00+08:00"])
    order: dict[str, Any] = Field(description="已脱敏的诉求；masked_paths 说明哪里脱了敏")
    units: list[UnitOut] = Field(
        description="按概率从高到低的承办单位；第五位可能让给一个还没有历史工单、按职责相近的单位，它的概率低于第六位"
    )
    abstained: bool = Field(description="模型没有把握，请人工研判（疑难）")
    abstain_reason: str
    abstain_kind: Literal["", "cold", "directory", "far", "place", "torn"] = Field(
        description="cold 冷启动模型没有把握，directory 名录里没有可派的，far 历史上没有相近的，place 地点不明，torn 难分高下；没有弃权时为空"
    )
    backoff: BackoffOut | None = Field(description="难分高下的单位同属一个上级时，可先交的上级")
    coverage_set: list[str] = Field(description="以约定的覆盖率包含正确单位的最小集合")
    joint: list[JointOut] = Field(description="一件诉求涉及几个单位时的主办与协办，供参考；一个单位能办的为空")
    entries: list[EntryOut] = Field(description="现行有效的知识条目")
    verdicts: list[VerdictOut] = Field(description="命中的和无法判断的规则")
    deadlines: list[DeadlineOut]
    elements: dict[str, Any] = Field(description="诉求要素；missing 列出缺了什么")
    snapshot: SnapshotOut


class DecisionIn(BaseModel):
    """派单员的决定：采纳建议的第一位，或改派并写明理由。"""

    model_config = ConfigDict(extra="forbid")

    proposal_id: Text = Field(max_length=64, min_length=1, examples=[EXAMPLE_PROPOSAL_ID])
    action: Literal["accept", "override"] = Field(description="accept 采纳 / override 改派", examples=["accept"])
    unit: Text = Field(max_length=200, min_length=1, description="承办单位全称", examples=["临江区城市管理局"])
    actor: Text = Field(
        "", max_length=64, description="作决定的人（工号）；登录后以登录的人为准，可以不填", examples=["pd-017"]
    )
    reason: Text = Field("", max_length=2000, description="改派必填", examples=[""])


class DecisionOut(BaseModel):
    """决定在日志中的记录，写入后不能修改或删除。这里列出的是派单（dispatch）的字段；规则发布等别的种类字段不同，见 kind。"""

    model_config = ConfigDict(extra="allow")

    sequence: int = Field(examples=[1])
    decision_id: str = Field(examples=[EXAMPLE_DECISION_ID])
    kind: str = Field(examples=["dispatch"])
    order_id: str = Field(examples=["20260501000123"])
    actor: str = Field(examples=["pd-017"])
    action: str = Field(examples=["accept"])
    unit: str = Field(examples=["临江区城市管理局"])
    reason: str = Field(examples=[""])
    decided_at: str = Field(examples=["2026-05-01T09:31:20+08:00"])
    as_of: str = Field(examples=["2026-05-01T09:31:00+08:00"])
    proposal_id: str = Field(examples=[EXAMPLE_PROPOSAL_ID])
    snapshot: SnapshotOut


class ProblemOut(BaseModel):
    """RFC 9457 的问题说明。code 是稳定的编号，detail 是一句中文。"""

    type: str = Field(examples=["/errors#E1001"])
    title: str = Field(examples=["诉求内容为空"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["诉求内容是空的。请填写来电人反映的事情，至少写明什么事、在哪里。"])
    code: str = Field(examples=["E1001"])
    instance: str = Field(description="请求编号，报障时请一并提供", examples=["/v1/triage#6f1d9c"])
    where: str = Field("", description="错误在输入的什么地方", examples=["/text"])
