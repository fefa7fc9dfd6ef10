"""The shapes of requests and answers about the life of knowledge entries."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from knowledge_base.entry import MAX_BODY, MAX_TITLE, PUBLIC
from service.api.schemas import ProblemOut, Short, Text

EXAMPLE_ID = "K1001"
#: The largest number of a version or a change that a database keeps.
MOST = 2**31 - 1
_DAY = r"^\d{4}-\d{2}-\d{2}$"


class ContactIn(BaseModel):
    """一个联系方式，写明哪一天核对过。"""

    model_config = ConfigDict(extra="forbid")

    name: Short = Field("", description="名称", examples=["咨询窗口"])
    value: Short = Field(description="号码或地址", examples=["12345"])
    checked: str | None = Field(None, pattern=_DAY, description="哪一天核对过", examples=["2026-05-01"])


class AttachmentIn(BaseModel):
    """一个附件：文件名与散列；文件本身由你的系统保存。"""

    model_config = ConfigDict(extra="forbid")

    name: Short = Field(description="文件名", examples=["居住证申请表.docx"])
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$", description="SHA-256，64 位十六进制", examples=[""])


class EntryIn(BaseModel):
    """一个条目的全部内容。“标题”“答复要点”“责任单位”必填。"""

    model_config = ConfigDict(extra="forbid")

    title: Text = Field(description="标题", max_length=MAX_TITLE, examples=["居住证办理"])
    answer: Text = Field(description="答复要点", max_length=MAX_BODY, examples=["带身份证和居住证明到派出所办理。"])
    unit: Short = Field(description="责任单位", examples=["市公安局"])
    questions: list[Short] = Field([], max_length=100, description="问法", examples=[["外地人咋办证"]])
    body: Text = Field(
        "", max_length=MAX_BODY, description="正文（Markdown；HTML 只当文字）", examples=["## 材料\n\n- 身份证"]
    )
    matter: Short = Field("", description="事项", examples=[""])
    district: Short = Field("", description="适用辖区；空为全市", examples=[""])
    audience: Short = Field("", description="适用对象", examples=["非本市户籍人员"])
    clause: Text = Field("", max_length=2000, description="依据", examples=["《居住证暂行条例》"])
    effective_from: str | None = Field(None, pattern=_DAY, description="生效日期", examples=["2026-01-01"])
    effective_to: str | None = Field(None, pattern=_DAY, description="失效的第一天（不含）", examples=["2027-01-01"])
    attachments: list[AttachmentIn] = Field([], max_length=50, description="附件")
    contacts: list[ContactIn] = Field([], max_length=50, description="联系方式")
    source: Short = Field("", description="来源", examples=["市公安局门户网站"])
    secrecy: Short = Field(PUBLIC, description="密级：公开、内部", examples=[PUBLIC])

    def content(self) -> dict[str, Any]:
        return self.model_dump()


class DraftIn(BaseModel):
    """一份草稿：谁写的、看到的是第几次改动、内容。"""

    model_config = ConfigDict(extra="forbid")

    actor: Short = Field("", description="操作人；登录后以登录的人为准，可以不填", examples=["张三"])
    revision: int | None = Field(None, ge=0, le=MOST, description="你读到的 revision；新条目不填", examples=[3])
    entry: EntryIn = Field(description="条目的内容")


class StepIn(BaseModel):
    """对条目做一步：送审、退回、发布、请单位更新、归档、回退、放弃草稿。"""

    model_config = ConfigDict(extra="forbid")

    actor: Short = Field(
        "", description="操作人；登录后以登录的人为准，可以不填。审核人不能是起草人", examples=["李四"]
    )
    reason: Text = Field(
        "", max_length=2000, description="理由；退回、发布、请更新、归档、回退必填", examples=["核对无误"]
    )
    revision: int | None = Field(
        None, ge=0, le=MOST, description="你读到的 revision；填了就不会覆盖别人的改动", examples=[4]
    )
    version: int | None = Field(None, ge=1, le=MOST, description="回退（rollback）到第几版", examples=[None])


class ChangeOut(BaseModel):
    field: str = Field(description="字段", examples=["answer"])
    title: str = Field(description="字段的中文名", examples=["答复要点"])
    before: Any = Field(description="原来", examples=["到派出所。"])
    after: Any = Field(description="现在", examples=["网上办理。"])


class StepOut(BaseModel):
    """一步之后条目在哪里。"""

    id: str = Field(description="条目编号", examples=[EXAMPLE_ID])
    revision: int = Field(description="第几次改动", examples=[5])
    state: str = Field(description="状态", examples=["发布"])
    version: int | None = Field(description="现行的是第几版", examples=[2])
    decision_id: str | None = Field(None, description="决定编号；只有成为新版本的一步才有")
    changes: list[ChangeOut] = Field([], description="与现行版本的不同")


class ConflictOut(ProblemOut):
    """别人先改了：对方改了什么、你的内容、合在一起的稿子、两边都改的字段。"""

    revision: int = Field(description="现在是第几次改动", examples=[6])
    standing: dict[str, Any] = Field(description="现在的内容")
    changes: list[ChangeOut] = Field(description="对方改了什么")
    yours: dict[str, Any] | None = Field(description="你交的内容，原样")
    merged: dict[str, Any] = Field(description="合在一起的稿子；两边都改的字段取你的")
    conflicts: list[str] = Field(description="两边都改的字段", examples=[["answer"]])
