"""What a running process knows of the knowledge base: whether something happened, and the indexes of other days."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from knowledge_base import KnowledgeEntry, KnowledgeIndex
from service.entries import changed_since, current_entries, entries_at, last_event, last_replaced, put_up_since
from service.settings import Settings
from service.snapshot import LARGE, MOST_CHANGED, Snapshot, index_of, save_index

#: How often it is asked whether something was published, in seconds: a publication has to be found within one.
LOOK_SECONDS = 0.3
#: Changed entries that an index of more than ``LARGE`` gathers before it is put in one piece.
APART = 1000
#: Indexes of other days that are kept.
KEPT = 2


class KnowledgeWatch:
    """Safe to share between threads; :meth:`happened` to :meth:`taken` belong to the one that reloads."""

    def __init__(self, settings: Settings, engine: Engine):
        self._settings, self._engine = settings, engine
        self._lock = threading.Lock()
        self._looked = self._taken = self._last = last_event(engine)
        #: As of which event, and when a version last took the place of another.
        self._replaced: tuple[int, datetime | None] = (-1, None)
        #: Hash of what has changed since -> the snapshot it was made from, and the one with those entries.
        self._others: OrderedDict[str, tuple[Snapshot, Snapshot]] = OrderedDict()

    def happened(self) -> bool:
        """Whether an entry was changed in any way since this was last asked: one look into an index of the database."""
        looked, self._looked = self._looked, last_event(self._engine)
        return looked != self._looked

    def news(self) -> list[KnowledgeEntry]:
        """The entries that were put up since the last :meth:`taken`."""
        self._last = last_event(self._engine)
        return put_up_since(self._engine, self._taken) if self._last != self._taken else []

    def index_with(self, news: list[KnowledgeEntry], index: KnowledgeIndex) -> KnowledgeIndex:
        """The index with the news, as fast as may be: what has not changed is left as it is."""
        if len(news) <= MOST_CHANGED:
            return index.changed(news)
        return index_of(self._settings, current_entries(self._engine), index.encoder, near=index)

    def settled(self, index: KnowledgeIndex) -> KnowledgeIndex:
        """The index in one piece and saved for the next start. A base of more than ``LARGE`` entries, where that takes
        seconds, waits until :data:`APART` entries stand apart; what is found is the same either way."""
        if len(index.entries) > LARGE and index.lexical.later < APART:
            return index
        index = index.compact()
        save_index(self._settings, index)
        return index

    def taken(self) -> None:
        """The news are in force."""
        self._taken = self._last

    def snapshot_at(self, snapshot: Snapshot, as_of: datetime) -> Snapshot:
        """The snapshot with the entries that stood at ``as_of``; itself where nothing was published since."""
        with self._lock:
            event = last_event(self._engine)
            if event != self._replaced[0]:
                self._replaced = event, last_replaced(self._engine)
            if self._replaced[1] is None or self._replaced[1] <= as_of:
                return snapshot
            key = changed_since(self._engine, as_of)
            made_from, found = self._others.get(key, (None, snapshot))
            if made_from is not snapshot:
                entries = entries_at(self._engine, as_of)
                index = index_of(self._settings, entries, snapshot.encoder, near=snapshot.knowledge)
                found = replace(snapshot, knowledge=index)
                self._others[key] = snapshot, found
            self._others.move_to_end(key)
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
        return found
