"""A log on PostgreSQL, in a database of its own for each test. ``make test-pg`` starts the server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text

from service.audit.verify import verify_log
from service.db.engine import make_engine, reading
from service.db.migrate import upgrade
from service.db.tables import PROPOSALS, WORK_ORDERS
from tests.postgres.server import fresh_database
from tests.service import conftest as service_fixtures

AT = datetime(2026, 5, 6, 9, 30, tzinfo=UTC)
UNIT = "城市管理局"
HERE = Path(__file__).parent
#: The set-up of this checkout, as the tests of the service have it.
installed = service_fixtures.installed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.postgres)


@dataclass
class Log:
    """``url``: as the owner of the tables."""

    url: str
    engine: Engine

    def proposals(self, count: int) -> list[dict[str, str]]:
        """Proposals that wait for a decision, and the requests that decide them."""
        requests = []
        with self.engine.begin() as connection:
            for _ in range(count):
                mark = uuid.uuid4().hex[:12]
                said = {
                    "as_of": AT.isoformat(),
                    "units": [{"unit": UNIT}],
                    "snapshot": {},
                    "order": {"masked_paths": []},
                }
                connection.execute(
                    insert(WORK_ORDERS).values(order_id=f"o-{mark}", original={}, created_at=AT.isoformat())
                )
                connection.execute(
                    insert(PROPOSALS).values(
                        proposal_id=f"p-{mark}",
                        order_id=f"o-{mark}",
                        as_of=AT.isoformat(),
                        proposal=json.dumps(said),
                        created_at=AT.isoformat(),
                    )
                )
                requests.append({"proposal_id": f"p-{mark}", "action": "accept", "unit": UNIT, "actor": "pd-1",
                                 "reason": "", "idempotency_key": mark})  # fmt: skip
        return requests

    def decided(self) -> set[str]:
        """The decisions that there are: in one sequence from 1 without a gap, each with its leaf, its routing and its
        event, and the whole proved."""
        report = verify_log(self.engine, keys=[])
        assert report.whole, report
        with reading(self.engine) as connection:
            rows = connection.execute(text("SELECT sequence, decision_id FROM decisions ORDER BY sequence")).all()
            assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
            found = {row.decision_id for row in rows}
            for part in ("routings", "outbox"):
                assert set(connection.execute(text(f"SELECT decision_id FROM {part}")).scalars()) == found
        return found


@pytest.fixture(scope="session")
def template() -> str:
    """The name of a database that was migrated from nothing, to copy."""
    engine = make_engine(fresh_database("migrated"))
    upgrade(engine)
    engine.dispose()
    return "migrated"


@pytest.fixture
def log(template: str) -> Iterator[Log]:
    url = fresh_database("own_" + uuid.uuid4().hex[:12], template=template)
    engine = make_engine(url, busy_seconds=60)
    yield Log(url, engine)
    engine.dispose()
