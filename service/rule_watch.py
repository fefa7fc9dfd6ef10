"""What a running process knows of the published rule versions: which is in force, and those of other instants."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime

from sqlalchemy import Engine

from service.rule_versions import Publication, published, version_at
from service.settings import Settings
from service.snapshot import Snapshot, with_rules

#: Versions other than the one in force that are kept loaded, for questions about another day.
KEPT = 4


class RuleWatch:
    """The publications of the pack in use, as last seen. Safe to share between threads."""

    def __init__(self, settings: Settings, engine: Engine):
        self._settings, self._engine = settings, engine
        self._lock = threading.Lock()
        #: Content hash → the snapshot it was made from, and the one with those rules.
        self._others: OrderedDict[str, tuple[Snapshot, Snapshot]] = OrderedDict()
        self.publications: tuple[Publication, ...] = ()

    def look(self, now: datetime) -> Publication | None:
        """Read the publications anew; returns the one in force. A waiting one comes into force without a new row."""
        self.publications = published(self._engine, self._settings.pack)
        return version_at(self.publications, now)

    def snapshot_at(self, snapshot: Snapshot, as_of: datetime) -> Snapshot:
        """The snapshot with the rules that are in force at ``as_of``; itself where it has them already."""
        wanted = version_at(self.publications, as_of)
        key = _key(wanted)
        if key == _key(snapshot.publication):
            return snapshot
        with self._lock:
            made_from, found = self._others.get(key, (None, snapshot))
            if made_from is not snapshot:
                found = with_rules(snapshot, self._settings, self._engine, wanted)
                self._others[key] = snapshot, found
            self._others.move_to_end(key)
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
        return found

    def forget(self) -> None:
        """Drop what was loaded for other instants, when the snapshot was replaced."""
        with self._lock:
            self._others.clear()


def _key(publication: Publication | None) -> str:
    return publication.content_hash if publication else ""
