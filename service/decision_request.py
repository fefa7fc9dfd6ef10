"""What a dispatcher asks to be recorded, and whether the choice fits the proposal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from intake.unit import UnitDirectory

register("E6401", "改派缺少理由", "选择的单位不是建议的第一位，属于改派，请在 reason 里写明理由（至少 2 个字）。")
register(
    "E6402", "采纳的单位不符", "“采纳”只能选建议的第一位“{first}”。要派给“{unit}”，请用“改派”（override）并写明理由。"
)
register("E6405", "没有可采纳的建议", "这条建议没有推荐单位，不能“采纳”。请用“改派”（override）指定单位并写明理由。")

Action = Literal["accept", "override"]


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What a dispatcher chose, and in which role. ``reason`` is required for an override; personal data in it is masked
    before logging."""

    proposal_id: str
    action: Action
    unit: str
    actor: str
    reason: str
    idempotency_key: str
    role: str = ""

    def digest(self) -> str:
        """Tells a repeat of the same decision from another decision under the same key.

        Of the reason as it is logged: from a plain hash of the whole a telephone number in it could be found by trial.
        """
        content = [self.proposal_id, self.action, self.unit, self.actor, mask_pii(self.reason).text]
        return hashlib.sha256(canonical_json(content)).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and all that its record says beyond it.

    Attributes
    ----------
    directory : callable
        Gives the unit directory in force; called only for a new decision.
    at : datetime
        The instant of the decision, from ``service.clock``.
    revision : int or None
        The state of the queue's row that the dispatcher saw; None where the caller does not know the queue.
    """

    request: DecisionRequest
    directory: Callable[[], UnitDirectory]
    software: str
    request_id: str
    at: datetime
    revision: int | None = None


def check_choice(request: DecisionRequest, proposal: dict[str, Any]) -> None:
    """E6401, E6402, E6405 if what was chosen does not fit what was proposed."""
    first = proposal["units"][0]["unit"] if proposal["units"] else ""
    if request.action == "accept":
        if not first:
            raise ZhipaiError("E6405")
        if request.unit != first:
            raise ZhipaiError("E6402", {"first": first, "unit": request.unit})
    elif len(request.reason.strip()) < 2:
        raise ZhipaiError("E6401")
