"""What dispatchers and units taught: decisions and returns (退单) as labels, suggestion and answer kept apart.

A label is the unit that an order stayed with. What the software had proposed stands beside it and is never the label by
itself: who accepts a suggestion leans on it, so that ``basis`` tells an accepted one from one that a person chose against it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from intake.errors import ZhipaiError, register

register("E5202", "退单结果不认识", "退单的结果“{outcome}”不认识（工单 {order_id}）。可用：同意、驳回、待定。")

Outcome = Literal["agreed", "refused", "open"]
#: What a return's outcome is called by people.
OUTCOMES: dict[str, Outcome] = {"同意": "agreed", "驳回": "refused", "待定": "open", "": "open"}


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One decision to send an order to a unit.

    Parameters
    ----------
    decision_id, order_id : str
    at : datetime
        Aware.
    unit, reason : str
        What was chosen, and why where it was not the suggestion. Personal data in the reason is masked.
    proposed : str
        The first unit of the proposal; empty when it had none. ``probability`` is the proposal's.
    model : str
        The id of the model that proposed.
    order : mapping
        The masked order of the proposal.
    """

    decision_id: str
    order_id: str
    at: datetime
    unit: str
    reason: str
    proposed: str
    probability: float
    model: str
    order: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Return:
    """A unit sent an order back (退单); ``outcome`` says what the hotline made of it."""

    order_id: str
    unit: str
    at: datetime
    reason: str = ""
    outcome: Outcome = "open"


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one order.

    Parameters
    ----------
    label : str
        The unit that it stayed with; empty while that is open (taken back or returned with consent and not sent on, or
        return open).
    basis : str
        ``accepted``, ``overridden``, ``return_refused`` or ``open``.
    proposed, chosen : str
        Suggestion and answer of the last decision.
    not_units : tuple of str
        Units that sent it back with consent: they are not the answer.
    """

    order_id: str
    label: str
    basis: Literal["accepted", "overridden", "return_refused", "open"]
    proposed: str
    probability: float
    chosen: str
    reason: str
    decision_id: str
    model: str
    not_units: tuple[str, ...] = ()
    return_reasons: tuple[str, ...] = ()
    order: Mapping[str, Any] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        """One line of the training file; ``datasets/mappings/feedback.yaml`` reads it."""
        names = ("text", "title", "channel", "order_type", "category", "received_at", "district", "street", "community")
        return {name: self.order.get(name) or "" for name in names} | {
            "order_id": self.order_id,
            "label": self.label,
            "basis": self.basis,
            "proposed": self.proposed,
            "probability": self.probability,
            "chosen": self.chosen,
            "reason": self.reason,
            "not_units": list(self.not_units),
            "return_reasons": list(self.return_reasons),
            "decision_id": self.decision_id,
            "model": self.model,
        }


def outcome_of(word: str, order_id: str) -> Outcome:
    """同意、驳回、待定 or nothing; E5202 for another word."""
    found = OUTCOMES.get(word.strip())
    if found is None:
        raise ZhipaiError("E5202", {"outcome": word[:20], "order_id": order_id[:40]})
    return found


def labels(
    dispatches: Iterable[Dispatch], returns: Iterable[Return] = (), *, taken_back: Collection[str] = ()
) -> list[Label]:
    """One label for each order that was decided, by number.

    The last decision counts. A return concerns it when it came from the unit that was chosen, after the decision; an
    agreed return of an earlier unit stays as a unit that it is not. A return for an order without a decision is left out.

    Parameters
    ----------
    taken_back : collection of str
        Ids of decisions that do not stand any more. An order whose last decision is one of them has no label: what went
        before was taken back too, or it could not have been decided again.
    """
    decided: dict[str, list[Dispatch]] = defaultdict(list)
    for dispatch in dispatches:
        decided[dispatch.order_id].append(dispatch)
    sent_back: dict[str, list[Return]] = defaultdict(list)
    for one in returns:
        sent_back[one.order_id].append(one)
    return [
        _label(
            sorted(decided[order_id], key=lambda one: one.at),
            sorted(sent_back[order_id], key=lambda one: one.at),
            taken_back,
        )
        for order_id in sorted(decided)
    ]


def _label(dispatches: list[Dispatch], returns: list[Return], taken_back: Collection[str]) -> Label:
    last = dispatches[-1]
    of_last = [one for one in returns if one.unit == last.unit and one.at >= last.at]
    agreed = tuple(dict.fromkeys(one.unit for one in returns if one.outcome == "agreed"))
    basis: Literal["accepted", "overridden", "return_refused", "open"]
    if last.decision_id in taken_back or (of_last and of_last[-1].outcome != "refused"):
        basis = "open"
    elif of_last:
        basis = "return_refused"
    elif last.unit == last.proposed:
        basis = "accepted"
    else:
        basis = "overridden"
    label = "" if basis == "open" else last.unit
    return Label(
        order_id=last.order_id,
        label=label,
        basis=basis,
        proposed=last.proposed,
        probability=last.probability,
        chosen=last.unit,
        reason=last.reason,
        decision_id=last.decision_id,
        model=last.model,
        not_units=tuple(unit for unit in agreed if unit != label),
        return_reasons=tuple(one.reason for one in returns if one.reason),
        order=last.order,
    )
