"""The rules that did not speak (未命中): a record lists those that hit or could not be judged; the others are found again
by judging the order once more under the rules of that day."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from intake.errors import ZhipaiError, register
from intake.prepare import prepare
from rules import derive_facts
from service.replay import Subject
from service.replay_parts import Finder
from service.triage import TRIAGE_GATES

register(
    "E7981",
    "未命中的规则列不出来",
    "这条决定当时未命中的规则列不出来：{problem}。记录里写明的命中和无法判断的规则不受影响。",
    status=409,
)


def silent_rules(subject: Subject, finder: Finder) -> list[dict[str, Any]]:
    """The verdicts ``pass`` of a proposal's gates, each with the values read, as :meth:`rules.Verdict.as_dict` gives them.

    Raises
    ------
    ZhipaiError
        E7981 where the text was erased, or a part of that day's snapshot cannot be had any more.
    """
    proposal, order = subject.proposal, subject.order
    as_of = datetime.fromisoformat(proposal["as_of"])
    if order is None:
        raise ZhipaiError("E7981", {"problem": "工单文字已按规定删除"})
    found = finder.find(proposal["snapshot"], as_of=as_of, created_at=subject.created_at, context=subject.context)
    if found.rules is None or found.gazetteer is None or found.directory is None:
        wanting = next((f"{one.part}（{one.why}）" for one in found.missing), "当日的规则、地名表或名录已经没有了")
        raise ZhipaiError("E7981", {"problem": wanting})
    facts = derive_facts(
        prepare(order, found.gazetteer),
        received_at=order.received_at or as_of,
        ranking_units=[unit["unit"] for unit in proposal["units"]],
        directory=found.directory,
    )
    spoken = {verdict["rule_id"] for verdict in proposal["verdicts"]}
    return [
        verdict.as_dict()
        for gate in TRIAGE_GATES
        for verdict in found.rules.evaluate(facts, as_of=as_of, gate=gate, passed=True).verdicts
        if verdict.state == "pass" and verdict.rule_id not in spoken
    ]
