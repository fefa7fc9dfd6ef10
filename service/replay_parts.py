"""Find the parts of a snapshot again by their ids, long after others came into force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Engine, select

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.unit import UnitDirectory
from knowledge_base import KnowledgeEntry, KnowledgeIndex, entry_from_dict
from models.encoder import Encoder
from models.ranker import UnitRanker
from rules import RuleEngine, RulePack, WorkCalendar
from rules.bundle import at_present, read_bundle
from service.db.engine import reading
from service.db.tables import ENTRIES, ENTRY_EVENTS
from service.packs import pack_in_use
from service.rule_versions import find_version, load_bundle
from service.settings import Settings
from service.snapshot import Snapshot, index_of, load_gazetteer
from service.snapshot_parts import CALENDAR, DIRECTORY, GAZETTEER, RULES, gazetteer_id, kept
from service.work_calendar import load_calendar
from training.champion import versions_of

#: States of the knowledge base before the proposal that are tried: a process takes a moment to see what was published.
LATEST_STATES = 40


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that cannot be had any more, and why."""

    part: str
    id: str
    why: str

    def as_dict(self) -> dict[str, str]:
        return {"part": self.part, "id": self.id, "why": self.why}


@dataclass
class Found:
    """The parts of that day. What could not be found is None and stands in ``missing``."""

    encoder: Encoder
    ranker: UnitRanker | None = None
    knowledge: KnowledgeIndex | None = None
    rules: RuleEngine | None = None
    calendar: WorkCalendar | None = None
    gazetteer: Gazetteer | None = None
    directory: UnitDirectory | None = None
    missing: list[Missing] = field(default_factory=list)

    def snapshot(self) -> Snapshot | None:
        """The whole snapshot, None if a part is missing."""
        parts = self.ranker, self.knowledge, self.rules, self.calendar, self.gazetteer, self.directory
        if self.missing or any(part is None for part in parts):
            return None
        ranker, knowledge, rules, calendar, gazetteer, directory = parts
        return Snapshot(self.encoder, ranker, knowledge, rules, calendar, gazetteer, directory)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Finder:
    """Where parts are looked for. ``current``: the snapshot in force, whose parts need no loading."""

    settings: Settings
    engine: Engine
    encoder: Encoder
    current: Snapshot | None = None

    def find(
        self, ids: Mapping[str, str], *, as_of: datetime, created_at: datetime, context: Mapping[str, Any] | None
    ) -> Found:
        """All parts of a proposal that was stored at ``created_at``; whatever is missing is told, nothing is raised."""
        found = Found(self.encoder)
        self._part(found, "rules", ids["rules"], lambda: self._rules(ids["rules"]))
        self._part(found, "model", ids["model"], lambda: self._ranker(ids["model"]), to="ranker")
        self._part(found, "calendar", ids["calendar"], lambda: self._calendar(ids["calendar"], found.rules))
        self._part(found, "directory", ids["directory"], lambda: self._directory(ids["directory"], found.ranker))
        wanted = (context or {}).get("gazetteer", "")
        self._part(found, "gazetteer", wanted, lambda: self._gazetteer(wanted))
        self._part(found, "knowledge", ids["knowledge"], lambda: self._knowledge(ids["knowledge"], as_of, created_at))
        return found

    def _part(self, found: Found, part: str, wanted: str, find: Any, *, to: str = "") -> None:
        try:
            value, why = find()
        except (ZhipaiError, OSError) as error:
            value, why = None, str(error) if isinstance(error, ZhipaiError) else "文件读不出来"
        setattr(found, to or part, value)
        if why:
            found.missing.append(Missing(part, wanted, why))

    def _rules(self, wanted: str) -> tuple[RuleEngine | None, str]:
        if self.current is not None and self.current.rules.pack.id == wanted:
            return self.current.rules, ""
        why = "没有发布过，第一次使用时也没有留下存档"
        for pack in self._packs(wanted):
            if pack.id == wanted:
                # The reference evaluator: the same verdicts, without a second engine to keep in memory.
                return RuleEngine(pack, kind="python"), ""
            why = "规则文件还在，但软件的事实字典或词表已经换了一版，读出来的意思不同"
        return None, why

    def _packs(self, wanted: str) -> Iterator[RulePack]:
        try:
            with reading(self.engine) as connection:
                content_hash = find_version(connection, wanted)
            yield at_present(load_bundle(self.engine, content_hash))
        except ZhipaiError as error:
            if error.code != "E3503":
                raise
        if (content := kept(self.engine, RULES, wanted)) is not None:
            yield read_bundle(content, version=json.loads(content)["content_hash"]).load()
        pack = pack_in_use(self.settings)
        if pack.id == wanted:
            yield pack

    def _ranker(self, wanted: str) -> tuple[UnitRanker | None, str]:
        if self.current is not None and self.current.ranker.model_id == wanted:
            return self.current.ranker, ""
        why = "模型库里没有这个模型"
        for version in versions_of(self.settings.mlruns, wanted):
            try:
                return _load_ranker(version.path, self.encoder), ""
            except (ZhipaiError, OSError) as error:
                said = str(error) if isinstance(error, ZhipaiError) else "文件读不出来"
                why = f"版本 {version.version} 的模型文件已不在或已损坏：{said}"
        return None, why

    def _calendar(self, wanted: str, rules: RuleEngine | None) -> tuple[WorkCalendar | None, str]:
        if self.current is not None and self.current.calendar.id == wanted:
            return self.current.calendar, ""
        if rules is None:
            return None, "办公时间写在规则包里，而那一版规则找不到"
        now = load_calendar(self.settings, rules.pack)
        if now.id == wanted:
            return now, ""
        content = kept(self.engine, CALENDAR, wanted)
        if content is not None:
            then = WorkCalendar.from_data(json.loads(content), rules.pack.calendar)
            if then.id == wanted:
                return then, ""
        return None, "日历已换（又导入过某一年，或日历库升级），当时的没有留下"

    def _directory(self, wanted: str, ranker: UnitRanker | None) -> tuple[UnitDirectory | None, str]:
        if ranker is not None and ranker.directory.id == wanted:
            return ranker.directory, ""
        content = kept(self.engine, DIRECTORY, wanted)
        if content is None:
            return None, "单位名录随模型走，模型不在，名录也没有另外留下"
        return UnitDirectory.from_rows(json.loads(content)), ""

    def _gazetteer(self, wanted: str) -> tuple[Gazetteer | None, str]:
        if not wanted or wanted == gazetteer_id(self.settings):
            return load_gazetteer(self.settings), ""
        content = kept(self.engine, GAZETTEER, wanted)
        if content is None:
            return None, "地名表已换，当时的没有留下"
        with TemporaryDirectory(prefix="zhipai-places-") as folder:
            path = Path(folder) / "gazetteer.yaml"
            path.write_bytes(content)
            return Gazetteer.from_file(path), ""

    def _knowledge(self, wanted: str, as_of: datetime, created_at: datetime) -> tuple[KnowledgeIndex | None, str]:
        if self.current is not None and self.current.knowledge.id == wanted:
            return self.current.knowledge, ""
        with reading(self.engine) as connection:
            versions = _versions(connection)
            events = _events(connection, created_at)
            contents = {one.key: one.content_hash for one in versions}
            tried: set[frozenset[tuple[str, int]]] = set()
            for state in _states(versions, events, as_of):
                if state in tried:
                    continue
                tried.add(state)
                if knowledge_id((contents[key] for key in state), self.encoder.id) == wanted:
                    entries = _entries(connection, state)
                    near = self.current.knowledge if self.current is not None else None
                    return index_of(self.settings, entries, self.encoder, near=near), ""
        return None, "条目的版本都在，但没有哪一刻的条目与这个编号相符（编码器换过，或条目被改动）"


@lru_cache(maxsize=2)
def _load_ranker(path: Path, encoder: Encoder) -> UnitRanker:
    return UnitRanker.load(path, encoder=encoder)


def knowledge_id(hashes: Iterable[str], encoder_id: str) -> str:
    """The :attr:`KnowledgeIndex.id` of an index over entries with these content hashes, without building it."""
    return "kb-" + hashlib.sha256("\n".join([*sorted(hashes), encoder_id]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Version:
    key: tuple[str, int]
    content_hash: str
    event: int
    at: datetime


def _versions(connection: Connection) -> list[_Version]:
    """Every version of every entry in the order in which they were put up."""
    put_up = (ENTRY_EVENTS.c.entry_id == ENTRIES.c.entry_id) & (ENTRY_EVENTS.c.version == ENTRIES.c.version)
    query = (
        select(
            ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.content_hash, ENTRIES.c.created_at, ENTRY_EVENTS.c.sequence
        )
        .join(ENTRY_EVENTS, put_up)
        .order_by(ENTRY_EVENTS.c.sequence)
    )
    return [
        _Version((row.entry_id, row.version), row.content_hash, row.sequence, datetime.fromisoformat(row.created_at))
        for row in connection.execute(query)
    ]


def _events(connection: Connection, created_at: datetime) -> list[int]:
    """The last events until an instant by which a version was put up, the newest first."""
    query = (
        select(ENTRY_EVENTS.c.sequence, ENTRY_EVENTS.c.created_at)
        .where(ENTRY_EVENTS.c.version.is_not(None))
        .order_by(ENTRY_EVENTS.c.sequence.desc())
    )
    found: list[int] = []
    last = ""
    for row in connection.execute(query):
        if datetime.fromisoformat(row.created_at) > created_at:
            continue
        # What one transaction put up became visible at once: its last event stands for all.
        if row.created_at != last:
            found.append(row.sequence)
            last = row.created_at
        if len(found) >= LATEST_STATES:
            break
    return found


def _states(versions: list[_Version], events: list[int], as_of: datetime) -> Iterator[frozenset[tuple[str, int]]]:
    """Sets of versions that may have stood: after each event, and of each the one that stood at ``as_of``."""
    for event in events:
        known = [one for one in versions if one.event <= event]
        yield frozenset(dict(one.key for one in known).items())
        # As :func:`service.entries.entries_at`: a first version may hold before it was put in, a change never does.
        at = [one for one in known if one.key[1] == 1 or one.at <= as_of]
        yield frozenset(dict(one.key for one in at).items())


def _entries(connection: Connection, state: frozenset[tuple[str, int]]) -> list[KnowledgeEntry]:
    wanted = dict(state)
    rows = connection.execute(
        select(ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.content).order_by(ENTRIES.c.entry_id)
    )
    contents = [row.content for row in rows if wanted.get(row.entry_id) == row.version]
    return [entry_from_dict(content, number=number) for number, content in enumerate(contents, start=1)]
