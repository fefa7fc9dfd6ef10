"""The shapes of a ruling and of what may be looked up before one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rules.answer import ANSWERS
from service.api.schemas import ClauseOut, DeadlineOut, DispositionOut, Short, Text, VerdictOut

MAX_FACTS = 500
MAX_REASON = 4000
ANSWER_WORDS = "、".join(f"{code} {word}" for code, word in ANSWERS.items())
Name = Annotated[Text, Field(max_length=64)]


class RulingIn(BaseModel):
    """向一个关口提出的问题。facts 里没有写的事实就是缺少；缺少不等于否。"""

    model_config = ConfigDict(extra="forbid")

    facts: dict[Name, Any] = Field(
        {},
        max_length=MAX_FACTS,
        description="事实名 → 值；全部事实见 GET /v1/rules/facts。时刻要带时区",
        examples=[{"return_requested": True, "designated_by_ruling": True}],
    )
    pack: Short = Field("", description="规则包的名字；不填为正在使用的。可用的见 GET /v1/rules", examples=["weifang"])
    as_of: AwareDatetime | None = Field(
        None, description="按哪一刻的规则判断；不填为现在", examples=["2026-05-06T09:30:00+08:00"]
    )
    text: Text = Field(
        "",
        description="诉求内容：有了它，由正文推断的事实不必逐个填写；facts 里写了的以 facts 为准。推断后不保留",
        examples=["邻居家养了十几只鸡，凌晨三点就打鸣"],
    )
    order_id: Text = Field(
        "",
        max_length=64,
        description="工单编号，原样带回；本系统登记过的工单，没有写 text 时取它的诉求内容",
        examples=["20260501000123"],
    )
    kind: Short = Field("", description="诉求类型，等于 facts 里的 kind", examples=["投诉"])
    urgency: Short = Field("", description="紧急程度，等于 facts 里的 urgency", examples=["一般"])
    return_reason: Text | None = Field(
        None, max_length=MAX_REASON, description="退回理由的原文，只用于退回关口；推断出提示后不保留", examples=[None]
    )


class ChangeOut(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)

    fact: str = Field(examples=["designated_by_ruling"])
    label: str = Field(examples=["承办单位是经研究确定或直接指定的"])
    before: Any = Field(alias="from", description="现在的值；没有填写为 null", examples=[True])
    after: Any = Field(
        alias="to", description="会改变结论的值；带 other_than 时，代表这些以外的任何值", examples=[False]
    )


class CounterfactualOut(BaseModel):
    """最少改哪几个事实，结论就会变。每个结果都重新求值核实过。"""

    model_config = ConfigDict(extra="allow")

    state: Literal["found", "none_found"]
    sentence: str = Field(examples=["如果“承办单位是经研究确定或直接指定的”由“是”改为“否”，结论会由“不得”变为“应当”。"])
    changes: list[ChangeOut]
    answer: str | None = Field(description="改变之后的结论", examples=["required"])
    decided_by: list[str] = Field(examples=[["NAT-RET-001"]])
    undetermined: bool = Field(description="改变之后仍有规则无法判断", examples=[True])
    turns: list[dict[str, str]] = Field(
        description="状态改变的规则", examples=[[{"rule_id": "WF-RET-002", "from": "hit", "to": "pass"}]]
    )
    bound: dict[str, int] = Field(description="寻找的范围", examples=[{"changes": 3, "evaluations": 20000}])
    complete: bool = Field(description="范围内是否全部找过", examples=[True])


class MissingFactOut(BaseModel):
    name: str = Field(examples=["within_statutory_duty"])
    label: str = Field(examples=["此事在该单位法定职责之内"])
    type: str = Field(examples=["bool"])
    unit: str = Field(examples=[""])
    values: list[str] = Field(description="取值固定时的全部取值", examples=[[]])
    ask: str = Field(description="请人核实什么", examples=["此事是否在该单位法定职责之内"])
    rules: list[str] = Field(description="等着它的规则", examples=[["WF-RET-003"]])
    could_turn: bool = Field(description="补上之后，可能得出更强的结论", examples=[True])
    reason: str = Field(
        description="由别的事实算出的事实，为什么没有算出", examples=["参数未填：退回时限（return_window）"]
    )


class UnsetOut(BaseModel):
    kind: Literal["parameter", "limit"]
    id: str = Field(examples=["return_window"])
    title: str = Field(examples=["退回时限"])
    unit: str = Field(examples=[""])
    note: str = Field(description="为什么没有值")
    rules: list[str] = Field(description="因此无法判断的规则")


class MaterialOut(BaseModel):
    name: str = Field(examples=["material_statement"])
    label: str = Field(examples=["材料里有情况说明"])
    state: Literal["given", "missing", "unknown"] = Field(description="given 有 / missing 缺 / unknown 没有核实")
    rules: list[str]


class RulingSnapshotOut(BaseModel):
    rules: str = Field(examples=["weifang@2ec3d7c3411d"])
    calendar: str = Field(examples=["calendar-d90b5dcf13be075d"])


class RulingOut(BaseModel):
    """一条研判：结论、依据、缺什么、怎样会变。它是关口、事实、as_of、规则包和日历的纯函数，不写入任何东西。"""

    order_id: str = Field(examples=["20260501000123"])
    ruling_id: str = Field(examples=["r-8a1ac001b9ddabb06509c8805f2f0845"])
    gate: str = Field(examples=["return"])
    gate_text: str = Field(examples=["退回"])
    as_of: str = Field(examples=["2026-05-06T09:30:00+08:00"])
    answer: str = Field(description=f"结论，从强到弱：{ANSWER_WORDS}", examples=["forbidden"])
    answer_text: str = Field(examples=["不得"])
    decided_by: list[str] = Field(description="得出结论的规则", examples=[["WF-RET-002"]])
    undetermined: bool = Field(description="还有无法判断的规则可能得出更强的结论", examples=[False])
    undetermined_by: list[str] = Field(examples=[[]])
    disposition: DispositionOut | None
    counterfactual: CounterfactualOut
    missing: list[MissingFactOut] = Field(description="缺少的事实，要紧的在前")
    unset: list[UnsetOut] = Field(description="没有填写的参数和时限")
    checklist: list[MaterialOut] = Field(description="这个关口的规则要看的材料")
    verdicts: list[VerdictOut]
    deadlines: list[DeadlineOut] = Field(description="给了派单时刻（dispatched_at）时的到期时刻")
    facts: dict[str, Any] = Field(description="实际读到的事实，含由时刻算出的")
    derived: list[str] = Field(description="其中由时刻算出的", examples=[["return_in_window"]])
    engine: str = Field(examples=["durable"])
    disagreements: list[str] = Field(description="两个求值器不一致的规则；有就提请人工", examples=[[]])
    snapshot: RulingSnapshotOut


class FactOut(BaseModel):
    name: str = Field(examples=["designated_by_ruling"])
    label: str = Field(examples=["承办单位是经研究确定或直接指定的"])
    type: str = Field(examples=["bool"])
    type_text: str = Field(examples=["是否"])
    unit: str = Field(examples=[""])
    description: str = Field(examples=["承办单位是经研究确定或直接指定的"])
    values: list[str] = Field(examples=[[]])
    source: str = Field(examples=["person"])
    source_text: str = Field(examples=["由人填写"])
    gates: list[str] = Field(description="可知的关口；空表示都可知", examples=[["return"]])
    ask: str = Field(examples=["承办单位是否经研究确定或直接指定"])


class FactsOut(BaseModel):
    """事实字典。"""

    facts: list[FactOut]
    dictionary: str = Field(description="字典的内容散列", examples=["facts-0f3c6f7f6d8f4a0e"])


class RuleOut(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str = Field(examples=["WF-RET-002"])
    title: str = Field(examples=["经研究确定或直接指定的承办单位不得退回"])
    gate: str = Field(examples=["return"])
    verdict: str = Field(examples=["forbid"])
    severity: str = Field(examples=["block"])
    answer: str = Field(description="命中时的结论", examples=["forbidden"])
    in_force: bool = Field(description="当日是否有效", examples=[True])
    clause: ClauseOut


class ServedPackOut(BaseModel):
    name: str = Field(examples=["weifang"])
    in_use: bool = Field(examples=[True])


class RulesOut(BaseModel):
    """一个规则包的内容：规则与条款、参数与时限在当日的值、还没有填的。"""

    model_config = ConfigDict(extra="allow")

    pack: str = Field(examples=["weifang@2ec3d7c3411d"])
    day: str = Field(examples=["2026-05-06"])
    gates: dict[str, str] = Field(examples=[{"return": "退回"}])
    rules: list[RuleOut]
    parameters: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    to_fill: list[dict[str, Any]] = Field(description="待填的参数和时限")
    packs: list[ServedPackOut] = Field(description="可以指定的规则包")
