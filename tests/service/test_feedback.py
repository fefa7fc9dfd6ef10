"""The log becomes labels: suggestion and answer apart, returns of another system joined, and the file can be trained on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.order import WorkOrder
from intake.readers import read_orders
from service import clock
from service.db.engine import make_engine
from service.decisions import DecisionRequest, decide
from service.feedback import write_feedback
from service.order_life import Step, undo
from service.orders import store_proposal
from service.settings import Settings
from service.snapshot import Snapshot
from service.triage import propose
from tests.service.pages.conftest import NOW, SMOKE, engine, filed
from tests.service.test_cases import Office, office, send

__all__ = ["engine", "filed", "office", "send"]
TEXTS = ("锦绣家园从早上八点开始停水，电话13800001111", "沿江路一整排路灯不亮")


@pytest.fixture
def decided(config: Settings, snapshot: Snapshot) -> tuple[Settings, list[str]]:
    """The first order's suggestion accepted, the second's overridden."""
    engine, now = make_engine(config.url), clock.now()
    chosen = []
    for number, text in enumerate(TEXTS):
        order = WorkOrder(text=text, order_id=f"F{number}")
        proposal = propose(order, as_of=now, snapshot=snapshot)
        store_proposal(engine, order, proposal, at=now)
        unit = proposal.units[number]["unit"]
        action = "override" if number else "accept"
        request = DecisionRequest(proposal.proposal_id, action, unit, "pd-1", "职责如此", f"key-feedback-{number}")
        decide(
            engine, request, directory=lambda: snapshot.directory, software="t", request_id="r", at=now
        )  # fmt: skip
        chosen.append(unit)
    return config, chosen


def test_accepted_and_overridden(decided: tuple[Settings, list[str]], tmp_path: Path, root: Path) -> None:
    config, chosen = decided
    out = tmp_path / "feedback.jsonl"
    summary = write_feedback(make_engine(config.url), out, time_zone="Asia/Shanghai")
    assert (summary.orders, summary.labelled, summary.accepted, summary.overridden) == (2, 2, 1, 1)
    first, second = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert first["label"] == first["proposed"] == chosen[0]
    assert second["label"] == chosen[1] != second["proposed"]
    assert "13800001111" not in out.read_text(encoding="utf-8")
    mapping = Mapping.from_file(root / "datasets" / "mappings" / "feedback.yaml")
    orders = [row.order for row in read_orders(out, mapping)]
    assert [order.unit for order in orders if order] == chosen


def test_returns_of_another_system(decided: tuple[Settings, list[str]], tmp_path: Path) -> None:
    config, chosen = decided
    later = clock.now().replace(year=clock.now().year + 1).strftime("%Y-%m-%d %H:%M")
    returns = tmp_path / "returns.csv"
    returns.write_text(
        f"工单编号,单位,退回时间,理由,结果\nF0,{chosen[0]},{later},不属本单位 13800001111,同意\nF1,{chosen[1]},{later},,驳回\n",
        encoding="utf-8",
    )
    out = tmp_path / "feedback.jsonl"
    summary = write_feedback(make_engine(config.url), out, returns=returns, time_zone="Asia/Shanghai")
    assert (summary.labelled, summary.open, summary.return_refused) == (1, 1, 1)
    first = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert (first["label"], first["not_units"]) == ("", [chosen[0]])
    assert "13800001111" not in str(first["return_reasons"])


def test_what_units_returned_here_and_what_was_taken_back(
    office: Office, send: Callable[..., str], filed: Callable[..., Any], tmp_path: Path
) -> None:
    def now() -> tuple[str, str, list[str]]:
        write_feedback(office.engine, tmp_path / "l.jsonl", time_zone="Asia/Shanghai")
        lines = (tmp_path / "l.jsonl").read_text(encoding="utf-8").splitlines()
        (row,) = [json.loads(line) for line in lines]
        return row["label"], row["basis"], row["not_units"]

    assert now() == (office.unit, "accepted", [])
    case = office.ask(at=NOW - timedelta(minutes=50))
    assert now() == ("", "open", []), "退单还没有结论"
    office.review(case, "refuse", at=NOW - timedelta(minutes=45))
    assert now() == (office.unit, "return_refused", [])
    office.review(office.ask(at=NOW - timedelta(minutes=40)), at=NOW - timedelta(minutes=35))
    assert now() == ("", "open", [office.unit]), "同意退回，还没有再派"
    proposal = filed(SMOKE, order_id="o-1", order_type="投诉", at=NOW - timedelta(hours=2))
    other = proposal.units[1]["unit"]
    decision = send(proposal, unit=other, at=NOW - timedelta(minutes=20))
    assert now() == (other, "overridden", [office.unit])
    step = Step("o-1", "paidan", "dispatcher", "派错了", uuid.uuid4().hex)
    undo(office.engine, step, decision_id=decision, software="test", request_id="r", at=NOW)
    assert now() == ("", "open", [office.unit]), "撤销的派单不是标签"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("工单编号,单位\n", "E6321"),
        ("工单编号,单位,退回时间,理由,结果\nF0,甲,昨天,,同意\n", "E6321"),
        ("工单编号,单位,退回时间,理由,结果\nF0,甲,2026-05-01,,也许\n", "E5202"),
    ],
)
def test_a_bad_file_of_returns_leaves_nothing(config: Settings, tmp_path: Path, content: str, code: str) -> None:
    returns, out = tmp_path / "returns.csv", tmp_path / "feedback.jsonl"
    returns.write_text(content, encoding="utf-8")
    with pytest.raises(ZhipaiError, match=code):
        write_feedback(make_engine(config.url), out, returns=returns, time_zone="Asia/Shanghai")
    assert sorted(path.name for path in tmp_path.iterdir() if "feedback" in path.name) == []
