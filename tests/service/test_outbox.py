"""Events arrive at least once, in order for each order, also when the receiver fails or the deliverer is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from service.api.app import create_app
from service.cli.main import app
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.db.tables_outbox import DELIVERIES
from service.outbox.by_hand import ByHand, act, listed
from service.outbox.deliver import Round, deliver_round
from service.outbox.store import LEASE, fan_out, give_lease, standing, take_lease
from service.outbox.worker import OutboxWorker, _Breaker
from service.settings import Settings
from tests.service.logged import START, dispatch, later, other
from tests.service.receiver import Receiver, receiving, status


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade(made)
    return made


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = later(10)

    def __call__(self):
        return self.at

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def round_of(engine: Engine, receiver: Receiver, clock: Clock, **changes: object) -> Round:
    target = receiver.target(**changes)
    while fan_out(engine, target, at=clock()):
        pass
    return deliver_round(engine, target, now=clock, chance=Random(1))


def states(engine: Engine) -> list[tuple[int, str, int]]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(DELIVERIES.c.sequence, DELIVERIES.c.state, DELIVERIES.c.attempts).order_by(DELIVERIES.c.sequence)
        )
        return [tuple(row) for row in rows]


def test_event_arrives_whole_signed_and_once(engine: Engine) -> None:
    record = dispatch(engine, order_id="o-1", reason="理由不外传")
    other(engine, "rule_publication")
    with receiving() as receiver:
        clock = Clock()
        assert round_of(engine, receiver, clock).delivered == 1
        assert round_of(engine, receiver, clock) == Round()
    (event,) = receiver.events
    assert event["specversion"] == "1.0" and event["type"] == "zhipai.decision.recorded"
    assert (event["id"], event["subject"], event["sequence"]) == (record["decision_id"], "o-1", "000000000001")
    assert set(event["data"]) == {"decision_id", "order_id", "action", "unit"}
    assert "理由" not in receiver.bodies[0].decode()
    headers = receiver.headers[0]
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["webhook-id"] == event["id"]
    assert headers["webhook-timestamp"] == str(int(clock().timestamp()))
    assert states(engine) == [(1, "delivered", 1)]


def test_what_failed_is_sent_again_with_the_same_bytes(engine: Engine) -> None:
    dispatch(engine)
    clock = Clock()
    with receiving(status(500)) as receiver:
        assert round_of(engine, receiver, clock) == Round(failed=1, whole=True)
        assert round_of(engine, receiver, clock) == Round(), "还没有到重试的时候"
        clock.turn(60)
        receiver.answer = status(200)
        assert round_of(engine, receiver, clock).delivered == 1
    assert receiver.bodies[0] == receiver.bodies[1]
    assert receiver.headers[0]["webhook-signature"] != receiver.headers[1]["webhook-signature"]
    assert states(engine) == [(1, "delivered", 2)]


def test_events_of_one_order_keep_their_order_and_others_go_on(engine: Engine) -> None:
    for order_id in ("o-1", "o-1", "o-2"):
        dispatch(engine, order_id=order_id)
    clock = Clock()

    def refuse_the_first(handler, event) -> None:
        status(422 if event["sequence"].endswith("1") else 200)(handler, event)

    with receiving(refuse_the_first) as receiver:
        round_of(engine, receiver, clock)
        round_of(engine, receiver, clock)
        assert states(engine) == [(1, "waiting", 1), (2, "waiting", 0), (3, "delivered", 1)]
        receiver.answer = status(200)
        for _ in range(2):
            clock.turn(3600)
            round_of(engine, receiver, clock)
    arrived = [int(event["sequence"]) for event in receiver.events]
    assert arrived == [1, 3, 1, 2]


def test_dead_letter_is_shown_and_holds_its_order_until_a_person_acts(engine: Engine) -> None:
    first, second = (dispatch(engine, order_id="o-1") for _ in range(2))
    clock = Clock()
    with receiving(status(400)) as receiver:
        for _ in range(4):
            round_of(engine, receiver, clock, attempts=2)
            clock.turn(7200)
        assert states(engine) == [(1, "dead", 2), (2, "waiting", 0)]
        (dead,) = listed(engine, states=["dead"])
        assert (dead["decision_id"], dead["problem"]) == (first["decision_id"], "HTTP 400")
        assert standing(engine, receiver.target()).dead == 1
        wanted = ByHand("drop", "platform", "王管理", "对方不要，电话13912345678", [first["decision_id"]])
        record = act(engine, wanted, software="t", at=clock())
        assert (record["kind"], record["action"], record["actor"]) == ("outbox", "drop", "王管理")
        assert "13912345678" not in record["reason"]
        assert [event["decision_id"] for event in record["events"]] == [first["decision_id"]]
        receiver.answer = status(204)
        round_of(engine, receiver, clock)
    assert receiver.ids[-1] == second["decision_id"]
    assert states(engine) == [(1, "dropped", 2), (2, "delivered", 1)]


def test_dead_letters_tried_again_by_hand(engine: Engine) -> None:
    for _ in range(3):
        dispatch(engine)
    clock = Clock()
    with receiving(status(422)) as receiver:
        round_of(engine, receiver, clock, attempts=1)
        assert [state for _, state, _ in states(engine)] == ["dead"] * 3
        record = act(engine, ByHand("retry", "platform", "王管理", "对方已修复"), software="t", at=clock())
        assert len(record["events"]) == 3 and states(engine)[0] == (1, "waiting", 0)
        receiver.answer = status(200)
        assert round_of(engine, receiver, clock).delivered == 3


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (ByHand("drop", "platform", "甲", "x", ["d-none"]), "E7914"),
        (ByHand("drop", "platform", "甲", "不要了", ["d-none"]), "E7912"),
        (ByHand("retry", "platform", "甲", "再试试"), "E7915"),
    ],
)
def test_refused_by_hand(engine: Engine, wanted: ByHand, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        act(engine, wanted, software="t", at=START)
    assert caught.value.code == code


def test_delivered_event_is_not_dropped(engine: Engine) -> None:
    record = dispatch(engine)
    with receiving() as receiver:
        round_of(engine, receiver, Clock())
    with pytest.raises(ZhipaiError) as caught:
        act(engine, ByHand("drop", "platform", "甲", "不要了", [record["decision_id"]]), software="t", at=START)
    assert caught.value.code == "E7913" and "已送达" in str(caught.value)


def test_each_target_begins_at_its_time_and_goes_its_own_way(engine: Engine) -> None:
    old, new = dispatch(engine, at=later(0)), dispatch(engine, at=later(5))
    clock = Clock()
    with receiving() as all_of_it, receiving() as from_now_on:
        round_of(engine, all_of_it, clock)
        round_of(engine, from_now_on, clock, name="second", start=later(5))
    assert all_of_it.ids == [old["decision_id"], new["decision_id"]]
    assert from_now_on.ids == [new["decision_id"]]


def test_clock_that_steps_back_holds_nothing_up(engine: Engine) -> None:
    dispatch(engine, at=later(24 * 30))
    with receiving() as receiver:
        assert round_of(engine, receiver, Clock()).delivered == 1


def test_standing_counts_what_nobody_has_taken_up(engine: Engine) -> None:
    dispatch(engine, at=later(1))
    dispatch(engine, at=later(2))
    with receiving(status(500)) as receiver:
        before = standing(engine, receiver.target())
        round_of(engine, receiver, Clock())
        assert standing(engine, receiver.target()) == before
    assert (before.waiting, before.dead, before.since) == (2, 0, int(later(1).timestamp()) * 1_000_000)


KILLED = """
import sys
from datetime import UTC, datetime
from random import Random
from service.db.engine import make_engine
from service.outbox.deliver import deliver_round
from service.outbox.store import fan_out
from service.outbox.targets import OutboxTarget

url, database, start = sys.argv[1:]
engine, at = make_engine(database), datetime.fromisoformat(start)
target = OutboxTarget("platform", url, at, (b"k" * 32,), allow=("127.0.0.0/8",), timeout=20)
fan_out(engine, target, at=at)
deliver_round(engine, target, now=lambda: at, chance=Random(1))
"""


def test_killed_between_sending_and_marking_it_is_sent_again_under_the_same_id(engine: Engine) -> None:
    record = dispatch(engine)
    child: list[subprocess.Popen] = []

    def kill_the_sender(handler, event) -> None:
        child[0].send_signal(signal.SIGKILL)
        child[0].wait()

    with receiving(kill_the_sender) as receiver:
        arguments = [receiver.url, str(engine.url), START.isoformat()]
        child.append(subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), *arguments], cwd=Path.cwd()))
        # The handler waits too; whoever is first, the sender is dead.
        while child[0].poll() is None:
            time.sleep(0.02)
        assert child[0].returncode == -signal.SIGKILL
        assert states(engine) == [(1, "waiting", 0)]
        receiver.answer = status(200)
        assert round_of(engine, receiver, Clock()).delivered == 1
    assert receiver.ids == [record["decision_id"]] * 2 and receiver.bodies[0] == receiver.bodies[1]


def test_lease_has_one_holder_until_it_runs_out(engine: Engine) -> None:
    at = START
    assert take_lease(engine, "a", at=at) and take_lease(engine, "a", at=at)
    assert not take_lease(engine, "b", at=at + timedelta(seconds=LEASE - 1))
    assert take_lease(engine, "b", at=at + timedelta(seconds=LEASE)), "持有者死了，别的进程接手"
    assert not take_lease(engine, "a", at=at + timedelta(seconds=LEASE))
    give_lease(engine, "a")
    assert not take_lease(engine, "a", at=at + timedelta(seconds=LEASE)), "别人的租约放不掉"
    give_lease(engine, "b")
    assert take_lease(engine, "a", at=at + timedelta(seconds=LEASE))
    assert take_lease(engine, "b", at=at - timedelta(days=1)), "时钟倒退之后，旧的租约不作数"


def test_lease_is_renewed_in_time(engine: Engine) -> None:
    for seconds in range(0, 300, 20):
        assert take_lease(engine, "a", at=START + timedelta(seconds=seconds))
        assert not take_lease(engine, "b", at=START + timedelta(seconds=seconds + 19))


def test_receiver_in_trouble_is_left_alone_ever_longer() -> None:
    breaker = _Breaker(Random(1))
    at, pauses = 0.0, []
    for _ in range(12):
        breaker.after(Round(failed=1, whole=True), at)
        begun = at
        while not breaker.may(at):
            at += 0.25
        pauses.append(at - begun)
        assert breaker.may(at) == 1
    assert pauses[0] <= 1.25 and pauses[-1] >= 30 and max(pauses) <= 60.25
    breaker.after(Round(delivered=1), at)
    assert breaker.may(at) > 1


def until(true: Callable[[], bool]) -> None:
    """Wait; pytest's own limit ends a wait in vain."""
    while not true():
        time.sleep(0.05)


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setenv("HOOK", "whsec_" + "a2tr" * 8)

    def write(receiver: Receiver, **more: object) -> Path:
        path = tmp_path / "targets.yaml"
        row = {"name": "platform", "url": receiver.url, "from": START.isoformat(), "secrets": ["env:HOOK"], **more}
        path.write_text(json.dumps({"allow": ["127.0.0.0/8"], "targets": [row]}), encoding="utf-8")
        return path

    return write


def test_two_deliverers_at_once_send_each_event_once(
    engine: Engine, installed: Settings, targets: Callable[..., Path]
) -> None:
    for number in range(60):
        dispatch(engine, order_id=f"o-{number % 20}")
    with receiving() as receiver:
        config = installed.model_copy(update={"outbox_targets": targets(receiver)})
        workers = [OutboxWorker(config, make_engine(str(engine.url))) for _ in range(2)]
        for worker in workers:
            worker.start()
        until(lambda: len(receiver.events) >= 60)
        until(lambda: standing(engine, receiver.target()).waiting == 0)
        for worker in workers:
            worker.close()
    assert set(Counter(receiver.ids).values()) == {1}
    of_order: dict[str, list[str]] = {}
    for event in receiver.events:
        of_order.setdefault(event["subject"], []).append(event["sequence"])
    assert all(found == sorted(found) for found in of_order.values())


def test_changed_file_of_targets_is_taken_over_and_a_spoilt_one_is_not(
    engine: Engine, installed: Settings, targets: Callable[..., Path]
) -> None:
    with receiving() as first, receiving() as second:
        path = targets(first)
        worker = OutboxWorker(installed.model_copy(update={"outbox_targets": path}), engine)
        worker.start()
        path.write_text("targets: 7", encoding="utf-8")
        os.utime(path, (1, 1))
        until(lambda: worker.misread == "E7910")
        assert "E7910" in worker.says()
        dispatch(engine)
        until(lambda: len(first.events) == 1)
        targets(second)
        os.utime(path, (2, 2))
        until(lambda: worker.misread == "")
        dispatch(engine)
        until(lambda: len(second.events) == 1)
        worker.close()


def test_service_delivers_and_shows_how_far_it_is(config: Settings, targets: Callable[..., Path]) -> None:
    refuse = threading.Event()

    def answer(handler, event) -> None:
        status(422 if refuse.is_set() else 200)(handler, event)

    with receiving(answer) as receiver:
        own = config.model_copy(
            update={"outbox_targets": targets(receiver, attempts=1, **{"from": "2026-01-01T00:00:00Z"})}
        )
        with TestClient(create_app(own)) as client:

            def decide() -> str:
                proposal = client.post("/v1/triage", json={"text": "翠湖路上的井盖丢了，电话13912345678。"}).json()
                body = {"proposal_id": proposal["proposal_id"], "action": "override", "actor": "pd-1",
                        "unit": proposal["units"][1]["unit"], "reason": "职责在他们"}  # fmt: skip
                key = {"Idempotency-Key": f"outbox-{uuid.uuid4().hex}"}
                return client.post("/v1/decisions", json=body, headers=key).json()["decision_id"]

            sent = decide()
            until(lambda: sent in receiver.ids)
            body = receiver.bodies[receiver.ids.index(sent)].decode()
            assert "13912345678" not in body and "井盖" not in body
            # Reminders of entries that end soon may be on their way as well.
            until(lambda: client.get("/readyz").json()["checks"]["outbox"] == "ok（1 个目标，0 条等待）")
            refuse.set()
            decide()
            until(lambda: "条死信" in client.get("/readyz").json()["checks"]["outbox"])
            assert client.get("/readyz").status_code == 200, "对外通知的问题不影响服务"
            shown = client.get("/metrics").text
            assert re.search(r'zhipai_outbox_dead\{target="platform"\} [1-9]', shown)
            assert 'zhipai_outbox_lag_seconds{target="platform"} 0.0' in shown
            assert 'zhipai_outbox_attempts_total{outcome="delivered",target="platform"}' in shown


def test_bad_file_of_targets_stops_the_start(config: Settings, tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with (
        pytest.raises(ZhipaiError, match=r"none\.yaml"),
        TestClient(create_app(config.model_copy(update={"outbox_targets": path}))),
    ):
        pass


def test_commands(engine: Engine, installed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    own = installed.model_copy(update={"database_url": str(engine.url)})
    monkeypatch.setattr("service.cli.outbox.settings", lambda: own)
    run = CliRunner()
    assert "没有死信" in run.invoke(app, ["outbox", "list", "--dead"]).stdout
    record = dispatch(engine)
    with receiving(status(422)) as receiver:
        round_of(engine, receiver, Clock(), attempts=1)
    shown = run.invoke(app, ["outbox", "list", "--dead"], env={"COLUMNS": "200"}).stdout
    assert record["decision_id"] in shown and "死信" in shown and "HTTP 422" in shown
    done = run.invoke(app, ["outbox", "retry", "--dead", "--target", "platform", "--reason", "已修复", "--json"])
    assert json.loads(done.stdout)["events"][0]["decision_id"] == record["decision_id"]
    dropped = run.invoke(
        app, ["outbox", "drop", record["decision_id"], "--target", "platform", "--reason", "不要了", "--who", "王"]
    )
    assert "放弃 1 条" in dropped.stdout
    rows = json.loads(run.invoke(app, ["outbox", "list", "--all", "--json"]).stdout)["events"]
    assert [row["state"] for row in rows] == ["dropped"]
    assert run.invoke(app, ["outbox", "drop", "--target", "platform", "--reason", "不要了"]).exit_code != 0
