"""Evidence for a unit, read off the numbers that made its score. Nothing here is looked up after the fact.

Words, orders, duties and places are weighed by what they add in the linear fusion, which chooses the shortlist and which
the trees read view by view; fields by what they add to the final score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.fields import FIELDS
from models.ranking import Evidence
from models.scorer import Reading, Scorer
from models.views import VIEWS

WORDS, ORDERS = 3, 2
#: N-grams that words are put together from.
GRAMS = 12
#: Characters of a similar order that are shown.
SHOWN = 80
#: A word is not completed to more than this many characters.
LONGEST_WORD = 6


@dataclass(frozen=True)
class History:
    """Number and masked text of the orders in the index, by row; texts are cut to what is shown."""

    ids: Sequence[str]
    texts: Sequence[str]


def collect(text: str, reading: Reading, scorer: Scorer, history: History, candidate: int) -> tuple[Evidence, ...]:
    """All evidence for a candidate, the weightiest first."""
    found = [
        *_words(text, reading, scorer, candidate),
        *_orders(reading, scorer, history, candidate),
        *_duty(reading, scorer, candidate),
        *_place(reading, scorer, candidate),
        *_fields(reading, scorer, candidate),
    ]
    return tuple(sorted(found, key=lambda one: (-one.weight, one.kind, one.text)))


def _words(text: str, reading: Reading, scorer: Scorer, candidate: int) -> list[Evidence]:
    """The n-grams that weighed most, joined where they overlap and completed to whole words."""
    places = reading.row.places
    if not len(places):
        return []
    gains = scorer.word_contributions(reading.row, candidate)
    best = np.argsort(-gains, kind="stable")[:GRAMS]
    spans = _complete(_union(places[best[gains[best] > 0]].tolist()), reading.row.words.tolist())
    totals: dict[str, float] = defaultdict(float)
    for start, end in spans:
        words = text[start:end].strip(" ，。！？；：、,.!?;:")
        totals[words] += float(gains[(places[:, 0] >= start) & (places[:, 1] <= end)].sum())
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [Evidence("word", words, weight) for words, weight in ranked if weight > 0 and len(words) > 1][:WORDS]


def _union(spans: list[list[int]]) -> list[list[int]]:
    """Overlapping spans joined."""
    joined: list[list[int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def _complete(spans: list[list[int]], words: list[list[int]]) -> list[list[int]]:
    """Spans widened to the words they cut through, so that a reader sees 停车位 and not 停车."""
    wide = []
    for start, end in spans:
        cut = [word for word in words if word[0] < end and start < word[1] and word[1] - word[0] <= LONGEST_WORD]
        wide.append([min([start, *(word[0] for word in cut)]), max([end, *(word[1] for word in cut)])])
    return _union(wide)


def _orders(reading: Reading, scorer: Scorer, history: History, candidate: int) -> list[Evidence]:
    gains = scorer.vote_contribution(reading, candidate)
    best = [i for i in np.argsort(-gains, kind="stable")[:ORDERS] if gains[i] > 0]
    rows = reading.orders[best].tolist()
    return [
        Evidence("similar_order", history.texts[row], float(gains[i]), history.ids[row])
        for i, row in zip(best, rows, strict=True)
    ]


def _duty(reading: Reading, scorer: Scorer, candidate: int) -> list[Evidence]:
    gain = float(scorer.judgement.fusion["duty"] * reading.margins[candidate, VIEWS.index("duty")])
    if gain <= 0:
        return []
    mine = np.flatnonzero(scorer.duties.owners == candidate)
    line = int(mine[reading.duty_near[mine].argmax()])
    return [Evidence("duty", scorer.duties.lines[line], gain, scorer.candidates.names[candidate])]


def _place(reading: Reading, scorer: Scorer, candidate: int) -> list[Evidence]:
    found = []
    for name, place in (("street", reading.street), ("district", reading.district)):
        gain = float(scorer.judgement.fusion[name] * reading.margins[candidate, VIEWS.index(name)])
        if gain > 0:
            found.append(Evidence("field", f"诉求地点在{place}", gain, name))
    return found


def _fields(reading: Reading, scorer: Scorer, candidate: int) -> list[Evidence]:
    """What each field known at filing added, for the unit and for its function together."""
    if reading.fields is None:
        return []
    weights = np.array(reading.calibration.weights[-len(reading.fields) :])
    gains = (weights * reading.fields[:, candidate]).reshape(len(FIELDS), -1).sum(axis=1)
    return [
        Evidence("field", f"{title}为“{reading.values[name]}”", float(gain), name)
        for (name, title), gain in zip(FIELDS.items(), gains, strict=True)
        if gain > 0
    ]
