"""What a limit (时限) is: a dated parameter of a pack, which may be declared without a value.

A limit belongs to a track (时限线): the hotline's own (热线时限), or that of a statute which binds the competent authority
besides (消费者权益保护法 …). Tracks run side by side; within a track and stage the narrowest limit binds.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rules.ast import Condition, Leaf, facts_of, parse_condition, to_data
from rules.clause import Clause
from rules.fact_dictionary import fact_dictionary
from rules.normal_form import MAX_BRANCHES, branch_count, branches
from rules.problems import Mark, Problem
from rules.vocabulary import KINDS, STAGES, TIME_UNITS, URGENCIES
from rules.yaml_reader import Fields, Node

LIMIT_ID = r"[a-z][a-z0-9_]*"
KEYS = ("id", "title", "stage", "track", "kinds", "urgencies", "when", "values", "note")
#: The stage in which the steps of a procedure stand side by side, each with its own title.
STATUTORY = "statutory"


@dataclass(frozen=True, slots=True)
class LimitValue:
    """``amount`` × ``unit`` from a day on, by a clause. ``effective_to`` is exclusive."""

    amount: int
    unit: str
    clause: str
    effective_from: date
    effective_to: date | None

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)

    def __str__(self) -> str:
        return f"{self.amount}{'' if self.unit in ('分钟', '小时') else '个'}{self.unit}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of one stage, for all orders or for some kinds (诉求类型) and urgencies (紧急程度).

    ``note`` says why there is no value, where there is none. ``track`` is empty for the hotline's own clock, else the
    name of the statute's. A limit with ``when`` binds only where the condition over facts is a hit.
    """

    id: str
    title: str
    stage: str
    kinds: tuple[str, ...]
    urgencies: tuple[str, ...]
    values: tuple[LimitValue, ...]
    note: str
    pack: str
    mark: Mark = field(compare=False)
    track: str = ""
    when: Condition | None = None

    @property
    def clock(self) -> tuple[str, str, str]:
        """What this limit competes for: of one track and stage (in a procedure: and title) one limit binds."""
        return self.track, self.stage, self.title if self.stage == STATUTORY else ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The facts that the condition reads."""
        return facts_of(self.when) if self.when else ()

    @property
    def narrowness(self) -> int:
        """How specific: a condition weighs more than naming kinds, and that more than naming urgencies."""
        return 4 * (self.when is not None) + 2 * bool(self.kinds) + bool(self.urgencies)

    def covers(self, kind: str, urgency: str) -> bool:
        return (not self.kinds or kind in self.kinds) and (not self.urgencies or urgency in self.urgencies)

    def value_on(self, day: date) -> LimitValue | None:
        return next((value for value in self.values if value.in_force(day)), None)

    def to_data(self) -> dict[str, Any]:
        values = [
            [value.amount, value.unit, value.clause, str(value.effective_from), str(value.effective_to)]
            for value in self.values
        ]
        return {
            "id": self.id,
            "title": self.title,
            "stage": self.stage,
            "track": self.track,
            "kinds": list(self.kinds),
            "urgencies": list(self.urgencies),
            "when": to_data(self.when) if self.when else None,
            "values": values,
            "note": self.note,
        }


def parse_limit(node: Node, *, pack: str, clauses: Mapping[str, Clause], problems: list[Problem]) -> Limit | None:
    """Read one limit; what is wrong is added to ``problems`` and None comes back."""
    fields = Fields(node, "时限", problems, allowed=KEYS)
    limit_id = fields.text("id", pattern=LIMIT_ID, example="resolve_general")
    title = fields.text("title")
    stage = fields.text("stage", choices=STAGES)
    kinds, urgencies = fields.texts("kinds", choices=KINDS), fields.texts("urgencies", choices=URGENCIES)
    note, track = fields.text("note", required=False), fields.text("track", required=False)
    body = fields.get("when")
    when = parse_condition(body, fact_dictionary(), problems, gate="") if body else None
    if body and when and branch_count(when) > MAX_BRANCHES:
        params = {"count": branch_count(when), "unit": "支", "limit": MAX_BRANCHES}
        problems.append(Problem("E3013", body.mark, params))
    values = [_parse_value(item, limit_id, clauses, problems) for item in fields.items("values")]
    if not fields.ok:
        return None
    dated = sorted((value for value in values if value is not None), key=lambda value: value.effective_from)
    for before, after in itertools.pairwise(dated):
        if before.effective_to is None or after.effective_from < before.effective_to:
            problem = f"{before.effective_from} 起的值与 {after.effective_from} 起的值同时有效"
            hint = "请给前一个值写上 effective_to。"
            problems.append(
                Problem("E3016", fields.mark("values"), {"limit": limit_id, "problem": problem, "hint": hint})
            )
    if not dated and not note:
        params = {
            "limit": limit_id,
            "problem": "没有值也没有说明",
            "hint": "请填 values，或在 note 里写明为什么没有值。",
        }
        problems.append(Problem("E3016", node.mark, params))
    if not fields.ok:
        return None
    return Limit(limit_id, title, stage, kinds, urgencies, tuple(dated), note, pack, node.mark, track, when)


def _parse_value(
    node: Node, limit_id: str, clauses: Mapping[str, Clause], problems: list[Problem]
) -> LimitValue | None:
    fields = Fields(node, "时限的值", problems, allowed=("amount", "unit", "clause", "effective_from", "effective_to"))
    amount = fields.integer("amount", default=1)
    unit = fields.text("unit", choices=TIME_UNITS)
    clause = clauses.get(fields.text("clause"))
    if clause is None and fields.get("clause") is not None:
        problems.append(Problem("E3009", fields.mark("clause"), {"clause": fields.text("clause")}))
    if amount < 1:
        params = {"limit": limit_id, "problem": f"数量是 {amount}", "hint": "数量应是 1 以上的整数。"}
        problems.append(Problem("E3016", fields.mark("amount"), params))
    start, end = fields.span()
    if clause is None or not fields.ok:
        return None
    if start is not None and start < clause.effective_from:
        problem = f"早于条款“{clause.id}”的生效日期 {clause.effective_from}"
        problems.append(Problem("E3010", fields.mark("effective_from"), {"key": "effective_from", "problem": problem}))
        return None
    return LimitValue(amount, unit, clause.id, start or clause.effective_from, end or clause.effective_to)


def check_overlaps(limits: Sequence[Limit], problems: list[Problem]) -> None:
    """Two limits of one clock that are equally specific and share an order would leave the choice open."""
    for index, limit in enumerate(limits):
        for other in limits[:index]:
            if limit.clock != other.clock or limit.narrowness != other.narrowness or _exclusive(limit, other):
                continue
            if _share(limit.kinds, other.kinds) and _share(limit.urgencies, other.urgencies):
                problem = f"与“{other.id}”（{other.mark}）管同样的工单，分不出用哪一个"
                hint = (
                    "请用 kinds、urgencies 或互斥的 when 把两个分开，或合成一个；法定程序的几个步骤请用不同的 title。"
                )
                problems.append(Problem("E3016", limit.mark, {"limit": limit.id, "problem": problem, "hint": hint}))


def _share(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    return not left or not right or bool(set(left) & set(right))


def _exclusive(left: Limit, right: Limit) -> bool:
    """Whether the conditions can never both be a hit: in every pair of branches one fact would need two values."""
    if left.when is None or right.when is None:
        return False
    return all(
        any(_opposed(one, other) for one in here for other in there)
        for here in branches(left.when)
        for there in branches(right.when)
    )


def _opposed(left: Leaf, right: Leaf) -> bool:
    if left.fact != right.fact:
        return False
    if {left.op, right.op} == {"is", "is_not"}:
        return left.values == right.values
    return left.op in ("is", "in") and right.op in ("is", "in") and not set(left.values) & set(right.values)
