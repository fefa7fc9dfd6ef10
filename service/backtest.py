"""Run a backtest: orders in, counts out, on all processors, and to be continued after an interruption."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.prepare import prepare
from intake.unit import UnitDirectory
from models.progress import Progress
from rules import evaluate
from rules.backtest import EXAMPLES, Tally
from service.backtest_facts import FactCache, Item, derive
from service.backtest_sources import Entry, Source
from service.backtest_state import Outcome, Plan, Speed
from service.backtest_workers import counted

register(
    "E3405",
    "回测中断",
    "回测中断，已完成 {rows} 行，进度存在“{path}”。在同样的命令后加 --resume 就从那里继续。",
    exit_code=130,
)

STEP = "回测"
#: Characters of an order that an example shows, masked.
EXCERPT = 120


def run_backtest(plan: Plan, source: Source, *, checkpoint: Path, resume: bool, progress: Progress) -> Outcome:
    """Count what the packs say about the orders of a source.

    The outcome depends neither on the number of workers nor on interruptions. The checkpoint is replaced as a whole
    every ``plan.every`` rows and removed at the end.

    Raises
    ------
    ZhipaiError
        E3404 if there is nothing that fits to continue; E3405 after Ctrl+C, with the checkpoint written.
    """
    identity = plan.identity(source)
    outcome = Outcome.load(checkpoint, identity) if resume else Outcome(plan.as_of)
    entries = source.entries(outcome.as_of)
    if plan.limit:
        entries = islice(entries, plan.limit)
    started, saved = time.perf_counter(), outcome.rows
    next(islice(entries, outcome.rows, outcome.rows), None)
    progress(STEP, outcome.rows, plan.limit)
    try:
        for chunk, tally, speed in counted(plan, source.directory, entries):
            _merge(plan, outcome, chunk, tally, speed, source.directory)
            progress(STEP, outcome.rows, plan.limit)
            if outcome.rows - saved >= plan.every:
                outcome.save(checkpoint, identity)
                saved = outcome.rows
    except KeyboardInterrupt:
        outcome.save(checkpoint, identity)
        raise ZhipaiError("E3405", {"rows": outcome.rows, "path": str(checkpoint)}) from None
    outcome.speed.wall = time.perf_counter() - started
    checkpoint.unlink(missing_ok=True)
    progress(STEP, outcome.rows, outcome.rows)
    FactCache(plan.cache).prune()
    return outcome


def _merge(
    plan: Plan, outcome: Outcome, chunk: list[Entry], tally: Tally, speed: Speed, directory: UnitDirectory | None
) -> None:
    """Add one part; the text of an example is masked here, so that it travels nowhere."""
    items = {entry.number: entry for entry in chunk if isinstance(entry, Item)}
    for code in (entry for entry in chunk if isinstance(entry, str)):
        tally.skipped[code] = tally.skipped.get(code, 0) + 1
    for cell, numbers in tally.examples.items():
        for number in numbers[: EXAMPLES - len(outcome.tally.examples.get(cell, []))]:
            item = items[number]
            if str(number) not in outcome.shown:
                outcome.shown[str(number)] = _show(item, plan.gazetteer)
            if cell.endswith("|verify"):
                outcome.causes[f"{cell}|{number}"] = _cause(plan, item, cell.split("|")[0], directory)
    outcome.tally.add(tally)
    outcome.rows += len(chunk)
    for name in ("deriving", "derived", "counting", "evaluations", "cached"):
        setattr(outcome.speed, name, getattr(outcome.speed, name) + getattr(speed, name))


def _show(item: Item, gazetteer: Gazetteer) -> dict[str, Any]:
    text = prepare(item.order, gazetteer).text
    excerpt = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}……"
    return {"order_id": item.order.order_id, "unit": item.order.unit, "text": excerpt}


def _cause(plan: Plan, item: Item, rule_id: str, directory: UnitDirectory | None) -> str:
    """What the rule lacked, in the words of the reference evaluator."""
    facts = derive(item, plan.gazetteer, directory)
    for gate in plan.gates:
        for verdict in evaluate(plan.new, facts, as_of=item.as_of, gate=gate):
            if verdict.rule_id == rule_id:
                return verdict.cause
    return ""
