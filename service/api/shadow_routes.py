"""``GET /v1/rules/shadow``: how the shadow pack compares with the rules in force."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from service.api.auth import needs

router = APIRouter(dependencies=[Depends(needs("rules.read"))])
EXAMPLE = {
    "shadow": "jinan@30a1ae01259b",
    "problem": "",
    "comparisons": [
        {
            "live": "weifang@21a580f01542",
            "shadow": "jinan@30a1ae01259b",
            "first": "2026-05-06T09:00:00+08:00",
            "last": "2026-05-06T17:30:00+08:00",
            "compared": 1204,
            "differing": 31,
            "dropped": 0,
            "failed": 0,
            "rules": [
                {
                    "rule": "JN-DSP-002",
                    "title": "集中反映、反复提出的开展专题研究",
                    "clause": "jinan-12345-2018#26",
                    "live": "pass",
                    "shadow": "hit",
                    "orders": 31,
                    "proposals": ["p-0f3c6f7f6d8f4a0e9a57f6c1f2b3a4d5"],
                }
            ],
        }
    ],
}


@router.get(
    "/v1/rules/shadow",
    summary="影子规则包与现行规则的不同",
    tags=["运维"],
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}},
)
def shadow(request: Request) -> dict[str, Any]:
    """各进程合计：比较了多少条，哪条规则说得不一样（只给建议编号），丢下和没有比成的各有多少。"""
    return request.app.state.runtime.shadow.summary()
