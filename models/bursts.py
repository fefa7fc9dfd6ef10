"""One matter in one place within hours: orders are gathered as they come in, and a gathering that is unusual is a burst.

Two orders are of one matter here when units of one function are responsible, their texts lie near and they name the same
place. That is looser than a repeat (:mod:`models.duplicates`): neighbours who have no water do not use each other's words.

How unusual is told by a scan over time. If the matter came as often as before, ``expected`` of the orders of the last
hours would be of it; the chance of ``n`` or more is that of a Poisson variable, multiplied by the number of gatherings
that were looked at. The usual share is counted against all orders, not against the clock, so that a busy morning is not a
burst of everything. Who calls again and again is one telling: seven calls of one person are no burst (they are repeats).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scipy.special import pdtrc

from models.duplicates import Side

#: Added to how often a matter came before: what never came is not impossible.
PRIOR = 0.5
#: Share of the shorter text's character runs that stand in the longer when one order repeats the other.
REPEATED = 0.6
#: Orders of a gathering, the last, that another is compared with.
RECENT = 50


@dataclass(frozen=True, slots=True)
class BurstSettings:
    """What counts as a burst.

    Parameters
    ----------
    hours : float
        Length of the scan, and the longest silence within one gathering.
    least : int
        Orders, repeats left out, below which nothing is called a burst, however rare the matter.
    near : float
        Cosine of the directions from which two texts may tell of one matter.
    place : float
        Share of the shorter place name that has to stand in the longer.
    chance : float
        A gathering is a burst when its corrected chance is below this.
    """

    hours: float = 6.0
    least: int = 3
    near: float = 0.3
    place: float = 0.6
    chance: float = 0.01


@dataclass(frozen=True, slots=True)
class Event:
    """One order with the function of the unit that is responsible. ``side.received_at`` is set."""

    side: Side
    function: str


@dataclass(frozen=True, slots=True)
class Burst:
    """A gathering that is unusual.

    Parameters
    ----------
    order_ids : tuple of str
        In the order in which they came.
    tellings : int
        How many of them are no repeats of another.
    function, place, district : str
    first, last : datetime
    expected : float
        Orders of this matter that the last hours would have had.
    chance : float
        Corrected chance of so many or more, at the moment when it was lowest.
    raised_at : datetime
        When it first was a burst.
    """

    order_ids: tuple[str, ...]
    tellings: int
    function: str
    place: str
    district: str
    first: datetime
    last: datetime
    expected: float
    chance: float
    raised_at: datetime


@dataclass(slots=True, eq=False)
class _Gathering:
    """Orders of one matter in one place. ``new`` says of each whether it is no repeat of an earlier one."""

    events: list[Event] = field(default_factory=list)
    new: list[bool] = field(default_factory=list)
    expected: float = 0.0
    chance: float = 1.0
    raised_at: datetime | None = None

    def add(self, event: Event) -> None:
        told = (one for one, new in zip(self.events, self.new, strict=True) if new)
        self.new.append(not any(_repeats(event.side, one.side) for one in told))
        self.events.append(event)

    def tellings(self, after: datetime, until: datetime) -> int:
        """Orders of ``(after, until]``, repeats left out."""
        return sum(new and after < _at(event) <= until for event, new in zip(self.events, self.new, strict=True))

    def nearness(self, event: Event) -> float:
        return max(float(event.side.direction @ one.side.direction) for one in self.events[-RECENT:])


def _at(event: Event) -> datetime:
    at = event.side.received_at
    assert at is not None, "an event has a time"
    return at


def _repeats(one: Side, other: Side) -> bool:
    """The same number was left, or the shorter text stands in the longer."""
    if one.callers & other.callers:
        return True
    shorter = min(len(one.grams), len(other.grams))
    return shorter > 0 and len(one.grams & other.grams) / shorter >= REPEATED


def same_place(one: Side, other: Side, *, least: float) -> bool:
    """Whether both name a place, the one as the other, and not in different districts."""
    if one.place.district and other.place.district and one.place.district != other.place.district:
        return False
    shorter = min(len(one.place_grams), len(other.place_grams))
    return shorter > 0 and len(one.place_grams & other.place_grams) / shorter >= least


class Bursts:
    """Takes orders one by one, about in the order of their time, and knows the bursts so far.

    An order that names no place belongs to no gathering; it still counts among all orders. Not safe to share between
    threads.
    """

    def __init__(self, settings: BurstSettings | None = None):
        self.settings = settings or BurstSettings()
        self._span = timedelta(hours=self.settings.hours)
        self._instants: list[datetime] = []
        #: By function and two characters of the place's name, so that few gatherings are looked at for an order.
        self._places: dict[tuple[str, str], list[_Gathering]] = {}
        self._gatherings: list[_Gathering] = []

    def add(self, event: Event) -> Burst | None:
        """Take one order. Gives the burst if the order is what makes a gathering one, else None."""
        at = _at(event)
        insort(self._instants, at)
        if not event.side.place_grams:
            return None
        alike = self._alike(event)
        open_ones = [one for one in alike if abs(at - _at(one.events[-1])) <= self._span]
        if open_ones:
            gathering = max(open_ones, key=lambda one: one.nearness(event))
        else:
            gathering = _Gathering()
            self._gatherings.append(gathering)
            alike.append(gathering)
        gathering.add(event)
        for gram in event.side.place_grams:
            here = self._places.setdefault((event.function, gram), [])
            if gathering not in here:
                here.append(gathering)
        return self._judge(gathering, alike, at)

    def _alike(self, event: Event) -> list[_Gathering]:
        near: dict[int, _Gathering] = {}
        for gram in event.side.place_grams:
            for one in self._places.get((event.function, gram), ()):
                near[id(one)] = one
        return [
            one
            for one in near.values()
            if same_place(event.side, one.events[0].side, least=self.settings.place)
            and one.nearness(event) >= self.settings.near
        ]

    def _judge(self, gathering: _Gathering, alike: list[_Gathering], at: datetime) -> Burst | None:
        start = at - self._span
        recent = gathering.tellings(start, at)
        earlier = bisect_right(self._instants, start)
        if recent < self.settings.least or earlier == 0:
            # Where nothing came before there is no usual rate to be unusual against.
            return None
        before = sum(one.tellings(_at(one.events[0]) - self._span, start) for one in alike)
        expected = (before + PRIOR) * (len(self._instants) - earlier) / earlier
        chance = min(1.0, float(pdtrc(recent - 1, expected)) * len(self._gatherings))
        if chance < gathering.chance:
            gathering.chance, gathering.expected = chance, expected
        if chance >= self.settings.chance or gathering.raised_at is not None:
            return None
        gathering.raised_at = at
        return _burst(gathering)

    def forget(self, until: datetime) -> None:
        """Drop what ended by then."""
        del self._instants[: bisect_right(self._instants, until)]
        self._gatherings = [one for one in self._gatherings if _at(one.events[-1]) > until]
        kept = set(map(id, self._gatherings))
        places = {key: [one for one in many if id(one) in kept] for key, many in self._places.items()}
        self._places = {key: many for key, many in places.items() if many}

    def found(self) -> list[Burst]:
        """All bursts so far with every order that has joined them since, the least likely first."""
        bursts = [_burst(one) for one in self._gatherings if one.raised_at is not None]
        return sorted(bursts, key=lambda burst: (burst.chance, burst.first, burst.order_ids))


def _burst(gathering: _Gathering) -> Burst:
    sides = [event.side for event in gathering.events]
    names = [side.place.mention for side in sides]
    assert gathering.raised_at is not None, "only a gathering that was raised is a burst"
    return Burst(
        order_ids=tuple(side.order_id for side in sides),
        tellings=sum(gathering.new),
        function=gathering.events[0].function,
        # The place that most of them name, the longest among equals.
        place=max(names, key=lambda name: (names.count(name), len(name), name)),
        district=next((side.place.district for side in sides if side.place.district), ""),
        first=min(map(_at, gathering.events)),
        last=max(map(_at, gathering.events)),
        expected=gathering.expected,
        chance=gathering.chance,
        raised_at=gathering.raised_at,
    )


def replay(events: Iterable[Event], settings: BurstSettings | None = None) -> list[Burst]:
    """The bursts in a run of orders, whatever order they are given in."""
    watch = Bursts(settings)
    for event in sorted(events, key=lambda event: (_at(event), event.side.order_id)):
        watch.add(event)
    return watch.found()
