"""A place for a unit without history: what orders taught speaks against it, whatever its duties say.

Held-out answers, by which probabilities are calibrated, have next to no such unit for an answer; after a reform (机构改革)
they are answers. Of what is shown first, the last place goes to the likeliest of them where it comes near.
"""

from __future__ import annotations

import numpy as np

#: The place, and the share of its unit's probability from which a unit without history takes it. Chosen on two groups of
#: units that were left out of training: docs/decisions/0004-learned-ranker.md.
PLACE, SHARE = 4, 0.5


def with_newcomer(order: np.ndarray, probabilities: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """``order`` with the likeliest unit without history moved up to :data:`PLACE`, if none stands before or on it.

    Parameters
    ----------
    order : ndarray of int, (units,)
        The likeliest first.
    probabilities : ndarray, (units,)
        They stay as they are.
    unseen : ndarray of bool, (units,)
        Units that no historic order went to.
    """
    places = np.flatnonzero(unseen[order])
    if not len(places) or places[0] <= PLACE:
        return order
    best = order[places[0]]
    if probabilities[best] < SHARE * probabilities[order[PLACE]]:
        return order
    return np.insert(np.delete(order, places[0]), PLACE, best)
