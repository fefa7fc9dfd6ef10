"""A snapshot: everything a proposal is computed from, loaded once and swapped as a whole."""

from __future__ import annotations

import hashlib
from collections import abc
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.unit import UnitDirectory
from knowledge_base import KnowledgeEntry, KnowledgeIndex
from knowledge_base.milvus import open_backend
from knowledge_base.store import DAMAGED
from knowledge_base.vectors import Backend
from models.encoder import Encoder
from models.ranker import UnitRanker
from rules import RuleEngine, WorkCalendar
from service import clock
from service.db.engine import check_version, make_engine
from service.entries import current_entries, entries_at, set_hash
from service.proposal import SnapshotIds
from service.rule_versions import Publication, pack_of, published, version_at
from service.settings import Settings
from service.work_calendar import load_calendar
from training.registry import champion

register(
    "E6201",
    "还没有模型",
    "还没有可用的派单模型。请运行 zhipai setup（用随附的示范城市训练），或 zhipai train 用自己的工单训练。",
    status=503,
    exit_code=3,
)

#: Entries up to which an index is saved behind every change, which for a larger one takes seconds; changed entries past
#: which changing an index takes longer than building it.
LARGE, MOST_CHANGED = 5000, 500


@dataclass(frozen=True)
class Snapshot:
    """One consistent set of rules, model, knowledge, directory and calendar. Safe to share between threads.

    ``publication`` is the one that the rules come from, None where they are those of the folder. ``settings`` are those it
    was loaded with, by which its parts are kept for a replay.
    """

    encoder: Encoder
    ranker: UnitRanker
    knowledge: KnowledgeIndex
    rules: RuleEngine
    calendar: WorkCalendar
    gazetteer: Gazetteer
    directory: UnitDirectory
    publication: Publication | None = None
    settings: Settings | None = None

    @cached_property
    def ids(self) -> SnapshotIds:
        return SnapshotIds(
            rules=self.rules.pack.id,
            model=self.ranker.model_id,
            knowledge=self.knowledge.id,
            directory=self.directory.id,
            calendar=self.calendar.id,
        )


def load_gazetteer(settings: Settings) -> Gazetteer:
    """The gazetteer of the city, or an empty one: place names are then found but not resolved to a district."""
    path = settings.city / "gazetteer.yaml"
    return Gazetteer.from_file(path) if path.is_file() else Gazetteer.empty()


def gazetteer_for(settings: Settings, mapping: Mapping | None) -> tuple[Gazetteer, str]:
    """The gazetteer for the orders of a mapping, with the neighbours that the mapping names, and its content hash."""
    path = settings.city / "gazetteer.yaml"
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    gazetteer = load_gazetteer(settings)
    if mapping is None or mapping.outside is None:
        return gazetteer, digest
    return gazetteer.with_outside(mapping.outside), f"{digest} {mapping.outside.id}"


def load_knowledge(
    settings: Settings,
    engine: Engine,
    encoder: Encoder,
    *,
    as_of: datetime | None = None,
    cached: abc.Mapping[str, np.ndarray] | None = None,
) -> KnowledgeIndex:
    """The index over the entries that stand in the database, or that stood at ``as_of``."""
    entries = entries_at(engine, as_of) if as_of is not None else current_entries(engine)
    return index_of(settings, entries, encoder, cached=cached)


def index_of(
    settings: Settings,
    entries: abc.Sequence[KnowledgeEntry],
    encoder: Encoder,
    *,
    cached: abc.Mapping[str, np.ndarray] | None = None,
    near: KnowledgeIndex | None = None,
) -> KnowledgeIndex:
    """The saved index over these entries; made if there is none.

    ``cached``: as :meth:`KnowledgeIndex.build`. ``near`` is an index of mostly the same entries, by default the one that
    was saved last: it is changed where that is faster than building, which gives the same index.
    """
    folder = _index_folder(settings, entries, encoder)
    backend = open_backend(settings.kb_backend, uri=settings.milvus_uri, token=settings.milvus_token.get_secret_value())
    if folder.is_dir():
        try:
            return KnowledgeIndex.load(folder, encoder, backend=backend)
        except ZhipaiError as error:
            # A damaged index is not an error for the user: the entries are in the database, so it is built again.
            if error.code not in DAMAGED:
                raise
    near = near or _saved_last(settings, encoder, backend)
    if near is not None:
        new, gone = near.difference(entries)
        if len(new) + len(gone) <= MOST_CHANGED:
            index = near.changed(new, removed=gone)
            if len(entries) <= LARGE:
                index.save(folder)
            return index
    if cached is None:
        cached = near.vectors if near is not None else {}
    index = KnowledgeIndex.build(entries, encoder, cached=cached, backend=backend)
    index.save(folder)
    return index


def save_index(settings: Settings, index: KnowledgeIndex) -> None:
    """Keep the index for the next start."""
    index.save(_index_folder(settings, index.entries, index.encoder))


def _index_folder(settings: Settings, entries: abc.Sequence[KnowledgeEntry], encoder: Encoder) -> Path:
    revision = set_hash((entry.id, entry.content_hash) for entry in entries)[:16]
    return settings.index_folder / revision / encoder.id


def _saved_last(settings: Settings, encoder: Encoder, backend: Backend) -> KnowledgeIndex | None:
    """The index that was saved last: most entries are the same, and encoding is what takes time."""
    saved = sorted(settings.index_folder.glob(f"*/{encoder.id}"), key=lambda folder: folder.stat().st_mtime)
    for folder in reversed(saved[-3:]):
        try:
            return KnowledgeIndex.load(folder, encoder, backend=backend)
        except ZhipaiError as error:
            if error.code not in DAMAGED:
                raise
    return None


def load_snapshot(
    settings: Settings, engine: Engine, *, encoder: Encoder | None = None, as_of: datetime | None = None
) -> Snapshot:
    """Load everything anew, with the rules in force at ``as_of`` (by default now).

    Raises
    ------
    ZhipaiError
        E6201 without a champion; the error of whichever part is damaged otherwise.
    """
    version = champion(settings.mlruns)
    if version is None:
        raise ZhipaiError("E6201")
    encoder = encoder or Encoder.load(settings.encoder_folder)
    ranker = UnitRanker.load(Path(version.path), encoder=encoder)
    publication = version_at(published(engine, settings.pack), as_of or clock.now(settings.time_zone))
    pack = pack_of(engine, settings, publication)
    return Snapshot(
        encoder=encoder,
        ranker=ranker,
        knowledge=load_knowledge(settings, engine, encoder, as_of=as_of),
        rules=RuleEngine(pack, kind=settings.rule_engine),
        calendar=load_calendar(settings, pack),
        gazetteer=load_gazetteer(settings),
        directory=ranker.directory,
        publication=publication,
        settings=settings,
    )


def with_rules(snapshot: Snapshot, settings: Settings, engine: Engine, publication: Publication | None) -> Snapshot:
    """The snapshot with the rules of another publication (None: of the folder), and the calendar that goes with them."""
    pack = pack_of(engine, settings, publication)
    return replace(
        snapshot,
        rules=RuleEngine(pack, kind=settings.rule_engine),
        calendar=load_calendar(settings, pack),
        publication=publication,
    )


def open_snapshot(settings: Settings, as_of: datetime | None = None) -> Snapshot:
    """:func:`load_snapshot` with an engine of its own, for a one-shot command or a worker process; E6005 besides."""
    engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
    check_version(engine)
    return load_snapshot(settings, engine, as_of=as_of)
