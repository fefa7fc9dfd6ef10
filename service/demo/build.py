"""Build the demo: its folder, two models, a month of work, and the reports about it."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from knowledge_base import read_entries
from models.progress import Progress
from service import clock
from service.audit.keys import KeyStore
from service.audit.tree import establish
from service.audit.verify import verify_log
from service.audit_facts import catch_up
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.demo import desk, moves, reports, requests, rulebook, upkeep
from service.demo.material import gather, write_month, write_training
from service.demo.place import DemoPlan, check_outside, make_place, read_mark, settings_of, write_mark
from service.demo.world import World
from service.entries import import_entries, set_hash
from service.settings import Settings
from service.training import load_encoder

register("E7966", "演示数据没有通过验证", "演示的决定日志没有通过验证：{says}", exit_code=4)

STEP = "登记、派单、审核"
#: Orders that neither model has seen and that the month does not hold: what the month is compared with.
REFERENCE = 400
#: How long before the end units ask for what waits to be reviewed.
LAST = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Built:
    """What stands in the folder, and whether it stood there already. ``counts``: how often each thing happened."""

    settings: Settings
    counts: dict[str, int]
    repeated: bool


def standing(home: Path) -> Built | None:
    """A finished demo, None where there is none or it was broken off."""
    mark = read_mark(home)
    if mark is None or not mark.get("finished"):
        return None
    return Built(settings_of(home), dict(mark["counts"]), repeated=True)


def build(home: Path, base: Settings, plan: DemoPlan, *, progress: Progress) -> Built:
    """Fill a folder of the demo's own, from the beginning.

    Parameters
    ----------
    home : Path
        Empty, not there, or an older demo, which is removed.
    base : Settings
        Those of this installation, for its encoder and city. Nothing of it is written to, but for a missing encoder.

    Raises
    ------
    ZhipaiError
        E7961–E7966; what the functions of the product raise.
    """
    check_outside(base)
    if plan.end > clock.now(base.time_zone):
        raise ZhipaiError("E7963", {"until": f"{plan.end:%Y-%m-%d}"})
    settings = make_place(home, base, plan, progress=progress)
    begin = plan.end - timedelta(days=plan.days)
    material = gather(base.city, plan, UnitDirectory.from_file(base.city / "units.yaml"))
    first, second = write_training(settings, material)
    month = write_month(settings, material)
    backtest = reports.begin_backtest(settings, first)
    try:
        world = _open(settings, base, plan)
        try:
            versions = moves.train_two(settings, (first, second), begin=begin, days=plan.days, progress=progress)
            reports.finish(backtest, "回测")
            moves.promote(world, versions[0], "开办时的第一个模型", begin)
            world.first(begin)
            desk.file_all(world, material.filings)
            upkeep.plan_upkeep(world, material.training, begin, days=plan.days)
            world.plan(plan.end - LAST, lambda at: requests.ask_last(world, material.filings, at))
            moves.plan_models(world, versions, begin, days=plan.days)
            rulebook.plan_rules(world, begin, days=plan.days, backtest=reports.backtest_file(settings))
            moves.plan_checkpoints(world, begin, days=plan.days)
            world.run(progress, step=STEP, total=plan.orders)
            catch_up(world.engine)
            moves.checkpoint(world, plan.end)
            _verify(world)
            entries = len(world.snapshot.knowledge.entries)
        finally:
            world.close()
    finally:
        if backtest.poll() is None:
            backtest.terminate()
            backtest.communicate()
    reference = _reference(settings, material.spare)
    reports.final_reports(settings, reference=reference, month=month, entries=entries, progress=progress)
    counts = dict(sorted(world.done.items()))
    write_mark(home, plan, finished=True, counts=counts)
    return Built(settings, counts, repeated=False)


def _open(settings: Settings, base: Settings, plan: DemoPlan) -> World:
    """The database with the city's entries, as the set-up leaves it, on the day before the month begins. The index over
    these very entries is taken from the installation where it has one: building it takes longer than a day of orders."""
    engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
    before = plan.end - timedelta(days=plan.days + 1)
    upgrade(engine)
    establish(engine, hash_name=settings.log_hash, origin=settings.log_origin, at=before)
    entries = list(read_entries(settings.city / "knowledge.jsonl"))
    import_entries(engine, entries, at=before)
    same = set_hash((one.id, one.content_hash) for one in entries)[:16]
    if (base.index_folder / same).is_dir():
        shutil.copytree(base.index_folder / same, settings.index_folder / same)
    return World(engine, settings, load_encoder(settings), random.Random(plan.seed + 1), plan.end)


def _reference(settings: Settings, spare: tuple[dict[str, Any], ...]) -> Path:
    path = settings.city / "reference.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in spare[:REFERENCE]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _verify(world: World) -> None:
    found = verify_log(
        world.engine,
        keys=KeyStore(world.settings.key_folder).public_keys(),
        folders=[world.settings.checkpoints],
    )
    if not found.whole:
        raise ZhipaiError("E7966", {"says": found.sentence()})
