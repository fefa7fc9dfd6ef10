"""The deadlines of a proposal: the hotline's and the statutes' side by side, counted once for all orders alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from intake.order import WorkOrder
from rules import RuleEngine, load_pack
from service import triage
from service.snapshot import Snapshot
from service.triage import propose, propose_many

AS_OF = datetime(2026, 5, 6, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
COMPLAINT = WorkOrder(text="小区楼下烧烤店每晚油烟很大，孩子一直咳嗽，希望有人管管。", order_type="投诉")
QUESTION = WorkOrder(text="想问一下身份证到期了怎么换。", order_type="咨询")
FILES = {
    "pack": "name: town\ntitle: 某镇\njurisdiction: 某镇\n",
    "clauses": """
- id: town-2020
  document: 某镇热线办法
  source: T01
  effective_from: 2020-01-01
  clauses: [{id: "1", article: 第一条, confidence: 原文已读, summary: 摘要。}]
""",
    "limits": """
- {id: resolve, title: 办结时限, stage: resolve, values: [{amount: 5, unit: 工作日, clause: town-2020#1}]}
- id: consumer
  title: 处理并告知
  stage: statutory
  track: 消费者权益保护法
  when: {fact: kind, is: 投诉}
  values: [{amount: 7, unit: 工作日, clause: town-2020#1}]
- id: disputed
  title: 协商
  stage: statutory
  track: 市监办法
  when: {fact: coordination_failed, is: true}
  values: [{amount: 7, unit: 工作日, clause: town-2020#1}]
""",
}


@pytest.fixture
def town(snapshot: Snapshot, tmp_path: Path) -> Snapshot:
    """The installed snapshot with a pack that has tracks."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return replace(snapshot, rules=RuleEngine(load_pack(tmp_path), kind="python"))


def told(order: WorkOrder, town: Snapshot) -> list[tuple[str, str, str, str]]:
    deadlines = propose(order, as_of=AS_OF, snapshot=town).deadlines
    return [(one["track"], one["stage"], one["title"], one["due_at"][:10]) for one in deadlines]


def test_a_statute_that_hits_stands_beside_the_hotline(town: Snapshot) -> None:
    assert told(COMPLAINT, town) == [
        ("", "resolve", "办结时限", "2026-05-12"),
        ("消费者权益保护法", "statutory", "处理并告知", "2026-05-14"),
    ]


def test_a_statute_that_does_not_or_may_not_hit_is_left_out(town: Snapshot) -> None:
    assert told(QUESTION, town) == [("", "resolve", "办结时限", "2026-05-12")]


def test_keys_of_a_deadline(town: Snapshot) -> None:
    for deadline in propose(COMPLAINT, as_of=AS_OF, snapshot=town).deadlines:
        assert set(deadline) == {"stage", "track", "title", "limit", "due_at", "state", "cause", "clause"}


def test_many_orders_are_counted_once_for_each_kind_and_set_of_tracks(
    town: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = triage.compute_deadlines
    monkeypatch.setattr(
        triage, "compute_deadlines", lambda pack, **given: calls.append(given["kind"]) or real(pack, **given)
    )
    proposals = list(propose_many([COMPLAINT, QUESTION] * 5, as_of=AS_OF, snapshot=town))
    assert sorted(calls) == ["咨询", "投诉"]
    assert [len(one.deadlines) for one in proposals] == [2, 1] * 5
    assert proposals[0].deadlines == propose(COMPLAINT, as_of=AS_OF, snapshot=town).deadlines
