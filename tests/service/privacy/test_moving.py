"""Migration 0006 on a database in use: personal data moves, the log stays as it was written, nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from service.db.engine import make_engine, reading
from service.db.migrate import upgrade
from service.privacy.erase import Selection, preview
from service.privacy.residue import database_files, residue
from service.privacy.store import filed_orders, is_open, opened, read_shown

TEXT, MASKED = "我叫欧阳慕容，电话13987654321，烧烤店油烟大", "我叫某某，电话<手机号>，烧烤店油烟大"
ORDER = {
    "text": TEXT, "order_id": "o-1", "title": "", "channel": "电话", "order_type": "", "category": "", "received_at": None,
    "district": "临江区", "street": "望津街道", "community": "", "related": [],
}  # fmt: skip
PROPOSAL = {
    "proposal_id": "p-1",
    "order": ORDER | {"text": MASKED, "masked_paths": ["text[2:6]:name"]},
    "units": [
        {"unit": "某局", "probability": 0.5, "evidence": [{"kind": "word", "text": "油烟", "weight": 1.0, "ref": ""}]}
    ],
    "elements": {"time": [], "place": {"mention": ""}, "target": "烧烤店", "request": ""},
    "verdicts": [],
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'used.db'}"


@pytest.fixture
def engine(url: str) -> Engine:
    """Revision 0003 with an order, two proposals of which one is empty, and a decision; brought to the newest."""
    engine = make_engine(url)
    upgrade(engine, "0003")
    record = json.dumps({"kind": "dispatch", "proposal": PROPOSAL}, ensure_ascii=False).encode()
    rows: list[tuple[str, dict]] = [
        (
            "INSERT INTO work_orders (order_id, original, masked, created_at) VALUES ('o-1', :o, :m, '2026-05-01')",
            {"o": json.dumps(ORDER), "m": json.dumps(PROPOSAL["order"])},
        ),
        (
            "INSERT INTO proposals VALUES ('p-1', 'o-1', '2026-05-01', :p, '2026-05-01T00:00:00+08:00')",
            {"p": json.dumps(PROPOSAL, ensure_ascii=False)},
        ),
        (
            "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, order_id, proposal_id, action,"
            " unit, record, record_hash, created_at, kind)"
            " VALUES (1, 'd-1', 'k', 'h', 'o-1', 'p-1', 'accept', '某局', :r, 'x', '2026-05-01T00:00:00+08:00', 'dispatch')",
            {"r": record},
        ),
    ]
    with engine.begin() as connection:
        for statement, values in rows:
            connection.execute(text(statement), values)
    upgrade(engine)
    return engine


def test_what_was_filed_and_shown_is_read_as_before(engine: Engine) -> None:
    with reading(engine) as connection:
        assert filed_orders(connection, ["o-1"]) == {"o-1": ORDER}
        assert read_shown(connection, "p-1") == PROPOSAL
        filed, shown = opened(connection, "filed", ["o-1"])["o-1"], opened(connection, "shown", ["p-1"])["p-1"]
        commitment = connection.execute(text("SELECT commitment FROM work_orders")).scalar()
        withheld = json.loads(connection.execute(text("SELECT proposal FROM proposals")).scalar())["withheld"]
    assert is_open(commitment, "o-1", filed) and withheld["order_as_filed"] == commitment
    assert is_open(withheld["commitment"], "p-1", shown)


def test_the_log_is_left_as_it_was_written_and_the_preview_says_so(engine: Engine) -> None:
    with reading(engine) as connection:
        record = json.loads(connection.execute(text("SELECT record FROM decisions")).scalar())
    assert record["proposal"] == PROPOSAL
    assert preview(engine, Selection(("o-1",))).logged_text == 1


def test_tables_that_were_rewritten_refuse_changes_again(engine: Engine) -> None:
    for statement in ("UPDATE proposals SET as_of = ''", "DELETE FROM proposals"):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))


def test_the_original_stands_in_one_place_only(engine: Engine, url: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert len(residue(database_files(url), "13987654321")) == 1
