"""The knowledge base over the month: entries are changed, reviewed, sent back, put up, taken out of use and rolled back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from knowledge_base import KnowledgeEntry, entry_to_dict
from service import kb_life
from service.db.engine import reading
from service.demo import words
from service.demo.world import SOFTWARE, World
from service.entries import current_entries
from service.kb_history import read_life

#: Characters of a call that may serve as a question of an entry.
QUESTION = 36
#: Entries that get a question more, by day of the month; the last two are still waiting for review.
DAYS = (3, 3, 7, 7, 11, 11, 16, 16, 20, 20, 25, 25, 28, 28)
WAITING = 2


def plan_upkeep(world: World, rows: Sequence[dict[str, Any]], begin: datetime, *, days: int) -> None:
    """Put the month's upkeep on the agenda. ``rows``: calls from which questions are taken, as a maintainer does."""
    said = defaultdict(list)
    for row in rows:
        if 8 <= len(row["text"]) <= QUESTION:
            said[row["matter"]].append(row["text"])
    entries = [one for one in current_entries(world.engine) if one.matter in said and one.in_force(begin.date())]
    world.draw.shuffle(entries)
    wanted = list(zip(DAYS, entries, strict=False))
    for number, (day, entry) in enumerate(wanted):
        at = _morning(begin, min(day, days - 2))
        ends = "publish" if number < len(wanted) - WAITING else ""
        if number == 4:
            ends = "return"
        world.plan(at, lambda then, e=entry, q=said[entry.matter][0], w=ends: _edit(world, e, q, w, then))  # type: ignore[misc]
    spare = entries[len(DAYS) :]
    if len(spare) >= 2:
        world.plan(_morning(begin, days // 2), lambda then: _archive(world, spare[0], then))
        world.plan(_morning(begin, days // 2 + 1), lambda then: _ask_unit(world, spare[1], then))
    if wanted:
        world.plan(_morning(begin, min(14, days - 1)), lambda then: _roll_back(world, wanted[0][1], then))


def _morning(begin: datetime, day: int) -> datetime:
    return (begin + timedelta(days=day)).replace(hour=9, minute=20)


def _step(world: World, entry_id: str, actor: str, role: str, reason: str = "") -> kb_life.Step:
    with reading(world.engine) as connection:
        revision = read_life(connection, entry_id).revision
    return kb_life.Step(actor, reason, revision or None, SOFTWARE, role)


def _edit(world: World, entry: KnowledgeEntry, question: str, ends: str, at: datetime) -> None:
    writer = world.draw.choice(words.KB_WRITERS)
    content = entry_to_dict(entry)
    content |= {"questions": [*content["questions"], question]}
    step = _step(world, entry.id, writer, "kb_maintainer", "补充市民的说法")
    kb_life.save_draft(world.engine, content, step, at=at)
    at += timedelta(minutes=4)
    kb_life.take_step(world.engine, entry.id, "submit", _step(world, entry.id, writer, "kb_maintainer"), at=at)
    world.done["kb_draft"] += 1
    if ends:
        world.plan(at + timedelta(hours=world.draw.choice((1, 5))), lambda then: _decide(world, entry.id, ends, then))


def _decide(world: World, entry_id: str, ends: str, at: datetime) -> None:
    reason = "说法与条目相符，同意发布" if ends == "publish" else "这句说法像另一个事项，请核对后再送审"
    step = _step(world, entry_id, words.KB_REVIEWER, "kb_reviewer", reason)
    if ends == "return":
        kb_life.take_step(world.engine, entry_id, "return", step, at=at)
    else:
        kb_life.publish(world.engine, entry_id, step, at=at)
        world.knowledge_changed(at)
    world.done[f"kb_{ends}"] += 1


def _archive(world: World, entry: KnowledgeEntry, at: datetime) -> None:
    step = _step(world, entry.id, words.KB_REVIEWER, "kb_reviewer", "与另一条重复，保留那一条")
    kb_life.archive(world.engine, entry.id, step, at=at)
    world.knowledge_changed(at)
    world.done["kb_archive"] += 1


def _ask_unit(world: World, entry: KnowledgeEntry, at: datetime) -> None:
    step = _step(world, entry.id, words.KB_WRITERS[0], "kb_maintainer", "请核对办理时限是否仍然有效")
    kb_life.take_step(world.engine, entry.id, "ask", step, at=at)
    world.done["kb_ask"] += 1


def _roll_back(world: World, entry: KnowledgeEntry, at: datetime) -> None:
    with reading(world.engine) as connection:
        version = read_life(connection, entry.id).version
    if version < 2:
        return
    step = _step(world, entry.id, words.KB_REVIEWER, "kb_reviewer", "新加的说法引来了别的诉求，先退回上一版")
    kb_life.roll_back(world.engine, entry.id, version - 1, step, at=at)
    world.knowledge_changed(at)
    world.done["kb_rollback"] += 1
