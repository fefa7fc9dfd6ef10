"""What comes into force during the month: two models, one of them taken back for some days; and checkpoints."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from intake.mapping import Mapping
from models.progress import Progress
from service.audit.checkpoint import publish as publish_checkpoint
from service.audit.checkpoint import sign_checkpoint
from service.audit.keys import KeyStore
from service.demo import words
from service.demo.world import World
from service.model_life import Mover, promote_version, rollback_version
from service.settings import Settings
from service.training import CITY_MAPPING, train_and_register
from training.config import TrainConfig

FORCED = "演示：训练的工单少，检查没有全部通过，仍上线以便看到换模型的过程"


def quick_recipe() -> TrainConfig:
    """The bundled recipe without its second stage, which takes most of the time."""
    config = TrainConfig.default()
    return replace(config, bootstrap=300, recipe=replace(config.recipe, trees_from=10**9))


def train_two(
    settings: Settings, files: tuple[Path, Path], *, begin: datetime, days: int, progress: Progress
) -> tuple[str, str]:
    """Register two versions; nothing is put in force. Returns their numbers."""
    found = []
    mapping = Mapping.from_file(CITY_MAPPING)
    for number, path in enumerate(files):
        at = begin + timedelta(days=number * days // 2)
        name = ("第一个模型", "第二个模型")[number]

        def told(step: str, done: int, total: int, name: str = name) -> None:
            progress(f"{name}：{step}", done, total)

        outcome = train_and_register(
            settings, path, mapping, at=at, promote=False, progress=told, config=quick_recipe()
        )
        found.append(outcome.version)
    return found[0], found[1]


def plan_models(world: World, versions: tuple[str, str], begin: datetime, *, days: int) -> None:
    """The second model in the middle of the month, back to the first for two days, and on again."""
    noon = (begin + timedelta(days=days // 2)).replace(hour=12, minute=10)
    later = "用到月中的工单重新训练，单位更全"
    world.plan(noon, lambda at: promote(world, versions[1], later, at))
    world.plan(noon + timedelta(days=3), lambda at: roll_back(world, at))
    again = "逐条看过改派，多是来电人没说清地点，与模型无关，重新上线"
    world.plan(noon + timedelta(days=5), lambda at: promote(world, versions[1], again, at))


def promote(world: World, version: str, reason: str, at: datetime) -> None:
    """With the checks of any promotion; one that they refuse is put in force by force, and the record says so."""

    def move(mover: Mover) -> bool:
        return promote_version(world.settings, version, mover=mover, at=at, encoder=world.encoder).done

    if not move(Mover(words.SCIENTIST, reason)):
        move(Mover(words.SCIENTIST, FORCED, force=True))
        world.done["model_forced"] += 1
    world.done["model_promoted"] += 1
    if world.started:
        world.models_changed()


def roll_back(world: World, at: datetime) -> None:
    mover = Mover(words.SCIENTIST, "城管类工单改派变多，先退回上一版查原因")
    rollback_version(world.settings, mover=mover, at=at)
    world.models_changed()
    world.done["model_rolled_back"] += 1


def plan_checkpoints(world: World, begin: datetime, *, days: int) -> None:
    """One a week, at night."""
    for day in range(7, days, 7):
        world.plan((begin + timedelta(days=day)).replace(hour=23, minute=30), lambda at: checkpoint(world, at))


def checkpoint(world: World, at: datetime) -> None:
    signed = sign_checkpoint(world.engine, world.settings, at=at)
    publish_checkpoint(signed, world.settings.checkpoints, KeyStore(world.settings.key_folder))
    world.done["checkpoint"] += 1
