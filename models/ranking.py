"""What the ranker answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EvidenceKind = Literal["word", "similar_order", "duty", "field"]
AbstainKind = Literal["", "cold", "directory", "far", "place", "torn"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for one unit, taken from the numbers that made its score.

    Parameters
    ----------
    kind : str
        ``word``: words of the text; ``similar_order``: a historic order of that unit nearby; ``duty``: a line of the
        unit's duties that the text comes near to; ``field``: the place of the order, or a field
        known at filing.
    text : str
        What a dispatcher reads: the words, the (masked) order, the duty line.
    weight : float
        What it added to the unit's log-odds, before the trees rank the shortlist. The same scale for all kinds.
    ref : str
        工单编号 of a similar order, the unit of a duty line, the name of a field; else empty.
    """

    kind: EvidenceKind
    text: str
    weight: float
    ref: str = ""


@dataclass(frozen=True, slots=True)
class RankedUnit:
    """A unit in force, its calibrated probability and the evidence for it, the weightiest first."""

    unit: str
    probability: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Where an order can go when the units below cannot be told apart (退到上级).

    Parameters
    ----------
    kind : str
        ``parent``: the unit above them (主管局); ``district``: their district (区).
    name : str
    probability : float
        Of all units under it together.
    """

    kind: Literal["parent", "district"]
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The proposal of units for one order.

    Parameters
    ----------
    units : tuple of RankedUnit
        The best first; the fifth may be a unit without history, of less probability than some that follow
        (:mod:`models.newcomer`). Probabilities are over all units in force, so those shown sum to at most 1.
    abstained : bool
        Whether a person should decide without leaning on the order of ``units`` (疑难).
    abstain_reason : str
        One Chinese sentence, or empty.
    coverage_set : tuple of str
        Holds the accepted unit in the stated share of orders (90% by default), the likeliest first.
    abstain_kind : str
        ``directory``: nobody in force to send it to; ``far``: no historic order like it; ``place``: one function in
        several districts, and the order does not say which; ``torn``: two units too close; else empty.
    backoff : Backoff or None
        For ``torn`` units under one parent or in one district.
    """

    units: tuple[RankedUnit, ...]
    abstained: bool
    abstain_reason: str
    coverage_set: tuple[str, ...]
    abstain_kind: AbstainKind = ""
    backoff: Backoff | None = None
