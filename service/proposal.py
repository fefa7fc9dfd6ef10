"""A proposal (建议): what the software says about one order, as data. Others rely on its JSON; see docs/api.md."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from intake.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class SnapshotIds:
    """The content hashes of everything a proposal was computed from."""

    rules: str
    model: str
    knowledge: str
    directory: str
    calendar: str


@dataclass(frozen=True)
class Proposal:
    """One proposal. Every value is plain JSON; ``order`` is masked."""

    proposal_id: str
    as_of: str
    order: dict[str, Any]
    units: list[dict[str, Any]]
    abstained: bool
    abstain_reason: str
    abstain_kind: str
    backoff: dict[str, Any] | None
    coverage_set: list[str]
    joint: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    deadlines: list[dict[str, Any]]
    elements: dict[str, Any]
    snapshot: SnapshotIds

    def as_dict(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"snapshot": asdict(self.snapshot)}

    @cached_property
    def canonical(self) -> bytes:
        """Canonical JSON (RFC 8785): the same proposal is the same bytes everywhere."""
        return canonical_json(self.as_dict())


def proposal_id(order: dict[str, Any], as_of: str, snapshot: SnapshotIds) -> str:
    """``p-`` and 32 hex digits over the masked order, ``as_of`` and the snapshot ids: no clock, no randomness.

    Masked: from a hash over the order as filed a telephone number could be found by trying all of them.
    """
    content: dict[str, Any] = {"order": order, "as_of": as_of, "snapshot": asdict(snapshot)}
    return "p-" + hashlib.sha256(canonical_json(content)).hexdigest()[:32]
