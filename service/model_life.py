"""The life of a model in force: promotion and rollback, each one decision record with the evaluation that justified it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from models.encoder import Encoder
from models.ranker import UnitRanker
from service.db.engine import check_version, make_engine, reading, writing
from service.db.tables import DECISIONS
from service.log import append_record
from service.settings import Settings
from service.version import VERSION
from training.frozen import KeyedAnswers
from training.promotion import Check, Review, Side, review
from training.publish import ANSWERS, CHAMPION_ANSWERS
from training.registry import PREVIOUS, Registry, Version, champion

register(
    "E5107",
    "版本不能上线",
    "版本 {version} 不能上线：{lines}。用 zhipai compare 查看详情；紧急情况可加 --force --reason 说明，会记入决定日志。",
    exit_code=4,
)
register("E5108", "强制上线缺少理由", "--force 会越过检查，请用 --reason 写明理由（至少 2 个字），会记入决定日志。")

KIND = "model_promotion"
CHALLENGER = "challenger"
#: Answers of a champion that share fewer of the candidate's orders than this are not those of the same test.
SAME_TEST = 0.5


@dataclass(frozen=True, slots=True)
class Mover:
    """Who moves an alias, why, whether the checks are to be passed over, and in which role (empty: nobody signed in)."""

    actor: str
    reason: str = ""
    force: bool = False
    role: str = ""


@dataclass(frozen=True)
class Moved:
    """What came of a promotion; ``record`` is empty when it was refused."""

    version: Version
    review: Review
    record: dict[str, Any]

    @property
    def done(self) -> bool:
        return bool(self.record)

    def require(self) -> Moved:
        """Itself; E5107 with the failing lines when it was refused."""
        if not self.done:
            raise ZhipaiError("E5107", {"version": self.version.version, "lines": "；".join(self.review.failing)})
        return self


def ready_to_record(settings: Settings) -> Engine:
    """The database in which decisions are logged; E6005 if it was not set up. Asked before hours of training."""
    engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
    check_version(engine)
    return engine


def own_answers(registry: Registry, version: Version) -> KeyedAnswers | None:
    """Answers to the frozen test of a ranker trained like this version on the orders that were not held out."""
    return _stored(registry.evidence(version) / ANSWERS)


def _stored(path: Path) -> KeyedAnswers | None:
    return KeyedAnswers.load(path) if path.is_file() else None


def review_version(
    registry: Registry, version: Version, *, at: datetime, encoder: Encoder, current: Version | None = None
) -> Review:
    """Every check of a version against ``current``, by default the champion."""
    current = current or champion(registry.store)
    candidate = _side(registry, version, encoder)
    if current is None or current.version == version.version:
        return review(candidate, None, encoder=encoder, as_of=at)
    standing = _side(registry, current, encoder)
    beside = _stored(registry.evidence(version) / CHAMPION_ANSWERS)
    if beside is not None and candidate.answers is not None:
        keys = set(candidate.answers.keys)
        own = standing.answers
        if own is None or len(keys & set(own.keys)) < SAME_TEST * len(keys):
            standing = Side(standing.version, standing.ranker, beside, standing.error)
    return review(candidate, standing, encoder=encoder, as_of=at)


def _side(registry: Registry, version: Version, encoder: Encoder) -> Side:
    answers = own_answers(registry, version)
    try:
        return Side(version.version, UnitRanker.load(version.path, encoder=encoder), answers)
    except ZhipaiError as error:
        return Side(version.version, None, answers, str(error))


def promote_version(settings: Settings, wanted: str, *, mover: Mover, at: datetime, encoder: Encoder) -> Moved:
    """Check a version and make it champion; the record and the alias stand together.

    The record is written first and committed only after the alias has moved. A crash between the two leaves an alias
    without a record, which :func:`unrecorded` tells; promoting the same version again records it.

    Raises
    ------
    ZhipaiError
        E5102 for an unknown version, E5108 for force without a reason, E6001–E6005 for the database. A check that
        fails is no error here: see :meth:`Moved.require`.
    """
    if mover.force and len(mover.reason.strip()) < 2:
        raise ZhipaiError("E5108")
    engine = ready_to_record(settings)
    registry = Registry(settings.mlruns)
    version = registry.get(wanted)
    found = review_version(registry, version, at=at, encoder=encoder)
    if found.failing and not mover.force:
        return Moved(version, found, {})
    body = _body("promote", mover, version, champion(registry.store), found)
    record = _log_and_move(engine, body, at, lambda: registry.promote(version.version))
    return Moved(registry.get(version.version), found, record)


def rollback_version(settings: Settings, *, mover: Mover, at: datetime) -> Moved:
    """Make the version champion that was so before; E5103 if there is none. Its files are checked, no more: it served."""
    engine = ready_to_record(settings)
    registry = Registry(settings.mlruns)
    current, previous = champion(registry.store), champion(registry.store, alias=PREVIOUS)
    if current is None or previous is None or previous.version == current.version:
        raise ZhipaiError("E5103")
    found = Review((Check("files", True, "退回曾经上线的版本，只核对文件"),))
    body = _body("rollback", mover, previous, current, found)
    record = _log_and_move(engine, body, at, registry.rollback)
    return Moved(registry.get(previous.version), found, record)


def _body(action: str, mover: Mover, version: Version, current: Version | None, found: Review) -> dict[str, Any]:
    return {
        "action": action,
        "actor": mover.actor,
        "role": mover.role,
        "reason": mask_pii(mover.reason.strip()).text,
        "forced": bool(mover.force and found.failing),
        "version": version.version,
        "model_id": version.model_id,
        "replaces": {"version": current.version, "model_id": current.model_id} if current else None,
        "review": found.as_dict(),
        "software": VERSION,
    }


def _log_and_move(engine: Engine, body: dict[str, Any], at: datetime, move: Callable[[], object]) -> dict[str, Any]:
    """Write the record, move the alias, commit: whatever fails before the commit leaves no record."""
    with writing(engine) as connection:
        _, content = append_record(
            connection,
            kind=KIND,
            body=body,
            key=uuid.uuid4().hex,
            digest=hashlib.sha256(canonical_json(body)).hexdigest(),
            at=at,
        )
        move()
        connection.commit()
    record: dict[str, Any] = json.loads(content)
    return record


def unrecorded(settings: Settings) -> str:
    """One sentence when the champion is not the version that the last record names; empty while all is well."""
    current = champion(settings.mlruns)
    if current is None:
        return ""
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind == KIND).order_by(DECISIONS.c.sequence.desc()).limit(1)
    with reading(ready_to_record(settings)) as connection:
        row = connection.execute(query).first()
    named = json.loads(row.record)["model_id"] if row else ""
    if named == current.model_id:
        return ""
    return (
        f"上线的版本 {current.version} 在决定日志里没有记录（上线途中断电，或由旧版软件上线）。"
        f"请运行 zhipai promote {current.version} 补记。"
    )
