"""Which limits bind an order: those of the hotline's own clock, and of each statute whose condition is a hit.

行业法定时限 bind the competent authority beside the hotline's 时限, and do not replace it: both are counted (济南市12345市民服务
热线条例第二十四条: the caller is told the progress and the statutory limit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.evaluate import judge
from rules.fact_dictionary import Facts, fact_dictionary
from rules.limit import Limit
from rules.pack import RulePack
from rules.vocabulary import STAGES


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of an order: a stage of the hotline or of a track, a procedure's step by its title.

    ``limits`` are those whose condition is a hit, or that have none; ``unknown`` pairs each limit whose condition cannot
    be judged with the facts that are missing.
    """

    track: str
    stage: str
    limits: tuple[Limit, ...]
    unknown: tuple[tuple[Limit, tuple[str, ...]], ...]


def clocks_of(pack: RulePack, facts: Facts | None) -> tuple[Clock, ...]:
    """The clocks of an order: the hotline's in the order of stages, then those of the tracks by name.

    ``facts`` have passed the dictionary; without any (None) only the hotline's own limits without a condition speak.
    """
    groups: dict[tuple[str, str, str], list[Limit]] = {}
    for limit in pack.limits:
        if facts is not None or not (limit.track or limit.when):
            groups.setdefault(limit.clock, []).append(limit)
    order = list(STAGES)
    keys = sorted(groups, key=lambda key: (key[0], order.index(key[1]), key[2]))
    return tuple(_clock(key, groups[key], facts or {}) for key in keys)


def _clock(key: tuple[str, str, str], limits: Sequence[Limit], facts: Facts) -> Clock:
    binding: list[Limit] = []
    unknown: list[tuple[Limit, tuple[str, ...]]] = []
    for limit in limits:
        step = judge(limit.when, facts) if limit.when else None
        if step is None or step.outcome:
            binding.append(limit)
        elif step.outcome is None:
            unknown.append((limit, step.lacking()))
    return Clock(key[0], key[1], tuple(binding), tuple(unknown))


def open_limits(pack: RulePack, facts: Mapping[str, object]) -> frozenset[str]:
    """Ids of the limits whose condition is a hit: with kind and urgency, all that deadlines depend on in the facts.

    Raises
    ------
    ZhipaiError
        E3202, E3203 for facts that do not fit the dictionary; only those that conditions read are looked at.
    """
    conditional = [limit for limit in pack.limits if limit.when]
    read = {name: facts[name] for limit in conditional for name in limit.reads if name in facts}
    checked = fact_dictionary().check(read)
    return frozenset(limit.id for limit in conditional if limit.when and judge(limit.when, checked).outcome)
