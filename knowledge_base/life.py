"""The life of an entry: 草稿 → 待审 → 发布 → 待更新 → 失效/归档, told by the events that happened to it.

Two things go on beside one another: the version that stands (and is found), and a text that somebody works on. An
edit of a published entry is a text in work; what stands stays as it is until the text is reviewed and published.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from intake.errors import ZhipaiError, register
from knowledge_base.entry import ARCHIVED, DRAFT, EXPIRED, IN_USE, PUBLISHED, SUBMITTED, TO_UPDATE, KnowledgeEntry

register("E4041", "条目不能这样处理", "条目“{id}”现在是“{state}”，不能{action}。{hint}", status=409)
register(
    "E4042",
    "作者不能审核自己的条目",
    "“{actor}”参与了这一版的起草，不能审核它。请换一个人审核。",
    status=409,
    exit_code=4,
)
register("E4043", "没有这个条目", "没有编号为“{id}”的条目{version}。请核对编号。", status=404)

#: Action -> how it is told.
ACTIONS = {
    "draft": "起草或修改",
    "submit": "送审",
    "return": "退回修改",
    "publish": "发布",
    "discard": "放弃草稿",
    "ask": "请单位更新",
    "archive": "归档",
    "rollback": "回退",
    "import": "导入",
}
#: Days before the end of validity at which the maintainer is reminded.
REMINDERS = (30, 7, 1)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an entry. ``revision`` counts them from 1; ``content`` is the text that was put down;
    ``version`` is the version that came to stand by it."""

    revision: int
    action: str
    actor: str
    at: datetime
    note: str = ""
    content: dict[str, Any] | None = None
    version: int | None = None
    decision_id: str | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """Where an entry stands after its events.

    Parameters
    ----------
    revision : int
        Number of the last event; 0 for an entry that does not exist. Who changes something names the one he saw.
    working : str
        草稿 or 待审 where somebody works on a text, else empty; ``content`` is that text, ``authors`` wrote it.
    standing : str
        State of the version that stands: 发布, 待更新, 归档 …; empty before the first.
    version : int
        Number of the version that stands.
    asked_at : datetime or None
        Since when the unit is asked for an update.
    """

    id: str
    revision: int = 0
    working: str = ""
    standing: str = ""
    version: int = 0
    content: dict[str, Any] | None = None
    authors: frozenset[str] = frozenset()
    asked_at: datetime | None = None
    asked: tuple[tuple[datetime, datetime | None], ...] = ()

    @property
    def state(self) -> str:
        return self.working or self.standing

    def after(self, event: Event) -> Life:
        """The life with one more event."""
        now = replace(self, revision=event.revision)
        match event.action:
            case "draft":
                authors = self.authors | {event.actor}
                return replace(now, working=DRAFT, content=event.content, authors=authors)
            case "submit":
                return replace(now, working=SUBMITTED)
            case "return":
                return replace(now, working=DRAFT)
            case "discard":
                return replace(now, working="", content=None, authors=frozenset())
            case "ask":
                return replace(now, standing=TO_UPDATE, asked_at=event.at)
        # What remains puts up another version, which answers a request that was open.
        asked = self.asked if self.asked_at is None else (*self.asked, (self.asked_at, event.at))
        standing = ARCHIVED if event.action == "archive" else PUBLISHED
        now = replace(now, standing=standing, version=event.version or 0, asked_at=None, asked=asked)
        return replace(now, working="", content=None, authors=frozenset()) if event.action == "publish" else now

    @property
    def requests(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """Every request for an update: when it was made, and when it was answered (None: it is open)."""
        return self.asked if self.asked_at is None else (*self.asked, (self.asked_at, None))


def life_of(entry_id: str, events: Iterable[Event]) -> Life:
    """The life that events, in the order of their revisions, make."""
    life = Life(entry_id)
    for event in events:
        life = life.after(event)
    return life


def check_action(life: Life, action: str, actor: str) -> None:
    """Raise E4041 if the action is not for this state, E4042 if an author would review his own text, E4043 if there is
    no such entry."""
    if life.revision == 0 and action != "draft":
        raise ZhipaiError("E4043", {"id": life.id, "version": ""})
    wrong = {
        "submit": ("只有草稿可以送审。", life.working != DRAFT),
        "return": ("只有待审的可以退回。", life.working != SUBMITTED),
        "publish": ("请先起草、送审，再由另一个人发布。", life.working != SUBMITTED),
        "discard": ("没有在改的草稿。", not life.working),
        "ask": ("只有已发布的可以请单位更新。", life.standing != PUBLISHED),
        "archive": ("只有已发布的可以归档。", life.standing not in (PUBLISHED, TO_UPDATE)),
        "rollback": ("还没有发布过。", not life.version),
    }
    hint, is_wrong = wrong.get(action, ("", False))
    if is_wrong:
        state = life.state or "未发布"
        raise ZhipaiError("E4041", {"id": life.id, "state": state, "action": ACTIONS[action], "hint": hint})
    if action == "publish" and actor in life.authors:
        raise ZhipaiError("E4042", {"actor": actor})


def state_on(entry: KnowledgeEntry, standing: str, day: date) -> str:
    """The state that a standing version shows on a day: past its last day it is 失效, whoever has not said so."""
    if entry.state not in IN_USE:
        return entry.state
    if entry.effective_to is not None and entry.effective_to <= day and standing != ARCHIVED:
        return EXPIRED
    return standing


@dataclass(frozen=True, slots=True)
class Expiry:
    """An entry whose validity ends soon. ``days`` left (0: from today on no longer valid), ``reminder``: which of
    :data:`REMINDERS` has been reached."""

    entry: KnowledgeEntry
    days: int
    reminder: int


def expiring(entries: Iterable[KnowledgeEntry], day: date, *, within: int = REMINDERS[0]) -> list[Expiry]:
    """The entries in use that end within so many days of ``day``, the soonest first; those that have ended come first.

    ``days`` counts to the last day in force: an entry with ``effective_to`` tomorrow has one day left, today.
    """
    found = []
    for entry in entries:
        if entry.effective_to is None or entry.state in (ARCHIVED, EXPIRED):
            continue
        left = (entry.effective_to - day).days
        if left <= within:
            reached = [reminder for reminder in REMINDERS if left <= reminder]
            found.append(Expiry(entry, left, min(reached) if reached else within))
    return sorted(found, key=lambda one: (one.days, one.entry.id))


@dataclass(frozen=True, slots=True)
class UnitUpkeep:
    """What a unit did for its entries in a span of time: for the contracts' incentive and control figures.

    ``in_time`` and ``late`` are None where no limit is set: there is nothing to measure by.
    """

    unit: str
    published: int
    unasked: int
    asked: int
    answered: int
    open: int
    in_time: int | None
    late: int | None


def upkeep_of(
    unit: str, requests: Sequence[tuple[datetime, datetime | None]], published: int, *, now: datetime, limit: int | None
) -> UnitUpkeep:
    """Count the requests of one unit: (asked, answered or None) and its publications; ``limit`` in days."""
    answered = [(asked, done) for asked, done in requests if done is not None]
    in_time = late = None
    if limit is not None:
        span = timedelta(days=limit)
        in_time = sum(done - asked <= span for asked, done in answered)
        late = len(answered) - in_time + sum(now - asked > span for asked, done in requests if done is None)
    return UnitUpkeep(
        unit,
        published=published,
        unasked=published - len(answered),
        asked=len(requests),
        answered=len(answered),
        open=len(requests) - len(answered),
        in_time=in_time,
        late=late,
    )
