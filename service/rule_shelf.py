"""What the rule pages show of a pack: its version, the tests beside each rule, and the packs that carry a rule on."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from rules import RulePack
from rules.load import find_folder
from rules.pack import PACKS
from rules.problems import Problem
from rules.rule import Rule
from rules.run_tests import RuleTest, read_tests
from rules.vocabulary import State
from service.db.engine import reading
from service.rule_versions import Publication, published, stored_bundle, version_at
from service.rulings import served_pack, served_packs
from service.snapshot import Snapshot

register(
    "E7989",
    "没有这条规则",
    "规则包“{pack}”里没有编号为“{rule}”的规则。请从规则页面打开，或换一个规则包。",
    status=404,
)

#: The states that a test may expect, in the order in which they are shown.
STATES: tuple[State, ...] = ("hit", "pass", "not_evaluated")
#: Packs whose tests are kept after they were read once.
KEPT = 16


@dataclass(frozen=True)
class Shown:
    """A pack as it is in force at an instant; ``publication`` is None where it is that of the folder."""

    pack: RulePack
    publication: Publication | None
    names: tuple[str, ...]


def shown_pack(name: str, snapshot: Snapshot, engine: Engine, *, at: datetime) -> Shown:
    """A served pack in the version of that instant; E6701 for any other name."""
    in_use = snapshot.rules.pack
    pack = served_pack(name, in_use, engine, at=at)
    publication = snapshot.publication if pack is in_use else version_at(published(engine, pack.name), at)
    return Shown(pack, publication, served_packs(in_use))


def find_rule(pack: RulePack, rule_id: str) -> Rule:
    """The rule of an id; E7989."""
    for rule in pack.rules:
        if rule.id == rule_id:
            return rule
    raise ZhipaiError("E7989", {"pack": pack.name, "rule": rule_id[:40]})


_read: OrderedDict[str, Mapping[str, list[RuleTest]]] = OrderedDict()


def tests_of(shown: Shown, engine: Engine) -> Mapping[str, list[RuleTest]]:
    """Rule id → its tests, those of inherited rules too, which stand beside the pack that they come from.

    Those of a published version are the ones that were published with it. Tests that cannot be read are left out.
    """
    key = shown.pack.id
    if key not in _read:
        found: dict[str, list[RuleTest]] = defaultdict(list)
        with ExitStack() as stack:
            for folder in _folders(shown, engine, stack):
                problems: list[Problem] = []
                for test in read_tests(replace(shown.pack, folder=folder), problems):
                    for rule_id in test.expect:
                        found[rule_id].append(test)
        _read[key] = dict(found)
        while len(_read) > KEPT:
            _read.popitem(last=False)
    return _read[key]


def _folders(shown: Shown, engine: Engine, stack: ExitStack) -> list[Path]:
    """The folders of the pack and of those that it inherits from."""
    root, folders = PACKS, []
    if shown.publication is not None:
        with reading(engine) as connection:
            bundle = stored_bundle(connection, shown.publication.content_hash)
        root = stack.enter_context(bundle.unpacked())
    for name in shown.pack.lineage:
        own = shown.pack.folder if name == shown.pack.name and shown.publication is None else None
        folder = own or find_folder(name, root) or find_folder(str(shown.pack.folder.parent / name), root)
        if folder is not None:
            folders.append(folder)
    return folders


def counted(tests: Mapping[str, list[RuleTest]], rule_id: str) -> dict[str, int]:
    """The tests of a rule by the state that they expect."""
    states = Counter(test.expect[rule_id] for test in tests.get(rule_id, ()))
    return {name: states[name] for name in STATES}


def carriers(rule: Rule, snapshot: Snapshot, engine: Engine, *, at: datetime) -> list[dict[str, Any]]:
    """The served packs that hold a rule, each with the values that it gives to the rule's parameters on that day."""
    found = []
    day = at.astimezone(snapshot.rules.pack.zone).date()
    for name in served_packs(snapshot.rules.pack):
        pack = served_pack(name, snapshot.rules.pack, engine, at=at)
        if rule.id not in {one.id for one in pack.rules}:
            continue
        values = []
        for parameter in rule.parameters:
            value = pack.parameter_on(parameter, day)
            values.append({"id": parameter, "value": value.value if value else None})
        found.append({"name": pack.name, "title": pack.title, "own": rule.pack == pack.name, "values": values})
    return found
