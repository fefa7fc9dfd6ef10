"""What the rules of a gate amount to: one word from a closed list, by one documented precedence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from rules.vocabulary import Effect, Severity, State

Answer = Literal["forbidden", "escalated", "redirected", "required", "warned", "advised", "allowed", "silent"]

#: Strongest first: where several rules hit, the strongest answer is the answer of the gate.
ANSWERS: dict[Answer, str] = {
    "forbidden": "不得",
    "escalated": "提请上级或会商",
    "redirected": "转告其他途径",
    "required": "应当",
    "warned": "不宜",
    "advised": "建议",
    "allowed": "允许",
    "silent": "没有规则说话",
}
RANK: dict[Answer, int] = {answer: rank for rank, answer in enumerate(ANSWERS)}
_OF_EFFECT: dict[Effect, Answer] = {
    "forbid": "warned",
    "escalate": "escalated",
    "redirect": "redirected",
    "require": "required",
    "advise": "advised",
    "allow": "allowed",
}


class Spoken(Protocol):
    """A rule, or the verdict of one."""

    @property
    def effect(self) -> Effect: ...

    @property
    def severity(self) -> Severity: ...


def answer_of(rule: Spoken) -> Answer:
    """What a rule makes the gate answer when it hits. Only a prohibition that blocks is 不得; others are 不宜."""
    if rule.effect == "forbid" and rule.severity == "block":
        return "forbidden"
    return _OF_EFFECT[rule.effect]


def strongest(answers: Iterable[Answer]) -> Answer:
    """The answer that prevails; ``silent`` where nobody speaks."""
    return min(answers, key=RANK.__getitem__, default="silent")


def decide(answers: Mapping[str, Answer], states: Mapping[str, State]) -> tuple[Answer, tuple[str, ...]]:
    """The answer of a gate and the ids of the rules that give it.

    Parameters
    ----------
    answers : mapping
        Rule id → what the rule answers if it hits.
    states : mapping
        Rule id → state; the order of the ids that come back is the order here.
    """
    hits = [rule_id for rule_id, state in states.items() if state == "hit"]
    answer = strongest(answers[rule_id] for rule_id in hits)
    return answer, tuple(rule_id for rule_id in hits if answers[rule_id] == answer)


def open_rules(answers: Mapping[str, Answer], states: Mapping[str, State], answer: Answer) -> tuple[str, ...]:
    """The rules that could not be evaluated and would, if they hit, give a stronger answer than the present one."""
    return tuple(
        rule_id
        for rule_id, state in states.items()
        if state == "not_evaluated" and RANK[answers[rule_id]] < RANK[answer]
    )
