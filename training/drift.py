"""Drift: whether the orders, the answers or their rightness have changed, since when, and for which unit.

Population stability indexes (PSI) compare shares; what equal distributions of the same sizes would show on average is
given beside each. Change in time is found by CUSUM tests of likelihood ratios (Page 1954), with a threshold that bounds
the chance of any false alarm over all units and orders.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from models.ranking import Ranking
from training.metrics import Answers, ece

#: Chance that any unit raises a false alarm, all orders and units together.
FALSE_ALARM = 0.05
#: A share or an error rate that grew to this multiple, or shrank to its inverse, is what the tests look for.
TIMES = 2.0
#: Character pairs that are compared, the commonest of the reference.
PAIRS = 200
#: PSI beyond its noise: from here on a shift is called slight, and plain.
SLIGHT, PLAIN = 0.1, 0.25
LENGTHS = (10, 20, 40, 80, 160, 320)
ROUNDS = 200
#: Orders of each side, not known from training, that are needed to compare what the model got wrong or was unsure of.
LEAST = 50
#: Orders of each side among which vectors are compared.
SAMPLE = 2000


@dataclass(frozen=True)
class Observed:
    """Orders in time order, with what the model said of them.

    Parameters
    ----------
    texts, order_ids : sequence of str
    received_at : sequence of datetime or None
    vectors : ndarray of float32, (n, dim)
    rankings : sequence of Ranking
    truth : sequence of str
        Accepted unit as of today, empty where it is not known yet.
    empty : int
        Rows that had no text at all.
    learned : sequence of bool
        Whether the model was trained on the order; empty for none. It is hardly ever wrong or unsure of those, so that
        they say nothing of how often it is.
    """

    texts: Sequence[str]
    order_ids: Sequence[str]
    received_at: Sequence[datetime | None]
    vectors: np.ndarray
    rankings: Sequence[Ranking]
    truth: Sequence[str]
    empty: int = 0
    learned: Sequence[bool] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def fresh(self) -> np.ndarray:
        """Which orders the model was not trained on, (n,)."""
        return ~np.array(self.learned, bool) if self.learned else np.ones(len(self), bool)

    @property
    def first(self) -> list[str]:
        return [one.units[0].unit if one.units else "" for one in self.rankings]


@dataclass(frozen=True, slots=True)
class Shift:
    """One comparison of shares: PSI, what equal distributions would show, and a word for it."""

    name: str
    psi: float
    noise: float

    @property
    def says(self) -> str:
        beyond = self.psi - self.noise
        return "明显" if beyond >= PLAIN else "轻微" if beyond >= SLIGHT else "无"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change in time.

    Parameters
    ----------
    what : str
        ``more`` or ``fewer`` orders of a unit, ``errors`` or ``all_errors``.
    unit : str
    began, found : str
        Number of the order with which it seems to have begun, and of the one at which it was certain enough.
    began_at : str
        When that order was received (ISO 8601), empty when unknown.
    before, after : float
        Share in the reference, and from the beginning on.
    """

    what: str
    unit: str
    began: str
    began_at: str
    found: str
    before: float
    after: float


def psi(reference: Counter[Any], now: Counter[Any]) -> tuple[float, float]:
    """Population stability index of two counts, and its mean where both are drawn from one distribution.

    Half an order is added to each part, so that an empty one does not make it infinite.
    """
    parts = sorted(set(reference) | set(now), key=str)
    if not parts:
        return 0.0, 0.0
    a = np.array([reference[part] for part in parts], float) + 0.5
    b = np.array([now[part] for part in parts], float) + 0.5
    noise = (len(parts) - 1) * (1 / a.sum() + 1 / b.sum())
    a, b = a / a.sum(), b / b.sum()
    return float(((b - a) * np.log(b / a)).sum()), float(noise)


def shifts(reference: Observed, now: Observed) -> list[Shift]:
    """Input (character pairs, lengths, empty rows) and output (units named first, abstentions) against the reference."""
    common = {pair for pair, _ in _pairs(reference.texts).most_common(PAIRS)}

    def pairs(side: Observed) -> Counter[str]:
        found = _pairs(side.texts)
        return Counter({pair: found[pair] for pair in common} | {"其他": found.total() - sum(found[p] for p in common)})

    def lengths(side: Observed) -> Counter[int]:
        return Counter(int(np.searchsorted(LENGTHS, len(text))) for text in side.texts)

    compared: dict[str, tuple[Counter[Any], ...]] = {
        "文字（常见的两字组合）": (pairs(reference), pairs(now)),
        "文字长短": (lengths(reference), lengths(now)),
        "空白诉求": tuple(Counter({"空": side.empty, "有": len(side)}) for side in (reference, now)),
        "首选单位的分布": (Counter(reference.first), Counter(now.first)),
    }
    if comparable(reference, now):
        compared["疑难比例"] = tuple(
            Counter(one.abstained for one, fresh in zip(side.rankings, side.fresh, strict=True) if fresh)
            for side in (reference, now)
        )
    return [Shift(name, *psi(*sides)) for name, sides in compared.items()]


def comparable(reference: Observed, now: Observed) -> bool:
    """Whether both sides have orders enough that the model was not trained on."""
    return all(int(side.fresh.sum()) >= min(LEAST, len(side)) for side in (reference, now))


def _pairs(texts: Sequence[str]) -> Counter[str]:
    """In how many texts each pair of characters stands."""
    return Counter(pair for text in texts for pair in {text[i : i + 2] for i in range(len(text) - 1)})


def vector_shift(reference: np.ndarray, now: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Squared distance of the mean vectors in standard deviations (MMD with a linear kernel) and its permutation p."""
    rng = np.random.default_rng(seed)
    a, b = (side[rng.permutation(len(side))[:SAMPLE]] for side in (reference, now))
    both = np.vstack([a, b]).astype(np.float64)
    spread = both.std(axis=0)
    both = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1)

    def distance(order: np.ndarray) -> float:
        gap = both[order[: len(a)]].mean(axis=0) - both[order[len(a) :]].mean(axis=0)
        return float(gap @ gap / len(gap))

    seen = distance(np.arange(len(both)))
    chance = [distance(rng.permutation(len(both))) for _ in range(ROUNDS)]
    return {
        "distance": seen,
        "by_chance": float(np.mean(chance)),
        "p": (1 + sum(one >= seen for one in chance)) / (1 + ROUNDS),
    }


def cusum(hits: np.ndarray, rate: float, *, times: float, threshold: float) -> tuple[int, int] | None:
    """Where the rate of ``hits`` (0 or 1, in time order) went to ``times`` its reference ``rate``.

    Sums log-likelihood ratios and starts again at 0; by Wald's bound, within n orders it passes ``threshold`` by chance
    with a probability of at most ``n * exp(-threshold)``.

    Returns
    -------
    (int, int) or None
        The first order after the sum was last 0, and the order at which it passed the threshold.
    """
    rate = float(np.clip(rate, 1e-6, 1 - 1e-6))
    other = float(np.clip(rate * times, 1e-6, 0.999))
    if abs(other - rate) < 1e-9:
        return None
    up, down = np.log(other / rate), np.log((1 - other) / (1 - rate))
    total, start = 0.0, 0
    for number, hit in enumerate(hits.tolist()):
        total += up if hit else down
        if total <= 0:
            total, start = 0.0, number + 1
        elif total >= threshold:
            return start, number
    return None


def alarms(reference: Observed, now: Observed) -> tuple[list[Alarm], float]:
    """Changes in time of each unit's share and error rate, and of all errors; and the threshold that was used.

    Error rates need the accepted units of both sides, of orders that the model was not trained on. Orders without a time keep the order of the file.
    """
    names = sorted(set(reference.first) | set(now.first))
    threshold = float(np.log(max(1, len(now)) * (4 * len(names) + 1) / FALSE_ALARM))
    found: list[Alarm] = []
    first, base = np.array(now.first), np.array(reference.first)

    def test(what: str, unit: str, rows: np.ndarray, hits: np.ndarray, rate: float, times: float) -> None:
        seen = cusum(hits, rate, times=times, threshold=threshold)
        if seen is None:
            return
        start, end = seen
        at = now.received_at[rows[start]]
        found.append(
            Alarm(
                what,
                unit,
                now.order_ids[rows[start]],
                at.isoformat(timespec="minutes") if at else "",
                now.order_ids[rows[end]],
                rate,
                float(hits[start:].mean()),
            )
        )

    everything = np.arange(len(now))
    for unit in names:
        rate = (float((base == unit).sum()) + 0.5) / (len(base) + 1)
        for what, times in (("more", TIMES), ("fewer", 1 / TIMES)):
            test(what, unit, everything, first == unit, rate, times)
    known = np.array([bool(unit) for unit in now.truth]) & now.fresh
    known_before = np.array([bool(unit) for unit in reference.truth]) & reference.fresh
    if known.any() and known_before.any() and comparable(reference, now):
        wrong, wrong_before = first != np.array(now.truth), base != np.array(reference.truth)
        for unit in ["", *names]:
            mine = known & (first == unit if unit else True)
            before = known_before & (base == unit if unit else True)
            if not mine.any() or not before.any():
                continue
            rate = (float(wrong_before[before].sum()) + 0.5) / (int(before.sum()) + 1)
            rows = np.flatnonzero(mine)
            test("errors" if unit else "all_errors", unit, rows, wrong[rows], rate, min(TIMES, 0.95 / rate))
    order = {"all_errors": 0, "errors": 1, "more": 2, "fewer": 3}
    return sorted(found, key=lambda one: (order[one.what], one.began_at, one.unit)), threshold


def windows(observed: Observed, *, days: int = 7) -> list[dict[str, Any]]:
    """Figures by window of time, from the first order on; orders without a time are left out."""
    timed = [(at, row) for row, at in enumerate(observed.received_at) if at is not None]
    if not timed:
        return []
    begin = min(at for at, _ in timed).replace(hour=0, minute=0, second=0, microsecond=0)
    by_window: dict[int, list[int]] = defaultdict(list)
    for at, row in timed:
        by_window[(at - begin) // timedelta(days=days)].append(row)
    return [
        _window(observed, rows, begin + timedelta(days=number * days)) for number, rows in sorted(by_window.items())
    ]


def _window(observed: Observed, rows: list[int], start: datetime) -> dict[str, Any]:
    labelled = [row for row in rows if observed.truth[row] and observed.rankings[row].units]
    found: dict[str, Any] = {
        "from": start.date().isoformat(),
        "orders": len(rows),
        "abstained": float(np.mean([observed.rankings[row].abstained for row in rows])),
        "labelled": len(labelled),
        "top1": None,
        "confidence": None,
        "ece": None,
    }
    if labelled:
        answers = Answers.of(
            [observed.rankings[row] for row in labelled],
            [observed.truth[row] for row in labelled],
            [""] * len(labelled),
        )
        found |= {
            "top1": float(answers.right.mean()),
            "confidence": float(answers.confidence.mean()),
            "ece": ece(answers),
        }
    return found


def drift(reference: Observed, now: Observed, *, days: int = 7) -> dict[str, Any]:
    """Everything, JSON-ready: ``shifts``, ``vectors``, ``alarms`` with ``threshold``, ``windows`` and unit shares."""
    found, threshold = alarms(reference, now)
    before, after = Counter(reference.first), Counter(now.first)
    units = [
        {"unit": unit, "before": before[unit] / max(1, len(reference)), "after": after[unit] / max(1, len(now))}
        for unit in set(before) | set(after)
    ]
    return {
        "reference": len(reference),
        "orders": len(now),
        "learned": {"reference": int((~reference.fresh).sum()), "orders": int((~now.fresh).sum())},
        "errors_compared": comparable(reference, now),
        "shifts": [asdict(one) | {"says": one.says} for one in shifts(reference, now)],
        "vectors": vector_shift(reference.vectors, now.vectors),
        "threshold": threshold,
        "false_alarm": FALSE_ALARM,
        "alarms": [asdict(one) for one in found],
        "windows": windows(now, days=days),
        "units": sorted(units, key=lambda row: (-abs(row["after"] - row["before"]), row["unit"])),
    }
