"""When the ranker does not decide, why, and how far up it still can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intake.unit import Unit
from models.candidates import CITY
from models.ranking import AbstainKind, Backoff

NOBODY = "按当日的单位名录，没有可派的单位，请人工确定。"
ENDED = "最可能的单位“{unit}”当日已不在单位名录中，也没有承接的单位，请人工确定。"
COLD = "冷启动模型：没有历史工单，仅按职责匹配，请人工确认。"
FAR = "历史工单里没有与它相近的，建议转人工研判。"
PLACE = "地点不明：{function}在{districts}都有，请补问在哪个区。"
TORN = "“{first}”和“{second}”难分高下（{p:.0%} 对 {q:.0%}），建议{advice}。"
#: Units that have ended hold more than this share of the probability: what is left says little.
ENDED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to abstain, of a closed kind and in a sentence; an empty kind is none."""

    kind: AbstainKind = ""
    reason: str = ""
    backoff: Backoff | None = None


def between(units: Sequence[Unit], probabilities: np.ndarray, *, district: str, parents: dict[str, str]) -> Doubt:
    """Of an order that is torn between its first two units.

    Parameters
    ----------
    units : sequence of Unit
        All units in force, ``probabilities`` (units,) theirs.
    district : str
        Where the order lies, or empty.
    parents : dict
        Unit in force -> the unit above it, or empty. A parent with nothing above it (a whole city) helps nobody.
    """
    first, second = np.argsort(-probabilities, kind="stable")[:2].tolist()
    one, two = units[first], units[second]
    if (
        not district
        and one.function == two.function
        and one.district != two.district
        and CITY not in (one.district, two.district)
    ):
        places = dict.fromkeys([one.district, two.district])
        return Doubt("place", PLACE.format(function=one.function, districts="、".join(places)))
    backoff = _backoff(units, probabilities, one, two, parents)
    advice = f"先交“{backoff.name}”分派，或人工确认" if backoff else "人工确认"
    p, q = float(probabilities[first]), float(probabilities[second])
    return Doubt("torn", TORN.format(first=one.name, second=two.name, p=p, q=q, advice=advice), backoff)


def _backoff(
    units: Sequence[Unit], probabilities: np.ndarray, one: Unit, two: Unit, parents: dict[str, str]
) -> Backoff | None:
    """The parent of both, or one of them when it is the other's parent; else the district of both."""
    shared = ({one.parent} | {one.name}) & ({two.parent} | {two.name}) - {""}
    for name in sorted(shared):
        if parents.get(name):
            mine = [unit.parent == name or unit.name == name for unit in units]
            return Backoff("parent", name, float(probabilities[mine].sum()))
    if one.district == two.district != CITY:
        mine = [unit.district == one.district for unit in units]
        return Backoff("district", one.district, float(probabilities[mine].sum()))
    return None
