"""The closed word lists of the rule language, each with its Chinese name where a user reads it."""

from __future__ import annotations

from typing import Literal

State = Literal["hit", "pass", "not_evaluated"]
Severity = Literal["block", "warn", "info"]
Effect = Literal["allow", "forbid", "require", "advise", "redirect", "escalate"]

#: 关口: where in the life of an order a rule speaks.
GATES = {
    "acceptance": "受理",
    "dispatch": "派单",
    "return": "退回",
    "extension": "延期",
    "exclusion": "不纳入考核",
    "suspension": "挂账",
    "closure": "办结",
    "post_callback": "回访之后",
}
SEVERITIES = {"block": "拦截", "warn": "提醒", "info": "提示"}
EFFECTS = {
    "allow": "允许",
    "forbid": "不得",
    "require": "应当",
    "advise": "建议",
    "redirect": "转告其他途径",
    "escalate": "提请上级或会商",
}
#: 环节时限, in the order in which they fall due; last, the steps of a procedure that a statute prescribes.
STAGES = {
    "sign_in": "签收",
    "return": "退回",
    "first_contact": "首次联系",
    "resolve": "办结",
    "statutory": "法定程序",
}
#: 诉求类型 (sources: elements_and_pii.md section 2, the five that limits tell apart).
KINDS = ("投诉", "举报", "咨询", "求助", "建议")
URGENCIES = ("一般", "紧急", "特急", "疑难")
#: 计时单位. 工作小时 counts office hours of working days only.
TIME_UNITS = ("分钟", "小时", "工作小时", "自然日", "工作日")
#: How surely the text of a clause is known. 用户提供 is what the user's organisation filled in and answers for.
CONFIDENCES = ("原文已读", "原文已读（节选）", "二手摘要", "常识推断", "未找到", "用户提供")
#: Those that may carry a rule that blocks.
MAY_BLOCK = ("原文已读", "原文已读（节选）", "用户提供")
