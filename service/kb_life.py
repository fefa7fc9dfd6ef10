"""Change the knowledge base: every step is an event, every publication a version with its decision record, and both
commit together or not at all."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from knowledge_base import KnowledgeEntry, entry_from_dict, entry_to_dict
from knowledge_base.entry import ARCHIVED, DRAFT, PUBLISHED, SUBMITTED
from knowledge_base.life import ACTIONS, Life, check_action
from knowledge_base.versions import changes, merge
from service.access.names import said
from service.db.engine import writing
from service.db.tables import ENTRIES, ENTRY_EVENTS
from service.entries import version_row
from service.kb_history import content_of, life_at, read_life
from service.log import append_record

register(
    "E4044",
    "条目已被别人改过",
    "条目“{id}”在你打开之后被{actor}改过（你看到的是第 {seen} 次改动，现在是第 {now} 次）。"
    "你的内容没有保存，也没有丢：请对照两边的改动，合并后再交一次。",
    status=409,
)
register("E4045", "缺少操作人或理由", "{action}须写明{missing}，会记入决定日志。")
register(
    "E4046", "没有说明看到的是哪一次改动", "条目“{id}”已经存在。请先读出它，并写明 revision（现在是 {now}），再交改动。"
)

#: Actions that have to give a reason.
_WITH_REASON = frozenset({"return", "publish", "ask", "archive", "rollback"})
MAX_ACTOR = 100


class EntryConflict(ZhipaiError):
    """Somebody else was faster. ``details``: his text, the changes he made, and both put together."""

    def __init__(self, params: dict[str, Any], details: dict[str, Any]):
        super().__init__("E4044", params)
        self.details = details


@dataclass(frozen=True, slots=True)
class Step:
    """Who does something to an entry and why. ``revision``: the last change that he saw; None where there is none."""

    actor: str
    reason: str = ""
    revision: int | None = None
    software: str = ""
    role: str = ""


def save_draft(engine: Engine, content: Mapping[str, Any], step: Step, *, at: datetime) -> dict[str, Any]:
    """Write a text down: a new entry (an id is given where there is none), or a change to one.

    Returns
    -------
    dict
        ``id``, ``revision``, ``state`` and ``changes`` against the version that stands.

    Raises
    ------
    ZhipaiError
        E4001–E4010 for the text, E4044 (an :class:`EntryConflict`) if somebody changed the entry meanwhile, E4046 if the
        entry exists and the step does not say which change it was based on, E4045 without a name.
    """
    _check_step("draft", step)
    row = {**content, "id": content.get("id") or f"K{uuid.uuid4().hex[:12]}", "state": DRAFT}
    text = entry_to_dict(entry_from_dict(row))
    with writing(engine) as connection:
        life = read_life(connection, text["id"])
        check_seen(connection, life, step, text)
        now = _append(connection, life, "draft", step, at, content=text)
        standing = content_of(connection, life.id, life.version)
        connection.commit()
    return _told(now, changes=[one.as_dict() for one in changes(standing, text | {"state": PUBLISHED})])


def take_step(engine: Engine, entry_id: str, action: str, step: Step, *, at: datetime) -> dict[str, Any]:
    """``submit``, ``return``, ``discard`` or ``ask``: what changes no version.

    Raises
    ------
    ZhipaiError
        E4041 if the entry is in another state, E4043 if there is none, E4044–E4045 as :func:`save_draft`.
    """
    _check_step(action, step)
    with writing(engine) as connection:
        life = read_life(connection, entry_id)
        check_action(life, action, step.actor)
        check_seen(connection, life, step, None)
        now = _append(connection, life, action, step, at)
        connection.commit()
    return _told(now)


def publish(engine: Engine, entry_id: str, step: Step, *, at: datetime) -> dict[str, Any]:
    """Put a reviewed text up as the next version; whoever wrote it may not be the one who publishes it.

    Returns
    -------
    dict
        ``id``, ``revision``, ``state``, ``version``, ``decision_id``, ``sequence`` and ``changes``.

    Raises
    ------
    ZhipaiError
        E4042 if the reviewer wrote it himself, E4041/E4043–E4045 as :func:`take_step`; E6001–E6004 database.
    """
    _check_step("publish", step)
    with writing(engine) as connection:
        life = read_life(connection, entry_id)
        check_action(life, "publish", step.actor)
        check_seen(connection, life, step, None)
        text = {**(life.content or {}), "state": PUBLISHED}
        told = _put_up(connection, life, "publish", text, step, at)
        connection.commit()
    return told


def archive(engine: Engine, entry_id: str, step: Step, *, at: datetime) -> dict[str, Any]:
    """Take an entry out of use, as a version of its own: one person and a reason suffice, for a wrong answer must go."""
    _check_step("archive", step)
    with writing(engine) as connection:
        life = read_life(connection, entry_id)
        check_action(life, "archive", step.actor)
        check_seen(connection, life, step, None)
        text = {**(content_of(connection, entry_id, life.version) or {}), "state": ARCHIVED}
        told = _put_up(connection, life, "archive", text, step, at)
        connection.commit()
    return told


def roll_back(engine: Engine, entry_id: str, version: int, step: Step, *, at: datetime) -> dict[str, Any]:
    """Put an earlier version up again, as a new one. It was reviewed then; a draft in work stays as it is.

    E4043 for a version that never was; otherwise as :func:`take_step`.
    """
    _check_step("rollback", step)
    with writing(engine) as connection:
        life = read_life(connection, entry_id)
        check_action(life, "rollback", step.actor)
        check_seen(connection, life, step, None)
        text = content_of(connection, entry_id, version)
        if text is None:
            raise ZhipaiError("E4043", {"id": entry_id, "version": f"的第 {version} 版"})
        told = _put_up(connection, life, "rollback", {**text, "state": PUBLISHED}, step, at, back_to=version)
        connection.commit()
    return told


def check_seen(connection: Connection, life: Life, step: Step, mine: Mapping[str, Any] | None) -> None:
    """Raise unless the step was made on what stands now: E4046 where it does not say so, :class:`EntryConflict` where
    it was made on something older."""
    if step.revision == life.revision or (step.revision is None and (mine is None or not life.revision)):
        return
    if step.revision is None:
        raise ZhipaiError("E4046", {"id": life.id, "now": life.revision})
    if not life.revision:
        raise ZhipaiError("E4043", {"id": life.id, "version": ""})
    seen = life_at(connection, life.id, step.revision)
    base = seen.content or content_of(connection, life.id, seen.version)
    standing = life.content or content_of(connection, life.id, life.version) or {}
    together = merge(base, standing, mine or standing)
    who = read_life(connection, life.id, events=True)[-1].actor
    raise EntryConflict(
        {
            "id": life.id,
            "actor": f"“{said(connection, who)}”" if who else "别人",
            "seen": step.revision,
            "now": life.revision,
        },
        {
            "revision": life.revision,
            "standing": standing,
            "changes": [one.as_dict() for one in changes(base, standing)],
            "yours": dict(mine) if mine is not None else None,
            "merged": together.content,
            "conflicts": list(together.conflicts),
        },
    )


def _check_step(action: str, step: Step) -> None:
    missing = [] if 2 <= len(step.actor.strip()) <= MAX_ACTOR else [f"操作人（2 至 {MAX_ACTOR} 个字）"]
    if action in _WITH_REASON and len(step.reason.strip()) < 2:
        missing.append("理由（至少 2 个字）")
    if missing:
        raise ZhipaiError("E4045", {"action": ACTIONS[action], "missing": "和".join(missing)})


def _append(
    connection: Connection,
    life: Life,
    action: str,
    step: Step,
    at: datetime,
    *,
    content: dict[str, Any] | None = None,
    version: int | None = None,
    decision_id: str | None = None,
) -> Life:
    connection.execute(
        insert(ENTRY_EVENTS).values(
            entry_id=life.id,
            revision=life.revision + 1,
            action=action,
            actor=step.actor.strip(),
            note=mask_pii(step.reason.strip()).text,
            content=content,
            version=version,
            decision_id=decision_id,
            created_at=at.isoformat(),
        )
    )
    return read_life(connection, life.id)


def _put_up(
    connection: Connection,
    life: Life,
    action: str,
    content: dict[str, Any],
    step: Step,
    at: datetime,
    *,
    back_to: int | None = None,
) -> dict[str, Any]:
    """Version, decision record and event inside the caller's transaction."""
    before = content_of(connection, life.id, life.version)
    entry = entry_from_dict(content)
    version = life.version + 1
    changed = changes(before, entry_to_dict(entry))
    body: dict[str, Any] = {
        "actor": step.actor.strip(),
        "role": step.role,
        "authors": sorted(life.authors) if action == "publish" else [],
        "reason": mask_pii(step.reason.strip()).text,
        "action": action,
        "entry": life.id,
        "version": version,
        "replaces": life.version or None,
        "rolls_back_to": back_to,
        "content_hash": entry.content_hash,
        "replaced_hash": entry_from_dict(before).content_hash if before else None,
        "changed": [one.field for one in changed],
        "effective_from": entry.effective_from.isoformat(),
        "effective_to": entry.effective_to.isoformat() if entry.effective_to else None,
        "software": step.software,
    }
    decision_id, _ = append_record(
        connection,
        kind="knowledge_publication",
        body=body,
        key=uuid.uuid4().hex,
        digest=hashlib.sha256(canonical_json(body)).hexdigest(),
        at=at,
    )
    connection.execute(insert(ENTRIES).values(**version_row(entry, version, at, decision_id)))
    now = _append(connection, life, action, step, at, version=version, decision_id=decision_id)
    return _told(now, version=version, decision_id=decision_id, changes=[one.as_dict() for one in changed])


def _told(life: Life, **more: Any) -> dict[str, Any]:
    return {"id": life.id, "revision": life.revision, "state": life.state, "version": life.version or None, **more}


def import_drafts(
    engine: Engine, entries: Sequence[KnowledgeEntry], step: Step, *, submit: bool, at: datetime, dry_run: bool = False
) -> dict[str, str]:
    """Put entries down as drafts (``submit``: and send them for review), for what has to be looked at before it stands.

    Returns
    -------
    dict
        Entry id -> ``added``, ``changed``, ``unchanged`` (the text in work, or else the version that stands, says the
        same already) or ``kept`` (somebody else works on it, or it waits for review: that is not overwritten).
    """
    _check_step("draft", step)
    outcomes = {}
    with writing(engine) as connection:
        for entry in entries:
            life = read_life(connection, entry.id)
            text = entry_to_dict(entry) | {"state": DRAFT}
            outcomes[entry.id] = _draft_outcome(connection, life, text, step)
            if dry_run or outcomes[entry.id] not in ("added", "changed"):
                continue
            life = _append(connection, life, "draft", step, at, content=text)
            if submit:
                _append(connection, life, "submit", step, at)
        if not dry_run:
            connection.commit()
    return outcomes


def _draft_outcome(connection: Connection, life: Life, text: dict[str, Any], step: Step) -> str:
    known = life.content or content_of(connection, life.id, life.version)
    if known is not None and not changes({**known, "state": DRAFT}, text):
        return "unchanged"
    if life.working == SUBMITTED or life.authors - {step.actor.strip()}:
        return "kept"
    return "changed" if life.revision else "added"
