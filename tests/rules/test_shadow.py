"""What counts as a difference between the pack in force and its shadow."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from rules import RulePack, evaluate, load_pack
from rules.shadow import EXAMPLES, Difference, ShadowTally, compare

AS_OF = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
GATES = ("acceptance", "dispatch")
FACTS = {"emergency_hit": False, "service_attitude": True, "related_count": 0, "duplicate_of_open": False}


def spoken(pack: RulePack) -> list[dict[str, object]]:
    """The verdicts as a proposal lists them."""
    found = [verdict for gate in GATES for verdict in evaluate(pack, FACTS, as_of=AS_OF, gate=gate)]
    return [verdict.as_dict() for verdict in found if verdict.state != "pass"]


def test_same_pack_differs_nowhere() -> None:
    pack = load_pack("jinan")
    assert compare(pack, FACTS, as_of=AS_OF, gates=GATES, live=spoken(pack)) == ()


def test_a_rule_that_is_only_in_one_pack_differs_where_it_speaks() -> None:
    jinan, national = load_pack("jinan"), load_pack("national")
    there = {one.rule: one for one in compare(jinan, FACTS, as_of=AS_OF, gates=GATES, live=spoken(national))}
    back = {one.rule: one for one in compare(national, FACTS, as_of=AS_OF, gates=GATES, live=spoken(jinan))}
    assert (there["JN-ACC-001"].live, there["JN-ACC-001"].shadow) == ("pass", "hit")
    assert (back["JN-ACC-001"].live, back["JN-ACC-001"].shadow) == ("hit", "pass")
    assert there["JN-ACC-001"].clause == back["JN-ACC-001"].clause == "jinan-12345-2018#14.4"
    assert there.keys() == back.keys()


def test_gates_that_are_not_asked_are_left_out() -> None:
    jinan, national = load_pack("jinan"), load_pack("national")
    found = compare(national, FACTS, as_of=AS_OF, gates=("dispatch",), live=spoken(jinan))
    assert not [one.rule for one in found if "-ACC-" in one.rule]


def test_tallies_of_processes_add_up() -> None:
    one = Difference("R", "某规则", "c#1", "pass", "hit")
    parts = []
    for worker in range(2):
        tally = ShadowTally("a", "b")
        for number in range(4):
            tally.note([one] if number else [], proposal_id=f"p-{worker}{number}")
            tally.seen(f"2026-05-0{1 + worker}T0{number}:00:00+08:00")
        parts.append(tally)
    parts[1].dropped, parts[0].failed = 3, 2
    total = ShadowTally("a", "b")
    for part in parts:
        total.add(part)
    row = total.to_data()
    assert (row["compared"], row["differing"], row["dropped"], row["failed"]) == (8, 6, 3, 2)
    assert (row["first"], row["last"]) == ("2026-05-01T00:00:00+08:00", "2026-05-02T03:00:00+08:00")
    assert row["rules"]["R|pass|hit"]["orders"] == 6
    assert row["rules"]["R|pass|hit"]["proposals"] == ["p-01", "p-02", "p-03", "p-11", "p-12"]
    assert len(row["rules"]["R|pass|hit"]["proposals"]) == EXAMPLES
    assert parts[0].rules["R|pass|hit"]["orders"] == 3, "相加不改动原来的计数"
