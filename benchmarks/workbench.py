"""Server time of the workbench at 10,000 open orders, beside the triage that it shows, and bytes of the first load."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from benchmarks.common import Row, city_texts, percentile
from intake.order import WorkOrder
from knowledge_base import read_entries
from service import clock, order_queue
from service.api.app import create_app
from service.db.engine import make_engine, writing
from service.db.migrate import upgrade
from service.entries import import_entries
from service.orders import store_proposal
from service.proposal import Proposal
from service.settings import Settings, load_settings, settings
from service.snapshot import Snapshot, load_snapshot
from service.triage import propose, propose_many

ORDERS, KINDS, ASKED = 10_000, 250, 60


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        config = _home(Path(folder))
        engine = make_engine(config.url)
        now = clock.now(config.time_zone)
        snapshot = load_snapshot(config, engine, as_of=now)
        _fill(engine, snapshot, now)
        with TestClient(create_app(config), headers={"accept": "text/html"}) as client:
            return list(_measure(client, snapshot, now))


def _measure(client: TestClient, snapshot: Snapshot, now: datetime) -> Iterator[Row]:
    texts = city_texts(ASKED)
    ids = [f"B{number * (ORDERS // ASKED):05d}" for number in range(ASKED)]
    client.get("/workbench")
    pages, parts, lists, triages = [], [], [], []
    # They take turns, so that a slow moment of the machine hits all of them.
    for order_id, text in zip(ids, texts, strict=True):
        pages.append(_ms(lambda order_id=order_id: client.get(f"/workbench/orders/{order_id}")))
        parts.append(
            _ms(lambda order_id=order_id: client.get(f"/workbench/orders/{order_id}", headers={"HX-Request": "true"}))
        )
        lists.append(_ms(lambda: client.get("/workbench/queue?abstained=on")))
        triages.append(_ms(lambda text=text: propose(WorkOrder(text=text), as_of=now, snapshot=snapshot)))
    page, triage = median(pages), median(triages)
    figure = f"{page:.1f} ms（95% 在 {percentile(pages, 0.95):.1f} ms 内；研判 {triage:.1f} ms；n={ASKED}）"
    yield Row(f"工作台整页，{ORDERS} 张待派，中位数", figure, "< 研判 + 60 ms", page < triage + 60)
    yield Row("换一张工单（htmx 片段），中位数", f"{median(parts):.1f} ms", "< 60 ms", median(parts) < 60)
    yield Row("只看疑难的队列，中位数", f"{median(lists):.1f} ms", "< 60 ms", median(lists) < 60)
    html = client.get("/workbench")
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', html.text))
    size = len(html.content) + sum(len(client.get(name).content) for name in names)
    yield Row("第一次打开的字节数（未压缩）", f"{size / 1000:.0f} KB", "< 300 KB", size < 300_000)


def _ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _home(folder: Path) -> Settings:
    (folder / "encoder").symlink_to(settings().encoder_folder)
    config = load_settings(home=folder, mlruns=settings().mlruns)
    engine = make_engine(config.url)
    upgrade(engine)
    import_entries(engine, read_entries(config.city / "knowledge.jsonl"), at=clock.now(config.time_zone))
    engine.dispose()
    return config


def _fill(engine: Engine, snapshot: Snapshot, now: datetime) -> None:
    """Proposals of real texts, each under many numbers and at many instants."""
    orders = [WorkOrder(text, channel="电话") for text in city_texts(KINDS)]
    proposals = list(propose_many(orders, as_of=now, snapshot=snapshot))
    for number, (order, proposal) in enumerate(islice(_again(orders, proposals), ORDERS)):
        at = now - timedelta(minutes=number % 1440)
        order_id = f"B{number:05d}"
        own = replace(proposal, proposal_id=f"p-{number:032d}", order=proposal.order | {"order_id": order_id})
        store_proposal(engine, replace(order, order_id=order_id), own, at=at)
        with writing(engine) as connection:
            order_queue.put(connection, own, actor="bench", at=at)
            connection.commit()


def _again(orders: list[WorkOrder], proposals: list[Proposal]) -> Iterator[tuple[WorkOrder, Proposal]]:
    while True:
        yield from zip(orders, proposals, strict=True)
