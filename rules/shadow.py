"""Shadow evaluation (影子): what another pack would have said beside the one in force, counted and never acted upon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from rules.evaluate import evaluate
from rules.pack import RulePack
from rules.verdict import Verdict
from rules.vocabulary import State

EXAMPLES = 5
#: What a pack does not speak about passed, or is not in it: to a dispatcher that is the same.
SILENT: State = "pass"


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule on which the two packs do not say the same about one order; ``clause`` is the shadow's where it has one."""

    rule: str
    title: str
    clause: str
    live: State
    shadow: State


def compare(
    pack: RulePack,
    facts: Mapping[str, object],
    *,
    as_of: datetime,
    gates: Sequence[str],
    live: Sequence[Mapping[str, Any]],
) -> tuple[Difference, ...]:
    """Where the shadow pack differs from the verdicts that were shown.

    Parameters
    ----------
    facts : mapping
        The facts from which the proposal was made.
    live : sequence of mapping
        Verdicts of the proposal as JSON; those that passed may be left out.

    Raises
    ------
    ZhipaiError
        As :func:`rules.evaluate.evaluate`.
    """
    found = [verdict for gate in gates for verdict in evaluate(pack, facts, as_of=as_of, gate=gate)]
    shadow: dict[str, Verdict] = {verdict.rule_id: verdict for verdict in found}
    shown = {verdict["rule_id"]: verdict for verdict in live if verdict["gate"] in gates}
    differences = []
    for name in sorted(shadow.keys() | shown.keys()):
        mine, theirs = shadow.get(name), shown.get(name)
        says = mine.state if mine is not None else SILENT
        said: State = theirs["state"] if theirs is not None else SILENT
        if says != said:
            title = mine.title if mine is not None else str(theirs["title"] if theirs else "")
            clause = mine.clause.id if mine is not None else str(theirs["clause"]["id"] if theirs else "")
            differences.append(Difference(name, title, clause, said, says))
    return tuple(differences)


@dataclass
class ShadowTally:
    """Counts for one pair of packs. ``rules`` is by ``rule|live|shadow``; examples are ids of proposals only.

    ``dropped`` orders were not compared because too many waited, ``failed`` ones because the comparison broke.
    """

    live: str
    shadow: str
    first: str = ""
    last: str = ""
    compared: int = 0
    differing: int = 0
    dropped: int = 0
    failed: int = 0
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, differences: Iterable[Difference], *, proposal_id: str) -> None:
        """Count one order."""
        listed = list(differences)
        self.compared += 1
        self.differing += bool(listed)
        for one in listed:
            row = self.rules.setdefault(
                f"{one.rule}|{one.live}|{one.shadow}", asdict(one) | {"orders": 0, "proposals": []}
            )
            row["orders"] += 1
            if len(row["proposals"]) < EXAMPLES:
                row["proposals"].append(proposal_id)

    def seen(self, instant: str) -> None:
        """Widen the span of time to an instant (ISO 8601, one zone)."""
        self.first = min(self.first or instant, instant)
        self.last = max(self.last, instant)

    def add(self, other: ShadowTally) -> None:
        """Add the counts of another process."""
        for instant in filter(None, (other.first, other.last)):
            self.seen(instant)
        for name in ("compared", "differing", "dropped", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, theirs in other.rules.items():
            row = self.rules.setdefault(key, theirs | {"orders": 0, "proposals": []})
            row["orders"] += theirs["orders"]
            row["proposals"] = [*row["proposals"], *theirs["proposals"]][:EXAMPLES]

    def to_data(self) -> dict[str, Any]:
        """Plain JSON; the rules that differ most often first."""
        rows = dict(sorted(self.rules.items(), key=lambda pair: (-pair[1]["orders"], pair[0])))
        return asdict(self) | {"rules": rows}
