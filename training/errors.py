"""What the errors of a ranker are made of: each is put under the first cause of a list that the data show for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from intake.unit import UnitDirectory
from training.dataset import TrainingSet
from training.evaluate import Measured

#: A unit with fewer orders in the training part is of the tail.
TAIL = 10
#: Past orders that are looked at, and how many of them make a history that points elsewhere.
NEAREST, MOST = 5, 3
#: Cause -> what it means, in the order in which causes are tried.
CAUSES = {
    "new": "训练部分没有这个单位的工单",
    "repeat": "标签不一致：同一重复组的工单派给了不同单位",
    "history": f"历史相反：最相近的 {NEAREST} 条历史工单至少 {MOST} 条正派给排第一的单位，没有一条派给实际单位",
    "place": "缺地点：职能对了，正文没有写区或街道",
    "level": "职能和地点都有，市区镇之间或同类单位之间分错",
    "tail": f"长尾：实际单位的历史不足 {TAIL} 条",
    "close": "实际单位在前三",
    "other": "其余",
}


def error_account(
    measured: Measured, test: TrainingSet, train: TrainingSet, directory: UnitDirectory
) -> dict[str, int]:
    """Number of wrong answers under each of :data:`CAUSES`, and ``right``.

    Parameters
    ----------
    measured : Measured
        Of ``test``.
    test, train : TrainingSet
        With vectors of unit length.
    directory : UnitDirectory
        For the functions (职能) of units.
    """
    if test.vectors is None or train.vectors is None:
        raise ValueError("an account of errors needs vectors")
    answers, rows = measured.answers, list(measured.rows)
    part = test.take(rows)
    function = {unit.name: unit.function for unit in directory.units}
    history = Counter(train.units)
    torn = _torn(part.groups, part.units)
    near = np.argsort(-(test.vectors[rows] @ train.vectors.T), axis=1, kind="stable")[:, :NEAREST]
    found: Counter[str] = Counter(right=int(answers.right.sum()))
    for i in np.flatnonzero(~answers.right):
        truth, first = answers.units[answers.truth[i]], answers.units[answers.first[i]]
        voted = Counter(train.units[j] for j in near[i])
        checks = {
            "new": not history[truth],
            "repeat": part.groups[i] in torn,
            "history": voted[first] >= MOST and not voted[truth],
            "place": function.get(truth) == function.get(first, "") and not (part.districts[i] or part.streets[i]),
            "level": function.get(truth) == function.get(first, ""),
            "tail": history[truth] < TAIL,
            "close": answers.place[i] < 3,
            "other": True,
        }
        found[next(cause for cause, holds in checks.items() if holds)] += 1
    return {name: found[name] for name in ("right", *CAUSES)}


def agreement(groups: Sequence[str], units: Sequence[str]) -> dict[str, Any]:
    """How often two orders of one group (重复组) went to the same unit: what the labels themselves agree on.

    ``orders`` in groups of two or more; ``share``: mean, over those orders, of the share of the others in their group
    that went to the same unit.
    """
    members = _members(groups, units)
    shares = [
        (count - 1) / (len(found) - 1)
        for found in members.values()
        if len(found) > 1
        for count in (Counter(found)[unit] for unit in found)
    ]
    return {"orders": len(shares), "share": float(np.mean(shares)) if shares else float("nan")}


def _members(groups: Sequence[str], units: Sequence[str]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = defaultdict(list)
    for group, unit in zip(groups, units, strict=True):
        members[group].append(unit)
    return members


def _torn(groups: Sequence[str], units: Sequence[str]) -> set[str]:
    """Groups whose orders went to more than one unit."""
    return {group for group, found in _members(groups, units).items() if len(set(found)) > 1}
