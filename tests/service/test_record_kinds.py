"""Every kind of decision record: the part that all share, canonical JSON, and no personal data in it."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest
import rfc8785
from sqlalchemy import Engine, select

from intake.order import WorkOrder
from knowledge_base import entry_from_dict
from models.encoder import Encoder
from service import clock, kb_life
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS
from service.decisions import DecisionRequest, decide
from service.entries import ImportOrder, import_entries
from service.model_life import Mover, promote_version
from service.orders import store_proposal
from service.privacy.erase import Eraser, Selection, erase
from service.publication import Order, check_folder, publish
from service.settings import Settings
from service.snapshot import Snapshot
from service.triage import propose
from training.champion import champion

COMMON = {"sequence", "decision_id", "kind", "decided_at", "actor", "software"}
PHONE = "13912345678"
WHY = f"联系{PHONE}核实过"


def dispatch(engine: Engine, snapshot: Snapshot) -> None:
    order = WorkOrder(text=f"烧烤店油烟扰民，电话{PHONE}", order_id="o-1")
    proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
    store_proposal(engine, order, proposal, at=clock.now(), snapshot=snapshot)
    request = DecisionRequest(
        proposal.proposal_id, "override", proposal.units[1]["unit"], "pd-1", WHY, uuid.uuid4().hex, "dispatcher"
    )
    decide(engine, request, directory=lambda: snapshot.directory, software="test", request_id="r-1", at=clock.now())


def publish_entry(engine: Engine) -> None:
    content = {"id": "K-new", "title": "油烟扰民", "answer": "找城管。", "unit": "云汀市城市管理局"}
    kb_life.save_draft(engine, content, kb_life.Step("张三", software="test"), at=clock.now())
    kb_life.take_step(engine, "K-new", "submit", kb_life.Step("张三", software="test"), at=clock.now())
    kb_life.publish(engine, "K-new", kb_life.Step("李四", WHY, software="test"), at=clock.now())


def import_entry(engine: Engine) -> None:
    content = {"id": "K-two", "title": "停水报修", "answer": "打供水热线。", "unit": "云汀市城市管理局"}
    order = ImportOrder("张三", WHY, "条目.xlsx", "0" * 64, "test")
    import_entries(engine, [entry_from_dict(content, number=1)], at=clock.now(), order=order)


@pytest.fixture
def records(config: Settings, snapshot: Snapshot, small_pack: Path, tmp_path: Path) -> list[dict]:
    """Every kind of decision, really taken."""
    engine = make_engine(config.url, busy_seconds=2)
    shutil.copytree(config.mlruns, tmp_path / "mlruns", ignore=shutil.ignore_patterns("frozen"))
    config = config.model_copy(update={"mlruns": tmp_path / "mlruns"})
    dispatch(engine, snapshot)
    publish_entry(engine)
    import_entry(engine)
    publish(engine, check_folder(str(small_pack)), Order("王五", WHY), software="test", at=clock.now())
    mover = Mover("赵六", WHY, force=True)
    version = champion(config.mlruns).version
    promote_version(config, version, mover=mover, at=clock.now(), encoder=Encoder.load(config.encoder_folder))
    erase(engine, Selection(("o-1",)), Eraser("bz-1", WHY, "security_admin"), software="test", at=clock.now())
    with reading(engine) as connection:
        rows = connection.execute(select(DECISIONS.c.record, DECISIONS.c.kind).order_by(DECISIONS.c.sequence)).all()
    assert all(rfc8785.dumps(json.loads(row.record)) == row.record for row in rows), "不是规范 JSON"
    assert all(json.loads(row.record)["kind"] == row.kind for row in rows)
    return [json.loads(row.record) for row in rows]


def test_every_kind_has_the_common_part_and_no_personal_data(records: list[dict], root: Path) -> None:
    kinds = {record["kind"] for record in records}
    assert kinds >= {
        "dispatch", "knowledge_publication", "knowledge_import", "rule_publication", "model_promotion", "erasure"
    }  # fmt: skip
    told = (root / "docs/audit-record.md").read_text(encoding="utf-8")
    for record in records:
        assert record.keys() >= COMMON, f"{record['kind']} 缺 {COMMON - record.keys()}"
        assert PHONE not in json.dumps(record, ensure_ascii=False), record["kind"]
        assert f"`{record['kind']}`" in told
        for name in record.keys() - COMMON:
            assert f"`{name}`" in told or record["kind"] in ("access", "case"), f"文档没有写 {record['kind']} 的 {name}"
    assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))
