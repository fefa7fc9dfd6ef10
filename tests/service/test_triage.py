"""The triage use case is a pure function, and its JSON is what others rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from intake.order import WorkOrder
from service import triage
from service.snapshot import Snapshot
from service.triage import propose, propose_many

AS_OF = datetime(2026, 5, 6, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
SMOKE = WorkOrder(text="小区楼下烧烤店每晚油烟很大，孩子一直咳嗽，我电话13912345678，希望有人管管。")

TOP = {
    "proposal_id", "as_of", "order", "units", "abstained", "abstain_reason", "abstain_kind", "backoff", "coverage_set", "joint",
    "entries", "verdicts", "deadlines", "elements", "snapshot",
}  # fmt: skip


def test_proposal_has_exactly_the_promised_fields(snapshot: Snapshot) -> None:
    document = propose(SMOKE, as_of=AS_OF, snapshot=snapshot, all_verdicts=True).as_dict()
    assert set(document) == TOP
    assert json.loads(json.dumps(document, ensure_ascii=False)) == document
    assert {"unit", "probability", "evidence"} == set(document["units"][0])
    assert {"kind", "text", "weight", "ref"} == set(document["units"][0]["evidence"][0])
    assert {one["kind"] for unit in document["units"] for one in unit["evidence"]} <= {
        "word", "similar_order", "duty", "field", "rule",
    }  # fmt: skip
    for verdict in document["verdicts"]:
        assert {"rule_id", "gate", "state", "severity", "title", "clause", "disposition", "values"} <= set(verdict)
        assert {"id", "document", "article", "confidence"} <= set(verdict["clause"])
    for deadline in document["deadlines"]:
        assert {"stage", "limit", "due_at", "state", "clause"} <= set(deadline)
    for entry in document["entries"]:
        assert {"id", "title", "score", "unit", "effective_to"} == set(entry)
    assert {"rules", "model", "knowledge", "directory", "calendar"} == set(document["snapshot"])
    assert "missing" in document["elements"]


def test_smoke_goes_to_a_city_management_bureau(snapshot: Snapshot) -> None:
    proposal = propose(SMOKE, as_of=AS_OF, snapshot=snapshot)
    assert any("城市管理局" in unit["unit"] for unit in proposal.units[:3])


def test_same_input_gives_the_same_bytes(snapshot: Snapshot) -> None:
    first = propose(SMOKE, as_of=AS_OF, snapshot=snapshot).canonical
    assert propose(SMOKE, as_of=AS_OF, snapshot=snapshot).canonical == first
    assert propose(replace(SMOKE, text=SMOKE.text + "。"), as_of=AS_OF, snapshot=snapshot).canonical != first


def test_batch_proposes_the_same_units_as_one_by_one(snapshot: Snapshot, root: Path) -> None:
    lines = (root / "datasets/city/orders.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    orders = [WorkOrder(text=json.loads(line)["text"]) for line in lines]
    together = list(propose_many(orders, as_of=AS_OF, snapshot=snapshot))
    for order, batched in zip(orders, together, strict=True):
        alone = propose(order, as_of=AS_OF, snapshot=snapshot)
        # int8 arithmetic in a padded batch may differ in the last digits, never in the order of clear candidates.
        assert alone.units[0]["probability"] == pytest.approx(batched.units[0]["probability"], abs=0.05)
        assert alone.proposal_id == batched.proposal_id


def test_personal_data_never_stands_in_a_proposal(snapshot: Snapshot) -> None:
    text = propose(SMOKE, as_of=AS_OF, snapshot=snapshot).canonical.decode()
    assert "13912345678" not in text
    assert "phone" in text


def test_units_are_in_force_and_probabilities_are_ordered(snapshot: Snapshot) -> None:
    proposal = propose(SMOKE, as_of=AS_OF, snapshot=snapshot)
    probabilities = [unit["probability"] for unit in proposal.units]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1.0001
    for unit in proposal.units:
        assert snapshot.directory.get(unit["unit"], AS_OF) is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E1001"),
        ("   \n ", "E1001"),
        ("的" * 50_000, "E1002"),
        ("😀😀🔥", "E1003"),
        ("12345 110", "E1003"),
        ("\x00\x01\x02", "E1003"),
    ],
)
def test_order_that_cannot_be_triaged_is_refused(snapshot: Snapshot, text: str, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        propose(WorkOrder(text=text), as_of=AS_OF, snapshot=snapshot)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        "路燈壞了三天沒人修，晚上回家很害怕",
        "There is loud construction noise near my home every night, please help",
        "路灯\x00坏了\x07三天没人修",
        "路灯坏了\ud83d三天没人修",
    ],
)
def test_unusual_but_readable_order_gets_a_proposal(snapshot: Snapshot, text: str) -> None:
    proposal = propose(WorkOrder(text=text), as_of=AS_OF, snapshot=snapshot)
    assert proposal.units
    assert proposal.canonical


def test_traditional_characters_are_read_as_simplified(snapshot: Snapshot) -> None:
    traditional = propose(WorkOrder(text="路燈壞了三天沒人修，晚上回家很害怕"), as_of=AS_OF, snapshot=snapshot)
    simplified = propose(WorkOrder(text="路灯坏了三天没人修，晚上回家很害怕"), as_of=AS_OF, snapshot=snapshot)
    assert [unit["unit"] for unit in traditional.units] == [unit["unit"] for unit in simplified.units]


def test_instant_without_zone_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(ZhipaiError) as caught:
        propose(SMOKE, as_of=AS_OF.replace(tzinfo=None), snapshot=snapshot)
    assert caught.value.code == "E6101"


def test_emergency_is_redirected_not_refused(snapshot: Snapshot) -> None:
    proposal = propose(
        WorkOrder(text="我家厨房着火了，火很大，快来人啊，还有人困在里面！"), as_of=AS_OF, snapshot=snapshot
    )
    hits = [one for one in proposal.verdicts if one["state"] == "hit" and one["gate"] == "acceptance"]
    assert hits, "火情应命中紧急转接"
    assert any("119" in one["disposition"]["tell"] or "转" in one["disposition"]["action"] for one in hits)


def test_two_matters_name_who_leads_and_who_assists(snapshot: Snapshot) -> None:
    """Advice: the ranking and the abstention stay those of the whole text."""
    both = "工地半夜施工吵得睡不着，另外反映路口的红绿灯坏了三天没人修"
    found = propose(WorkOrder(text=both), as_of=AS_OF, snapshot=snapshot)
    assert [one["role"] for one in found.joint] == ["lead", "assist"]
    assert found.joint[0]["unit"] == found.units[0]["unit"] != found.joint[1]["unit"]
    assert propose(WorkOrder(text=both.split("，另外")[0]), as_of=AS_OF, snapshot=snapshot).joint == []


def test_a_part_that_is_most_of_the_text_is_not_encoded_again(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    begin = snapshot.encoder.begin
    monkeypatch.setattr(
        snapshot.encoder, "begin", lambda texts, **more: (asked.append(list(texts)), begin(texts, **more))[1]
    )
    first = "工地半夜施工吵得睡不着，每天从晚上十点一直干到凌晨三点，老人孩子都受不了，物业说管不了。"
    text = f"{first}另外反映路灯坏了三天没人修。"
    propose(WorkOrder(text=text), as_of=AS_OF, snapshot=snapshot)
    assert asked == [[text], [text.removeprefix(first)]]
    asked.clear()
    propose(WorkOrder(text="路灯坏了三天没人修。另外反映工地半夜施工吵。"), as_of=AS_OF, snapshot=snapshot)
    assert [len(texts) for texts in asked] == [1, 2]


def test_limits_that_depend_on_the_units_are_counted_when_these_are_known(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pack has such a limit today; one that does must not be judged without them."""
    expected = propose(SMOKE, as_of=AS_OF, snapshot=snapshot)
    pack = replace(snapshot.rules.pack)
    pack.__dict__["limit_facts"] = pack.limit_facts | {"top_unit_level"}
    monkeypatch.setattr(snapshot.rules, "pack", pack)
    given: list[dict[str, object]] = []
    counted = triage._deadlines

    def watched(as_of: datetime, snapshot: Snapshot):
        count = counted(as_of, snapshot)
        return lambda facts: (given.append(dict(facts)), count(facts))[1]

    monkeypatch.setattr(triage, "_deadlines", watched)
    assert propose(SMOKE, as_of=AS_OF, snapshot=snapshot).deadlines == expected.deadlines
    assert len(given) == 1 and "top_unit_level" in given[0]
