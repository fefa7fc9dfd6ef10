"""Questions to several gates, as the documentation page shows them."""

from __future__ import annotations

from fastapi.openapi.models import Example

AS_OF = "2026-05-06T09:30:00+08:00"

EXAMPLES: dict[str, Example] = {
    "return_designated": {
        "summary": "退回（return）：经指定的单位申请退回",
        "value": {
            "pack": "weifang",
            "as_of": AS_OF,
            "facts": {"return_requested": True, "designated_by_ruling": True},
        },
    },
    "return_window": {
        "summary": "退回（return）：由派单和申请的时刻算是否超过退回时限",
        "value": {
            "pack": "anyang",
            "as_of": AS_OF,
            "facts": {
                "return_requested": True,
                "dispatched_at": "2026-05-05T09:00:00+08:00",
                "return_requested_at": "2026-05-06T09:00:00+08:00",
            },
            "return_reason": "不属于我单位职责，依据《某某条例》第十条，建议由市水务局承办。",
        },
    },
    "extension": {
        "summary": "延期（extension）：营商环境投诉举报申请延长十二个工作日",
        "value": {
            "pack": "jinan",
            "as_of": AS_OF,
            "facts": {
                "extension_requested": True,
                "business_environment_report": True,
                "extension_workdays": 12,
                "approved_by_head": True,
            },
        },
    },
    "exclusion": {
        "summary": "不纳入考核（exclusion）：材料还没有收齐",
        "value": {
            "as_of": AS_OF,
            "facts": {
                "exclusion_requested": True,
                "material_application_form": True,
                "material_statement": False,
            },
        },
    },
    "acceptance": {
        "summary": "受理（acceptance）：自称已经信访，没有编号",
        "value": {"as_of": AS_OF, "kind": "投诉", "facts": {"petition_claimed": True}},
    },
}
