"""A database of one's own with orders in it, some of them decided."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from intake.order import WorkOrder
from service import clock
from service.db.engine import make_engine
from service.decisions import DecisionRequest, decide
from service.orders import store_proposal
from service.settings import Settings
from service.snapshot import Snapshot
from service.triage import propose

#: A caller who can be told by every part of it.
TEXT = "我叫欧阳慕容，电话13987654321，住在翠湖花园3栋2单元1502，楼下烧烤店油烟天天熏得睡不着，请区城管局处理。"
TITLE = "欧阳慕容反映油烟扰民"
PHONE = "13987654321"
START = clock.now() - timedelta(days=400)

File = Callable[..., dict[str, Any]]


@pytest.fixture
def engine(config: Settings) -> Engine:
    return make_engine(config.url, busy_seconds=0.2)


@pytest.fixture
def file(engine: Engine, snapshot: Snapshot) -> File:
    """File an order and, unless ``decided`` is False, accept the first unit; gives the record or the proposal."""

    def filed(order_id: str, *, text: str = TEXT, at: datetime = START, decided: bool = True) -> dict[str, Any]:
        order = WorkOrder(text=text, title=TITLE, order_id=order_id, street="望津街道", community="翠湖社区")
        proposal = propose(order, as_of=at, snapshot=snapshot)
        store_proposal(engine, order, proposal, at=at, snapshot=snapshot)
        if not decided:
            return proposal.as_dict()
        request = DecisionRequest(
            proposal.proposal_id, "accept", proposal.units[0]["unit"], "pd-1", "", uuid.uuid4().hex, "dispatcher"
        )
        return decide(
            engine, request, directory=lambda: snapshot.directory, software="test", request_id="r-1", at=at
        ).record

    return filed
