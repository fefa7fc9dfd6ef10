"""Every kind of decision record: the part that all share, canonical JSON, and no personal data in it."""

from __future__ import annotations

import json
import shutil
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from sqlalchemy import Engine, select

from intake.order import WorkOrder
from knowledge_base import entry_from_dict
from models.encoder import Encoder
from service import clock, kb_life
from service.access import Actor, Scope
from service.access.accounts import Order as AccountOrder
from service.access.accounts import create_administrator
from service.audit.rotate import rotate_key
from service.cases import Ask, submit
from service.cases_review import Review, review
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS
from service.decisions import DecisionRequest, decide
from service.entries import ImportOrder, import_entries
from service.filing import file_order
from service.kb_reminders import remind
from service.label_desk import Labelling, record_label
from service.model_life import Mover, promote_version
from service.order_life import Step, merge, refuse, undo
from service.orders import store_proposal
from service.outbox.by_hand import ByHand, act
from service.outbox.store import fan_out
from service.outbox.targets import OutboxTarget
from service.privacy.erase import Eraser, Selection, erase
from service.publication import Order, check_folder, publish
from service.settings import Settings
from service.snapshot import Snapshot
from service.triage import Proposal, propose
from training.champion import champion

COMMON = {"sequence", "decision_id", "kind", "decided_at", "actor", "software"}
KINDS = {
    "dispatch", "refusal", "merge", "undo", "reopen", "case", "label", "rule_publication", "knowledge_publication",
    "knowledge_import", "knowledge_reminder", "model_promotion", "access", "log_key", "outbox", "erasure",
}  # fmt: skip
#: The actors of what the software does by itself (reminders, the first model at set-up): such a record names no role.
BY_ITSELF = {"system", "zhipai train"}
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
    step = kb_life.Step("李四", WHY, software="test", role="kb_reviewer")
    kb_life.publish(engine, "K-new", step, at=clock.now())


def import_entry(engine: Engine) -> None:
    soon = (clock.now().date() + timedelta(days=5)).isoformat()
    content = {"id": "K-two", "title": "停水报修", "answer": "打供水热线。", "unit": "云汀市城市管理局"}
    order = ImportOrder("张三", WHY, "条目.xlsx", "0" * 64, "test", "kb_maintainer")
    entry = entry_from_dict(content | {"effective_to": soon}, number=1)
    import_entries(engine, [entry], at=clock.now(), order=order)
    assert remind(engine, now=clock.now(), software="test")


def life_of_orders(engine: Engine, snapshot: Snapshot) -> None:
    """Labelled and refused, taken back, merged, sent to a unit and returned by it with consent."""
    told: dict[str, Any] = {"software": "test", "request_id": "r-1"}

    def step(order_id: str) -> Step:
        return Step(order_id, "pd-1", "dispatcher", WHY, uuid.uuid4().hex)

    def filed(order_id: str) -> Proposal:
        order = WorkOrder(text=f"路灯坏了三天没人修，电话{PHONE}", order_id=order_id)
        return file_order(engine, order, snapshot=snapshot, actor="zx-1", at=clock.now()).proposal

    first, _ = filed("o-2"), filed("o-3")
    unit = first.units[0]["unit"]
    asked = Labelling("o-2", unit, "kx-1", "data_scientist", False, uuid.uuid4().hex)
    record_label(engine, asked, directory=snapshot.directory, at=clock.now(), **told)
    refused = refuse(engine, step("o-2"), disposition={"action": "引导"}, at=clock.now(), **told).record
    undo(engine, step("o-2"), decision_id=refused["decision_id"], at=clock.now(), **told)
    request = DecisionRequest(first.proposal_id, "accept", unit, "pd-1", "", uuid.uuid4().hex, "dispatcher")
    decide(engine, request, directory=lambda: snapshot.directory, at=clock.now(), **told)
    merge(engine, step("o-3"), into="o-2", at=clock.now(), **told)
    ask = Ask("o-2", "return", f"不属于本单位职责，电话{PHONE}", "cb-1", uuid.uuid4().hex)
    rules, calendar = snapshot.rules, snapshot.calendar
    case_id, _ = submit(engine, ask, rules, calendar, directory=snapshot.directory, at=clock.now())
    said = Review(case_id, "accept", WHY, "bz-1", "shift_lead", uuid.uuid4().hex)
    review(engine, said, rules=rules, calendar=calendar, at=clock.now(), **told)


def drop_an_event(engine: Engine) -> None:
    target = OutboxTarget("platform", "http://127.0.0.1:9/hook", clock.now() - timedelta(days=1), (b"k" * 32,))
    while fan_out(engine, target, at=clock.now()):
        pass
    with reading(engine) as connection:
        found = connection.execute(select(DECISIONS.c.decision_id).where(DECISIONS.c.kind == "dispatch")).scalars()
        first = next(iter(found))
    act(engine, ByHand("drop", "platform", "gl-1", WHY, [first], "admin"), software="test", at=clock.now())


def accounts_and_keys(engine: Engine, config: Settings) -> None:
    shell = Actor("shell:gl-1", "命令行", frozenset({"admin"}), Scope.everything(), "local")
    create_administrator(engine, AccountOrder(shell, "第一个账号", clock.now()), name="gl-1", security=False)
    rotate_key(engine, config, actor="gl-1", role="admin", at=clock.now())


@pytest.fixture
def records(config: Settings, snapshot: Snapshot, small_pack: Path, tmp_path: Path) -> list[dict]:
    """Every kind of decision, really taken."""
    engine = make_engine(config.url, busy_seconds=2)
    shutil.copytree(config.mlruns, tmp_path / "mlruns", ignore=shutil.ignore_patterns("frozen"))
    config = config.model_copy(update={"mlruns": tmp_path / "mlruns"})
    dispatch(engine, snapshot)
    publish_entry(engine)
    import_entry(engine)
    life_of_orders(engine, snapshot)
    drop_an_event(engine)
    accounts_and_keys(engine, config)
    order = Order("王五", WHY, role="rule_owner")
    publish(engine, check_folder(str(small_pack)), order, software="test", at=clock.now())
    mover = Mover("赵六", WHY, force=True, role="data_scientist")
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
    assert kinds == KINDS
    told = (root / "docs/audit-record.md").read_text(encoding="utf-8")
    for record in records:
        assert record.keys() >= COMMON, f"{record['kind']} 缺 {COMMON - record.keys()}"
        assert record["actor"] in BY_ITSELF or record["role"], f"{record['kind']} 没有写以哪个角色"
        assert PHONE not in json.dumps(record, ensure_ascii=False), record["kind"]
        assert f"`{record['kind']}`" in told
        for name in record.keys() - COMMON:
            assert f"`{name}`" in told or record["kind"] == "case", f"文档没有写 {record['kind']} 的 {name}"
    assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))
