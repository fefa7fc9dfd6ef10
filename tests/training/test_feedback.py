"""What was suggested never becomes a label by itself; returns undo and confirm labels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from intake.errors import ZhipaiError
from training.feedback import Dispatch, Label, Return, labels, outcome_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def sent(unit: str, *, proposed: str = "甲局", hours: float = 0, order_id: str = "1") -> Dispatch:
    order = {"text": "路灯坏了", "district": "东湖区", "masked_paths": []}
    return Dispatch(
        f"d-{hours}", order_id, NOON + timedelta(hours=hours), unit, "理由", proposed, 0.7, "model-1", order
    )


def back(unit: str, *, hours: float, outcome: str, order_id: str = "1") -> Return:
    return Return(order_id, unit, NOON + timedelta(hours=hours), "不属本单位", outcome_of(outcome, order_id))


def only(dispatches: list[Dispatch], returns: list[Return]) -> Label:
    (label,) = labels(dispatches, returns)
    return label


def test_an_accepted_suggestion_is_told_from_a_choice_against_it() -> None:
    accepted, chosen = only([sent("甲局")], []), only([sent("乙局")], [])
    assert (accepted.label, accepted.basis) == ("甲局", "accepted")
    assert (chosen.label, chosen.basis) == ("乙局", "overridden")
    assert (chosen.proposed, chosen.chosen) == ("甲局", "乙局")


@pytest.mark.parametrize(
    ("outcome", "label", "basis", "not_units"),
    [("同意", "", "open", ("甲局",)), ("待定", "", "open", ()), ("驳回", "甲局", "return_refused", ())],
)
def test_a_return_of_the_last_unit_decides(outcome: str, label: str, basis: str, not_units: tuple) -> None:
    found = only([sent("甲局")], [back("甲局", hours=1, outcome=outcome)])
    assert (found.label, found.basis, found.not_units) == (label, basis, not_units)
    assert found.return_reasons == ("不属本单位",)


def test_a_return_that_was_answered_leaves_a_unit_that_it_is_not() -> None:
    found = only([sent("甲局"), sent("乙局", hours=2)], [back("甲局", hours=1, outcome="同意")])
    assert (found.label, found.not_units) == ("乙局", ("甲局",))


def test_sent_again_to_the_unit_that_returned_it() -> None:
    found = only([sent("甲局"), sent("甲局", hours=2)], [back("甲局", hours=1, outcome="同意")])
    assert (found.label, found.not_units) == ("甲局", ())


def test_what_was_taken_back_is_no_label_and_what_came_after_is() -> None:
    first, second = sent("甲局"), sent("乙局", hours=2)
    (undone,) = labels([first], taken_back={first.decision_id})
    assert (undone.label, undone.basis) == ("", "open")
    (after,) = labels([first, second], taken_back={first.decision_id})
    assert (after.label, after.basis, after.not_units) == ("乙局", "overridden", ())
    (twice,) = labels([first, second], taken_back={first.decision_id, second.decision_id})
    assert twice.label == "", "前一次也是收回了才能再派"


def test_orders_keep_apart_and_a_return_without_a_decision_is_left_out() -> None:
    found = labels(
        [sent("甲局", order_id="2"), sent("乙局", order_id="1")],
        [back("甲局", hours=1, outcome="同意", order_id="9"), back("甲局", hours=1, outcome="同意", order_id="2")],
    )
    assert [(one.order_id, one.label) for one in found] == [("1", "乙局"), ("2", "")]


def test_a_line_holds_suggestion_and_answer_apart() -> None:
    row = only([sent("乙局")], []).as_row()
    assert (row["text"], row["label"], row["proposed"], row["chosen"]) == ("路灯坏了", "乙局", "甲局", "乙局")
    assert "masked_paths" not in row


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(ZhipaiError, match="E5202"):
        outcome_of("也许", "1")
