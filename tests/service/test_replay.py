"""Replay: after everything else has moved on, the first decision still gives the same bytes; what cannot is told."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from fastapi.testclient import TestClient
from sqlalchemy import Engine

NAME = "zhipai_tests_ranking"
if NAME not in sys.modules:
    spec = spec_from_file_location(NAME, Path(__file__).parents[1] / "plugins" / "ranking.py")
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
from zhipai_tests_ranking import city_history  # noqa: E402

from intake.errors import ZhipaiError  # noqa: E402
from intake.order import WorkOrder  # noqa: E402
from models.ranker import UnitRanker  # noqa: E402
from rules import load_pack  # noqa: E402
from service import clock, kb_life  # noqa: E402
from service.api.app import create_app  # noqa: E402
from service.cli import main  # noqa: E402
from service.db.engine import make_engine  # noqa: E402
from service.decisions import DecisionRequest, decide  # noqa: E402
from service.orders import store_proposal  # noqa: E402
from service.privacy.erase import Eraser, Selection, erase  # noqa: E402
from service.publication import Order, check_folder, publish  # noqa: E402
from service.replay import replay, subject_of_decision, subject_of_proposal, what_if  # noqa: E402
from service.replay_diff import changed_context, changes, differences  # noqa: E402
from service.replay_parts import Finder, knowledge_id  # noqa: E402
from service.settings import Settings  # noqa: E402
from service.snapshot import Snapshot, load_snapshot  # noqa: E402
from service.triage import propose  # noqa: E402
from service.work_calendar import import_year  # noqa: E402
from tests.service.conftest import fresh_home  # noqa: E402
from training.champion import versions_of  # noqa: E402
from training.registry import Registry  # noqa: E402

TEXT = "我叫欧阳慕容，电话13987654321，住在望津街道3栋2单元1502，楼下烧烤店油烟天天熏得睡不着，昨天晚上又到两点。"
STEPS = ("张三", "李四")


@dataclass
class World:
    """An installation of one's own, with one decision taken before everything changed."""

    config: Settings
    engine: Engine
    first: Snapshot
    now: Snapshot
    record: dict[str, Any]
    shown: dict[str, Any]

    def finder(self, **changes: Any) -> Finder:
        return replace(Finder(self.config, self.engine, self.first.encoder), **changes)

    def replayed(self, **changes: Any) -> Any:
        return replay(subject_of_decision(self.engine, self.record["decision_id"]), self.finder(**changes))


@pytest.fixture(scope="module")
def store(installed: Settings, snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the installed champion in force and a small model beside it."""
    registry = Registry(tmp_path_factory.mktemp("replay") / "mlruns")
    champion = versions_of(installed.mlruns, snapshot.ranker.model_id)[0]
    city = city_history()
    small = UnitRanker.fit(
        city.texts,
        city.units,
        city.groups,
        encoder=snapshot.encoder,
        directory=city.directory,
        districts=city.districts,
    )
    folder = registry.store.parent / "small" / "ranker"
    small.save(folder)
    for artifact in (champion.path, folder):
        registry.register(artifact, params={}, metrics={}, tags={})
    registry.promote("1")
    return registry.store


def file_order(engine: Engine, snapshot: Snapshot, order_id: str, *, at: datetime, verdicts: bool = False) -> Any:
    order = WorkOrder(text=TEXT, order_id=order_id, channel="电话")
    proposal = propose(order, as_of=at, snapshot=snapshot, all_verdicts=verdicts)
    store_proposal(engine, order, proposal, at=at, snapshot=snapshot)
    request = DecisionRequest(proposal.proposal_id, "accept", proposal.units[0]["unit"], "pd-1", "", uuid.uuid4().hex)
    recorded = decide(engine, request, directory=lambda: snapshot.directory, software="test", request_id="r", at=at)
    return recorded.record, proposal.as_dict()


@pytest.fixture(scope="module")
def moved(installed: Settings, store: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Decide; then promote a model, publish rules, publish an entry, change one, import a year, change the gazetteer."""
    folder = tmp_path_factory.mktemp("moved")
    config = fresh_home(installed, folder / "home", city=folder / "city")
    shutil.copytree(installed.city, config.city)
    config = config.model_copy(update={"mlruns": store})
    engine = make_engine(config.url, busy_seconds=2)
    first = load_snapshot(config, engine)
    record, shown = file_order(engine, first, "o-1", at=clock.now() - timedelta(seconds=30))
    move_on(config, engine, root, folder)
    now = load_snapshot(config, engine)
    engine.dispose()
    return World(config, engine, first, now, record, shown)


@pytest.fixture
def world(moved: World, tmp_path: Path) -> Iterator[World]:
    """A copy of that which one test may spoil."""
    shutil.copytree(moved.config.home.parent, tmp_path / "moved", symlinks=True)
    shutil.copytree(moved.config.mlruns, tmp_path / "mlruns")
    places = {"home": tmp_path / "moved/home", "city": tmp_path / "moved/city", "mlruns": tmp_path / "mlruns"}
    config = moved.config.model_copy(update=places)
    engine = make_engine(config.url, busy_seconds=2)
    yield replace(moved, config=config, engine=engine)
    engine.dispose()


def move_on(config: Settings, engine: Engine, root: Path, tmp_path: Path) -> None:
    at = clock.now()
    Registry(config.mlruns).promote("2")
    folder = tmp_path / "weifang"
    shutil.copytree(root / "rules/packs/weifang", folder)
    manifest = folder / "pack.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n# 改了一个字\n", encoding="utf-8")
    limits = folder / "acceptance.yaml"
    changed = limits.read_text(encoding="utf-8").replace("title: ", "title: 试改", 1)
    limits.write_text(changed, encoding="utf-8")
    publish(engine, check_folder(str(folder)), Order("王五", "试改标题"), software="test", at=at)
    for content in (
        {"id": "K-new", "title": "烧烤油烟扰民找谁", "answer": "向区城市管理局反映。", "unit": "云汀市城市管理局"},
        {
            "id": "K4017",
            "title": "老旧小区充电设施流程（新）",
            "answer": "先向社区登记。",
            "unit": "云汀市消防救援支队",
        },
    ):
        seen = entry_revision(engine, content["id"])
        kb_life.save_draft(engine, content, kb_life.Step(STEPS[0], revision=seen), at=at)
        kb_life.take_step(engine, content["id"], "submit", kb_life.Step(STEPS[0]), at=at)
        kb_life.publish(engine, content["id"], kb_life.Step(STEPS[1], "核对无误"), at=at)
    import_year(config, load_pack("weifang"), root / "tests" / "notice-2027.csv")
    places = config.city / "gazetteer.yaml"
    places.write_text(places.read_text(encoding="utf-8").replace("望津街道", "望京街道"), encoding="utf-8")


def entry_revision(engine: Engine, entry_id: str) -> int | None:
    from service.db.engine import reading
    from service.kb_history import read_life

    with reading(engine) as connection:
        return read_life(connection, entry_id).revision or None


def test_the_first_decision_gives_the_same_bytes_after_everything_changed(world: World) -> None:
    for name in ("rules", "model", "knowledge", "directory", "calendar"):
        assert getattr(world.first.ids, name) != getattr(world.now.ids, name), f"{name} 没有换，测试没有意义"
    for current in (None, world.now):
        done = world.replayed(current=current)
        assert (done.outcome, done.missing, done.differences, done.skipped) == ("identical", (), (), ())
    assert rfc8785.dumps(done.subject.proposal) == rfc8785.dumps(world.shown)


def test_verdicts_that_were_all_asked_for_are_all_replayed(world: World) -> None:
    record, shown = file_order(world.engine, world.now, "o-2", at=clock.now(), verdicts=True)
    assert any(verdict["state"] == "pass" for verdict in shown["verdicts"])
    done = replay(subject_of_proposal(world.engine, record["proposal_id"]), world.finder())
    assert done.outcome == "identical"


def test_what_it_would_be_today_is_a_diff_of_units_verdicts_and_deadlines(world: World) -> None:
    subject = subject_of_decision(world.engine, world.record["decision_id"])
    found = what_if(subject, world.now, as_of=clock.now())
    assert found["changed_snapshot"] == ["calendar", "directory", "knowledge", "model", "rules"]
    first = world.shown["units"][0]["unit"]
    gone = next(one for one in found["changes"]["units"] if one["unit"] == first)
    assert gone["then"]["rank"] == 1 and gone["now"] is None, "第二个模型的名录里没有这个单位"
    same = what_if(subject, world.first, as_of=datetime.fromisoformat(world.shown["as_of"]))
    assert same["changes"] == {"units": [], "verdicts": [], "deadlines": []} and same["changed_snapshot"] == []


def test_a_model_that_is_gone_is_named_and_the_rest_is_still_compared(world: World) -> None:
    path = versions_of(world.config.mlruns, world.first.ranker.model_id)[0].path
    shutil.rmtree(path)
    done = world.replayed(current=world.now)
    assert [(one.part, one.id) for one in done.missing] == [("model", world.first.ids.model)]
    assert done.outcome == "partial" and not done.differences
    assert set(done.skipped) >= {"/units", "/entries", "/abstained"}
    assert not {"/verdicts", "/deadlines", "/elements"} & set(done.skipped)


@pytest.mark.parametrize("part", ["calendar", "rules", "gazetteer"])
def test_a_part_that_was_not_kept_is_named(world: World, part: str) -> None:
    with closing(sqlite3.connect(world.config.sqlite_path)) as raw:
        raw.execute("DROP TRIGGER snapshot_parts_no_delete")
        raw.execute("DELETE FROM snapshot_parts WHERE kind = ?", (part,))
        raw.commit()
    if part == "rules":
        world = replace(world, config=world.config.model_copy(update={"pack": "beijing"}))
    done = world.replayed()
    assert part in [one.part for one in done.missing]
    assert done.outcome == "partial" and all(one.why for one in done.missing)


def test_after_the_original_was_erased_the_masked_text_gives_the_same(world: World) -> None:
    forget(world, with_text=False)
    done = world.replayed()
    assert (done.outcome, done.differences, done.skipped) == ("partial", (), ("/order/masked_paths",))
    assert "原文" in done.notes[0]


def test_after_all_text_was_erased_the_verdicts_still_give_the_same(world: World) -> None:
    forget(world, with_text=True)
    done = world.replayed()
    assert (done.outcome, done.differences) == ("partial", ())
    assert "/verdicts" not in done.skipped and {"/units", "/elements", "/deadlines"} <= set(done.skipped)
    assert "文字" in done.notes[0]
    with pytest.raises(ZhipaiError) as caught:
        what_if(done.subject, world.now, as_of=clock.now())
    assert caught.value.code == "E6553"


def forget(world: World, *, with_text: bool) -> None:
    selection = Selection(("o-1",), with_text=with_text)
    erase(world.engine, selection, Eraser("bz-1", "本人要求"), software="test", at=clock.now())


def test_personal_data_that_was_altered_is_told(world: World) -> None:
    with closing(sqlite3.connect(world.config.sqlite_path)) as raw:
        raw.execute("DROP TRIGGER personal_data_no_update")
        raw.execute("UPDATE personal_data SET fields = replace(fields, '油烟', '噪声')")
        raw.commit()
    done = world.replayed()
    assert done.outcome == "different"
    assert len(done.subject.broken) == 2 and all("承诺值不符" in one for one in done.subject.broken)


def test_a_different_result_is_listed_with_its_place_and_reason(world: World) -> None:
    """A proposal of which one number is another, under other libraries: what a library that rounds otherwise looks like."""
    subject = subject_of_decision(world.engine, world.record["decision_id"])
    units = [dict(unit) for unit in subject.proposal["units"]]
    units[0]["probability"] = round(units[0]["probability"] + 0.0001, 4)
    context = {**subject.context, "libraries": {**subject.context["libraries"], "numpy": "1.0"}}
    other = replace(subject, proposal=subject.proposal | {"units": units}, context=context)
    done = replay(other, world.finder())
    assert done.outcome == "within_tolerance"
    assert [(one.path, one.within) for one in done.differences] == [("/units/0/probability", True)]
    assert "numpy：1.0 → " in done.differences[0].why
    assert replay(other, world.finder(), tolerance=1e-6).outcome == "different"


def test_replay_over_http_and_on_the_command_line(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = world.record["decision_id"]
    with TestClient(create_app(world.config), raise_server_exceptions=False) as client:
        found = client.get(f"/v1/audit/decisions/{decision}/replay")
        assert (found.status_code, found.json()["outcome"]) == (200, "identical"), found.text
        today = client.get(f"/v1/audit/decisions/{decision}/replay", params={"today": True}).json()
        assert "model" in today["changed_snapshot"]
        unknown = client.get("/v1/audit/decisions/d-none/replay")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "E6404")
    monkeypatch.setattr("service.cli.audit_replay.settings", lambda: world.config)
    for arguments, code, word in (
        ([decision], 0, "逐字节相同"),
        (["--proposal", world.record["proposal_id"]], 0, "逐字节相同"),
        ([decision, "--today"], 0, "换了的快照：calendar、directory、knowledge、model、rules"),
        ([], 2, "E6559"),
        (["d-none"], 2, "E6404"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["audit", "replay", *arguments])
        told = capsys.readouterr()
        assert word in told.out + told.err
        assert left.value.code == code
    with pytest.raises(SystemExit):
        main(["audit", "replay", decision, "--json"])
    assert json.loads(capsys.readouterr().out)["outcome"] == "identical"


def test_a_decision_without_a_proposal_cannot_be_replayed(world: World) -> None:
    with closing(sqlite3.connect(world.config.sqlite_path)) as raw:
        publication = raw.execute("SELECT decision_id FROM decisions WHERE kind = 'rule_publication'").fetchone()[0]
    with pytest.raises(ZhipaiError) as caught:
        subject_of_decision(world.engine, publication)
    assert caught.value.code == "E6552"


def test_knowledge_id_without_building_the_index(snapshot: Snapshot) -> None:
    hashes = [entry.content_hash for entry in snapshot.knowledge.entries]
    assert knowledge_id(hashes, snapshot.encoder.id) == snapshot.knowledge.id


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"units": [{"probability": 0.5}]}, {"units": [{"probability": 0.5001}]}, [("/units/0/probability", True)]),
        ({"units": [{"probability": 0.5}]}, {"units": [{"probability": 0.5002}]}, [("/units/0/probability", False)]),
        ({"n": 1}, {"n": 1.0001}, [("/n", False)]),
        ({"a": [1, 2]}, {"a": [1]}, [("/a/1", False)]),
        ({"score": True}, {"score": 1}, [("/score", False)]),
        ({"a": None}, {"a": ""}, [("/a", False)]),
    ],
)
def test_differences(then: dict, now: dict, expected: list) -> None:
    assert [(one.path, one.within) for one in differences(then, now)] == expected


def test_changed_context_names_what_changed() -> None:
    then = {"software": "zhipai 0.1", "libraries": {"numpy": "1", "jieba": "2"}}
    assert changed_context(then, {"software": "zhipai 0.2", "libraries": {"numpy": "1", "jieba": "3"}}) == [
        "软件：zhipai 0.1 → zhipai 0.2",
        "库 jieba：2 → 3",
    ]
    assert changed_context(None, {"software": "x"}) == [], "当时没有记下环境，就不能说它变了"


def test_changes_are_by_unit_rule_and_deadline() -> None:
    def one(unit: str, state: str, due: str) -> dict:
        return {
            "units": [{"unit": unit, "probability": 0.5}, {"unit": "丙局", "probability": 0.2}],
            "verdicts": [{"gate": "dispatch", "rule_id": "R1", "state": state, "title": "一"}],
            "deadlines": [
                {"stage": "resolve", "track": "", "title": "办结时限", "limit": "5", "due_at": due, "state": "computed"}
            ],
        }

    found = changes(one("甲局", "hit", "a"), one("乙局", "pass", "b"))
    assert [row["unit"] for row in found["units"]] == ["乙局", "甲局"]
    assert (found["verdicts"][0]["then"]["state"], found["verdicts"][0]["now"]["state"]) == ("hit", "pass")
    assert (found["deadlines"][0]["then"]["due_at"], found["deadlines"][0]["now"]["due_at"]) == ("a", "b")
    assert changes(one("甲局", "hit", "a"), one("甲局", "hit", "a")) == {"units": [], "verdicts": [], "deadlines": []}
