"""Rules as durable_rules understands them: shards of sub-rules in JSON, within limits that were measured, not documented.

Each rule becomes two families of sub-rules: ``h`` branches fire where its condition is known to be true, ``p`` branches
where its opposite is. Where neither fires, a fact is missing. So the engine gives all three states.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.ast import Leaf, leaves, negate
from rules.fact_dictionary import Facts
from rules.normal_form import Branch, branch_cost, branches
from rules.rule import Rule

#: More than 64 simultaneous matches or 511 root conditions break the engine (error 303, hangs, heap overflow).
MAX_RULES, MAX_LEAVES = 56, 400
SENTINEL = "_"
#: AND-ed with every sub-rule: a bare "not exists" would match the engine's own state message and loop.
MARKER = {"k": 1}
FACT_ID = {"id": "w", "sid": "0"}
_SIGNS = {"is_not": "$neq", "lt": "$lt", "lte": "$lte", "gt": "$gt", "gte": "$gte"}
_OTHER = "s"


@dataclass(frozen=True)
class Lowered:
    """Definitions of the shards, and what is needed to talk to them.

    Text never reaches the engine: every text literal has a code, and a value that no rule names becomes one common
    code. That keeps Chinese, quotes, control characters and length away from its parser, and citizens' words out of it.
    """

    rule_ids: tuple[str, ...]
    shards: tuple[str, ...]
    names: frozenset[str]
    codes: Mapping[str, str]

    def fact_json(self, facts: Facts) -> str:
        """The facts that the rules read, as one JSON object."""
        body: dict[str, Any] = {
            name: self.codes.get(value, _OTHER) if isinstance(value, str) else value
            for name, value in facts.items()
            if name in self.names
        }
        return json.dumps(body | MARKER | FACT_ID, allow_nan=False)


def lower(rules: Sequence[Rule]) -> Lowered:
    """Lower rules that :func:`rules.rule.parse_rule` has accepted (which bounds their branches and leaves)."""
    texts = sorted(
        {text for rule in rules for leaf in leaves(rule.when) for text in leaf.values if isinstance(text, str)}
    )
    codes = {text: f"s{number}" for number, text in enumerate(texts)}
    shards: list[dict[str, Any]] = []
    room_rules = room_leaves = 0
    for number, rule in enumerate(rules):
        for family, condition in (("h", rule.when), ("p", negate(rule.when))):
            for index, branch in enumerate(branches(condition)):
                if any(leaf.unset for leaf in branch):
                    continue
                cost = branch_cost(branch)
                if room_rules < 1 or room_leaves < cost:
                    shards.append({SENTINEL: {"all": [{"m": MARKER}]}})
                    room_rules, room_leaves = MAX_RULES, MAX_LEAVES
                shards[-1][f"{number}|{family}|{index}"] = _sub_rule(branch, codes)
                room_rules, room_leaves = room_rules - 1, room_leaves - cost
    return Lowered(
        rule_ids=tuple(rule.id for rule in rules),
        shards=tuple(json.dumps(shard, allow_nan=False) for shard in shards),
        names=frozenset(leaf.fact for rule in rules for leaf in leaves(rule.when)),
        codes=codes,
    )


def _sub_rule(branch: Branch, codes: Mapping[str, str]) -> dict[str, Any]:
    return {"all": [{"m": {"$and": [MARKER, *(_condition(leaf, codes) for leaf in branch)]}}]}


def _condition(leaf: Leaf, codes: Mapping[str, str]) -> dict[str, Any]:
    if leaf.op in ("present", "missing"):
        return {"$ex" if leaf.op == "present" else "$nex": {leaf.fact: 1}}
    literals = [{leaf.fact: codes[value] if isinstance(value, str) else value} for value in leaf.values]
    if leaf.op == "in":
        return {"$or": literals}
    return literals[0] if leaf.op == "is" else {_SIGNS[leaf.op]: literals[0]}
