"""What a rule says about one order: a verdict in one of three states, with its clause and the values it read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rules.clause import Clause
from rules.fact_dictionary import Value
from rules.vocabulary import Effect, Severity, State


@dataclass(frozen=True, slots=True)
class Disposition:
    """处置方式 (what to do) and 告知要点 (what to tell the caller); never a bare refusal."""

    action: str
    tell: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one rule.

    Parameters
    ----------
    state : {"hit", "pass", "not_evaluated"}
        Missing is not false: a rule whose condition rests on a missing fact is not evaluated.
    disposition : Disposition or None
        Only where the rule hit.
    values : dict
        Every fact that the rule reads, in the order in which it names them; None where it was missing.
    cause : str
        Why the rule could not be evaluated, in Chinese; empty otherwise.
    pack_id : str
        Name and content hash of the pack.
    lacking, unset : tuple of str
        Names of the missing facts and of the parameters without a value for which it could not be evaluated.
    """

    rule_id: str
    gate: str
    state: State
    severity: Severity
    title: str
    effect: Effect
    clause: Clause
    disposition: Disposition | None
    values: dict[str, Value | None]
    cause: str
    pack_id: str
    lacking: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON."""
        row = {name: getattr(self, name) for name in self.__slots__}
        disposition = asdict(self.disposition) if self.disposition else None
        row |= {"clause": self.clause.as_dict(), "disposition": disposition, "values": dict(self.values)}
        return row | {"lacking": list(self.lacking), "unset": list(self.unset)}
