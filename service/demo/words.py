"""Who acts in the demo and what they say. All of it is made up; orders and entries are those of the bundled city."""

from __future__ import annotations

DISPATCHERS = ("派单员甲", "派单员乙", "派单员丙")
LEAD = "班长"
KB_WRITERS = ("知识维护员甲", "知识维护员乙")
KB_REVIEWER = "知识审核员"
RULE_OWNER = "规则员"
SCIENTIST = "数据岗"

OVERRIDES = (
    "按事发地和职责，应由{unit}办理",
    "{unit}负责这类事项，第一位不对",
    "与以往同类工单一致，派{unit}",
    "来电人说的地点在{unit}的范围",
)
#: Of a dispatcher who does not share the opinion of the others.
OPINIONS = ("先派{unit}核实，再定责任单位", "此前同一地点由{unit}处理过", "{unit}在现场有人，先派过去")
REFUSALS = ("属于不受理的情形，已告知来电人途径", "已向来电人说明应当找的部门", "按分类处置告知，不派单")
MERGES = ("同一来电人催办，与前单是一件事", "重复来电，并入原单一并答复")
UNDOS = ("按错了单位，马上改", "来电人补充了地点，重新派", "派出后发现是另一个区")

RETURN_WRONG = "经核实，反映的事项不在我单位职责范围，应由{unit}办理，附职责依据。"
RETURN_RIGHT = "反映的地点人手紧张，建议由其他单位先行处理。"
EXTENSION = "已核查，需要与有关单位协调并排期办理，规定时限内难以办完，申请延长。"
EXCLUSION = "已多次联系来电人并当面说明处理结论，来电人仍不认可，申请不纳入考核。"
SUSPENSION = "需要分期实施，不能在时限内办完，已向来电人说明方案和计划完成日，申请挂账。"
GRANTED = {
    "return": "职责依据充分，同意退回，按建议单位重派",
    "extension": "情况属实，材料齐全，同意延期",
    "exclusion": "联系记录和结论文书齐全，同意",
    "suspension": "计划完成日和销账条件明确，同意挂账",
}
DENIED = {
    "return": "此事在你单位职责之内，不同意退回，请继续办理",
    "extension": "没有说明客观原因，不同意延期",
    "exclusion": "材料不足以证明理由，不同意",
    "suspension": "没有计划完成日，不同意挂账",
}
REPLIES = (
    "已联系来电人，并到现场查看，问题已处理完毕，来电人表示认可。",
    "经核查情况属实，已责令责任方限期整改，整改后将再次回访。",
    "已向来电人解释有关规定和办理途径，来电人表示理解。",
    "已列入本周维修计划，完成后由专人回访。",
    "现场未发现反映的情况，已留下联系方式，如再发生请直接联系。",
    "已与有关单位对接，由我单位牵头处理，进展将及时告知来电人。",
)
