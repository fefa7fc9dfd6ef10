"""The rules over the month: published without the rules of one gate, and with them once these were checked."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from rules.load import find_folder
from rules.pack import PACKS
from service.demo import words
from service.demo.world import SOFTWARE, World
from service.publication import Attachment, Candidate, Order, attach_backtest, check_folder, publish

#: What the first version leaves out. Nothing is made up for a difference: the second is the pack as it comes along.
LATER = "exclusion.yaml"
FIRST = "条文已逐条核对，先按这一版执行；本市不纳入考核的几条等考核科核对后再发"
SECOND = "不纳入考核的几条考核科已核对，补上；回测没有异常，从今天起按这一版执行"


def plan_rules(world: World, begin: datetime, *, days: int, backtest: Path) -> None:
    """A version after a third of the month, and after two thirds the whole pack, with its backtest."""
    first, second = ((begin + timedelta(days=part * days // 3)).replace(hour=10, minute=0) for part in (1, 2))
    world.plan(first, lambda at: _publish_without(world, at))
    world.plan(second, lambda at: _publish_whole(world, backtest, at))


def _publish_without(world: World, at: datetime) -> None:
    """The pack of the settings without one file, from a draft folder, as a rule owner does it."""
    folder = find_folder(world.settings.pack, PACKS)
    if folder is None or not (folder / LATER).is_file():
        return
    with tempfile.TemporaryDirectory() as place:
        draft = shutil.copytree(folder, Path(place) / folder.name, ignore=shutil.ignore_patterns(LATER))
        _publish(world, check_folder(str(draft)), FIRST, None, at)


def _publish_whole(world: World, backtest: Path, at: datetime) -> None:
    candidate = check_folder(world.settings.pack)
    pack, _ = candidate.require()
    _publish(world, candidate, SECOND, attach_backtest(backtest, pack), at)


def _publish(world: World, candidate: Candidate, reason: str, backtest: Attachment | None, at: datetime) -> None:
    order = Order(words.RULE_OWNER, reason)
    publish(world.engine, candidate, order, backtest=backtest, software=SOFTWARE, at=at)
    world.rules_changed(at)
    world.done["rule_publication"] += 1
