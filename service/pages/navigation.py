"""What stands in the header: a page is shown to whoever may take its action."""

from __future__ import annotations

from dataclasses import dataclass

from service.access import Actor


@dataclass(frozen=True, slots=True)
class Item:
    """One page of the header. ``told`` says on the start page what the page is for; ``who`` names its main users."""

    href: str
    title: str
    action: str
    who: str
    told: str

    def holds(self, path: str) -> bool:
        """Whether an address belongs to this page."""
        return path == self.href or path.startswith(self.href + "/")


#: In the order of the header. Only pages that stand are listed.
ITEMS: tuple[Item, ...] = (
    Item("/workbench", "派单工作台", "dispatch.decide", "派单员、班长", "队列、建议、依据、到期，键盘一键派单"),
    Item("/cases", "申请审核", "case.review", "班长", "退单、延期、不纳入考核、挂账：单位的申请和规则并排看"),
    Item("/unit", "本单位工单", "case.submit", "承办单位", "派来的工单：答复、退单、延期、不纳入考核、挂账"),
    Item("/kb", "知识库", "kb.read", "知识库维护员、审核员、派单员", "查条目、起草、审核、到期、查重、找缺口、导入"),
    Item("/try", "试一条诉求", "triage.propose", "所有人", "粘贴一段诉求，看建议和规则怎么说；不登记、不派单"),
    Item("/rules", "规则", "rules.read", "规则员", "规则包、依据、测试；试一条、看回测、写明理由后发布"),
    Item("/models", "模型", "model.read", "数据科学家", "版本与评测、漂移、影子、上线与退回；下一批该标注什么"),
    Item(
        "/audit", "审计", "audit.read", "审计员", "决定日志、一条决定的来龙去脉、验证、回放、检查点、导出、一致与改派"
    ),
    Item(
        "/overview",
        "总览",
        "overview.read",
        "班长、审计员、数据科学家",
        "今天的量、疑难、退回、到期和热点，每个数都能点开",
    ),
)


def items_for(actor: Actor) -> tuple[Item, ...]:
    return tuple(item for item in ITEMS if actor.may(item.action).allowed)
