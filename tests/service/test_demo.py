"""The demo, built small and for real: everything that a newcomer is shown has to be true of its database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import ColumnElement, func, select
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from intake.unit import UnitDirectory
from rules.load import find_folder
from rules.pack import PACKS
from service import clock
from service.api.app import create_app
from service.audit.keys import KeyStore
from service.audit.verify import verify_log
from service.cli.main import app as cli
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS
from service.db.tables_cases import REPLIES
from service.db.tables_queue import CASES, ORDER_EVENTS, ORDER_QUEUE
from service.demo import Built, DemoPlan, build, standing
from service.demo.material import gather
from service.demo.place import environment
from service.demo.rulebook import LATER
from service.order_queue import NO_DUE, utc
from service.replay import replay, subject_of_decision
from service.replay_parts import Finder
from service.settings import Settings, load_settings
from service.snapshot import load_snapshot

#: The month is built once for the file, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1800)

#: Page → something that it shows only when there is something to show.
PAGES = {
    "/": "派单工作台",
    "/workbench": "YT20",
    "/workbench/queue": "YT20",
    "/cases": "待审",
    "/unit": "YT20",
    "/kb": "知识库",
    "/kb/entries": "K1",
    "/kb/review": "知识维护员",
    "/kb/due": "K1",
    "/kb/check": "看了",
    "/kb/gaps": "诉求",
    "/kb/import": "导入",
    "/kb/new": "标题",
    "/try": "诉求",
    "/rules": "weifang",
    "/rules/try": "工单",
    "/rules/history": "与上一版的不同",
    "/rules/publish": "weifang",
    "/rules/backtests": "publication",
    "/rules/backtests/publication/backtest.html": "weifang",
    "/models": "数据岗",
    "/models/versions/1": "360",
    "/models/drift": "month.html",
    "/models/drift/month.html": "PSI",
    "/models/labels": "YT20",
    "/audit": "派单员",
    "/audit/charts": "改派",
    "/audit/prove": "检查点",
    "/audit/checkpoints": "条的检查点",
    "/overview": "等着派单",
    "/overview/hot": "云汀南站",
    "/overview/orders": "YT20",
}


@pytest.fixture(scope="module")
def built(installed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Built:
    plan = DemoPlan(clock.now(installed.time_zone), orders=40, train=600)
    return build(tmp_path_factory.mktemp("demo") / "home", installed, plan, progress=lambda *_: None)


@pytest.fixture(scope="module")
def pages(built: Built) -> Iterator[TestClient]:
    with TestClient(create_app(built.settings), raise_server_exceptions=False) as running:
        yield running


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_something_to_show(pages: TestClient, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 200, answer.text[:300]
    assert PAGES[path] in answer.text


def test_what_happened_is_what_stands_in_the_database(built: Built) -> None:
    engine = make_engine(built.settings.url)
    with reading(engine) as connection:

        def by_kind(column: ColumnElement[str]) -> dict[str, int]:
            return {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}

        events, kinds, cases = by_kind(ORDER_EVENTS.c.kind), by_kind(DECISIONS.c.kind), by_kind(CASES.c.kind)
    engine.dispose()
    counts = built.counts
    assert counts["filed"] == events["filed"] == 40
    assert kinds["dispatch"] == counts["accept"] + counts["override"] == events["dispatch"]
    assert kinds.get("refusal", 0) == counts.get("refusal", 0) == events.get("refusal", 0)
    assert kinds.get("merge", 0) == counts.get("merge", 0) == events.get("merge", 0)
    assert kinds["model_promotion"] == counts["model_promoted"] + counts["model_rolled_back"] == 4
    assert kinds["rule_publication"] == counts["rule_publication"] == 2
    assert kinds["knowledge_publication"] == sum(counts[f"kb_{name}"] for name in ("publish", "archive", "rollback"))
    assert {name: counts[f"case_{name}"] for name in cases} == cases
    assert set(cases) == {"return", "extension", "exclusion", "suspension"}


def test_the_overview_shows_the_numbers_of_the_database(built: Built, pages: TestClient) -> None:
    zone = ZoneInfo(built.settings.time_zone)
    shown = dict(re.findall(r"<span>(今天登记|等着派单|已过期)</span><b[^>]*>(\d+)</b>", pages.get("/overview").text))
    engine = make_engine(built.settings.url)
    with reading(engine) as connection:
        queue = ORDER_QUEUE.c
        rows = connection.execute(select(queue.order_id, queue.status, queue.unit, queue.due_at)).all()
        replied = {tuple(one) for one in connection.execute(select(REPLIES.c.order_id, REPLIES.c.unit)).all()}
        filed = select(ORDER_EVENTS.c.created_at).where(ORDER_EVENTS.c.kind == "filed")
        instants = [datetime.fromisoformat(one).astimezone(zone) for one in connection.execute(filed).scalars()]
    engine.dispose()
    now = clock.now(built.settings.time_zone)
    waiting = [one for one in rows if one.status in ("open", "returned")]
    away = [one for one in rows if one.status == "dispatched" and (one.order_id, one.unit) not in replied]
    overdue = [one for one in waiting + away if one.due_at < utc(now)]
    assert replied, "演示数据里没有单位的答复"
    assert shown == {
        "今天登记": str(sum(one.date() == now.date() for one in instants)),
        "等着派单": str(len(waiting)),
        "已过期": str(len(overdue)),
    }
    assert any(one.due_at < utc(now) for one in waiting)
    assert any(utc(now) < one.due_at < NO_DUE for one in waiting)


def test_two_versions_of_the_rules_can_be_compared(built: Built, pages: TestClient) -> None:
    history = pages.get("/rules/history").text
    assert history.count("规则员") == 2
    (address,) = re.findall(r'href="(/rules/diff[^"]+)"', history)
    diff = pages.get(address.replace("&amp;", "&")).text
    folder = find_folder(built.settings.pack, PACKS)
    assert folder is not None
    added = re.findall(r"^- id: (\S+)", (folder / LATER).read_text(encoding="utf-8"), re.M)
    assert added and re.findall(r"新增</span> 规则 <code>([^<]+)</code>", diff) == added
    assert "改动</span>" not in diff and "删去</span>" not in diff


def test_the_log_verifies_and_decisions_replay(built: Built) -> None:
    settings = built.settings
    engine = make_engine(settings.url)
    report = verify_log(engine, keys=KeyStore(settings.key_folder).public_keys(), folders=[settings.checkpoints])
    assert report.whole and report.size > 40, report.sentence()
    snapshot = load_snapshot(settings, engine)
    finder = Finder(settings, engine, snapshot.encoder, snapshot)
    with reading(engine) as connection:
        query = select(DECISIONS.c.decision_id).where(DECISIONS.c.kind == "dispatch").order_by(DECISIONS.c.sequence)
        ids = connection.execute(query).scalars().all()
    for decision_id in (ids[0], ids[len(ids) // 2], ids[-1]):
        found = replay(subject_of_decision(engine, decision_id), finder)
        assert found.outcome == "identical", found.differences
    snapshot.rules.close()
    engine.dispose()


def test_a_second_time_there_is_nothing_to_do(built: Built) -> None:
    again = standing(built.settings.home)
    assert again is not None
    assert again.repeated and again.counts == built.counts
    asked = CliRunner().invoke(cli, ["demo", "--home", str(built.settings.home), "--build", "--json"])
    assert json.loads(asked.stdout)["counts"] == built.counts


def test_a_real_data_folder_is_not_touched(config: Settings) -> None:
    plan = DemoPlan(clock.now(config.time_zone))
    before = sorted(path.name for path in config.home.iterdir())
    with pytest.raises(ZhipaiError) as error:
        build(config.home, config, plan, progress=lambda *_: None)
    assert error.value.code == "E7961"
    assert sorted(path.name for path in config.home.iterdir()) == before


def test_a_folder_with_anything_else_is_refused(installed: Settings, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("真的", encoding="utf-8")
    with pytest.raises(ZhipaiError) as error:
        build(tmp_path, installed, DemoPlan(clock.now(installed.time_zone)), progress=lambda *_: None)
    assert error.value.code == "E7961"
    assert (tmp_path / "notes.txt").is_file()


@pytest.mark.parametrize("name", ["database_url", "outbox_targets"])
def test_what_is_real_is_refused(installed: Settings, tmp_path: Path, name: str) -> None:
    base = load_settings(home=installed.home, mlruns=installed.mlruns, **{name: "sqlite:///elsewhere"})
    with pytest.raises(ZhipaiError) as error:
        build(tmp_path / "home", base, DemoPlan(clock.now(base.time_zone)), progress=lambda *_: None)
    assert error.value.code == "E7962"
    assert f"ZHIPAI_{name.upper()}" in str(error.value)


@pytest.mark.parametrize("until", ["2999-01-01", "昨天"])
def test_a_day_that_has_not_come_is_refused(installed: Settings, tmp_path: Path, until: str) -> None:
    asked = CliRunner().invoke(cli, ["demo", "--home", str(tmp_path / "home"), "--until", until, "--build"])
    assert isinstance(asked.exception, ZhipaiError)
    assert asked.exception.code == "E7963"
    assert not (tmp_path / "home").exists()


def test_no_order_of_the_month_was_trained_on_and_the_same_seed_gives_the_same(installed: Settings) -> None:
    plan = DemoPlan(clock.now(installed.time_zone))
    directory = UnitDirectory.from_file(installed.city / "units.yaml")
    found = gather(installed.city, plan, directory)
    texts = {one.order.text for one in found.filings}
    assert len(found.filings) == plan.orders and len(found.training) == plan.train
    assert not texts & {row["text"] for row in (*found.training, *found.spare)}
    assert found == gather(installed.city, plan, directory)
    assert found != gather(installed.city, replace(plan, seed=1), directory)
    assert all(plan.end - timedelta(days=plan.days) <= one.at < plan.end for one in found.filings)
    assert [one.at for one in found.filings] == sorted(one.at for one in found.filings)


def test_commands_find_the_demo_by_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert (found.home, found.mlruns, found.city) == (tmp_path, tmp_path / "mlruns", tmp_path / "city")
