"""The life of a rule version: checked, published in one transaction, in force from its instant on, superseded, brought back."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import rfc8785
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from rules import load_pack
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.packs import pack_name
from service.publication import Order, attach_backtest, check_folder, check_published, publish
from service.rule_versions import (
    find_version,
    history,
    load_bundle,
    pack_in_force,
    published,
    version_at,
)
from service.settings import Settings, load_settings

NOW = datetime(2026, 5, 6, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def folder(small_pack: Path) -> Path:
    return small_pack


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    return load_settings(home=tmp_path, pack=str(folder))


@pytest.fixture
def engine(settings: Settings) -> Engine:
    engine = make_engine(settings.url)
    upgrade(engine)
    return engine


def put(engine: Engine, folder: Path, start: datetime | None = None, *, at: datetime = NOW, **changes: object) -> dict:
    order = Order("张三", "首次发布，热线 13912345678", start)
    return publish(engine, check_folder(str(folder)), order, software="test", at=at, **changes)


def change(folder: Path, before: str = "severity: warn", after: str = "severity: block") -> None:
    path = folder / "return.yaml"
    content = path.read_text(encoding="utf-8")
    assert before in content
    path.write_text(content.replace(before, after), encoding="utf-8")


def counts(engine: Engine) -> tuple[int, ...]:
    with engine.connect() as connection:
        return tuple(
            connection.execute(text(f"select count(*) from {table}")).scalar_one()
            for table in ("decisions", "rule_publications", "rule_bundles")
        )


def test_a_publication_is_logged_with_who_why_and_what_was_checked(engine: Engine, folder: Path) -> None:
    record = put(engine, folder)
    assert record["kind"] == "rule_publication" and record["actor"] == "张三"
    assert "13912345678" not in record["reason"], "理由里的个人信息也要脱敏"
    assert record["content_hash"] == load_pack(folder).content_hash
    assert record["lint"] == {"errors": 0, "warnings": {}}
    assert record["tests"] == {"passed": 2, "failed": 0, "untested_rules": 0}
    with engine.connect() as connection:
        content = connection.execute(text("select record from decisions")).scalar_one()
    assert content == rfc8785.dumps(record), "日志里的就是返回的"
    assert counts(engine) == (1, 1, 1)


def test_nothing_is_written_if_the_publication_cannot_be(engine: Engine, folder: Path, monkeypatch) -> None:
    def full_disk(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.publication.append_record", full_disk)
    with pytest.raises(OSError):
        put(engine, folder)
    assert counts(engine) == (0, 0, 0)


def test_a_dry_run_writes_nothing(engine: Engine, folder: Path) -> None:
    record = put(engine, folder, dry_run=True)
    assert (record["decision_id"], record["version"]) == ("", load_pack(folder).id)
    assert counts(engine) == (0, 0, 0)


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("return.yaml", "verdict: forbid", "verdict: forbit", "town/return.yaml:5:12 [E3005]"),
        ("tests/return.yaml", "TN-RET-001: hit", "TN-RET-001: pass", "town/tests/return.yaml:1:3 [E3105]"),
        ("tests/return.yaml", "TN-RET-001", "TN-RET-002", "town/return.yaml:1:3 规则“TN-RET-001”没有测试"),
        ("return.yaml", "{fact: designated_by_ruling, is: true}",
         "{all: [{fact: designated_by_ruling, is: true}, {fact: designated_by_ruling, missing: true}]}", "[E3101]"),
    ],
)  # fmt: skip
def test_what_is_not_green_is_refused_with_its_lines(engine: Engine, folder: Path, file: str, before: str, after: str, said: str) -> None:  # fmt: skip
    path = folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    candidate = check_folder(str(folder))
    assert any(said in line for line in candidate.obstacles), candidate.obstacles
    with pytest.raises(ZhipaiError) as caught:
        publish(engine, candidate, Order("张三", "试一试"), software="test", at=NOW)
    assert (caught.value.code, caught.value.exit_code) == ("E7610", 4)
    assert counts(engine) == (0, 0, 0)


@pytest.mark.parametrize("order", [Order("", "有理由"), Order("张三", " "), Order("张三", "x")])
def test_who_and_why_are_required(engine: Engine, folder: Path, order: Order) -> None:
    with pytest.raises(ZhipaiError) as caught:
        publish(engine, check_folder(str(folder)), order, software="test", at=NOW)
    assert caught.value.code == "E3506"


def test_each_instant_has_its_version(engine: Engine, folder: Path, settings: Settings) -> None:
    later = NOW + timedelta(days=30)
    draft = load_pack(folder).id
    first = put(engine, folder)
    change(folder)
    second = put(engine, folder, later)
    change(folder, "继续办理", "尚未发布的草稿")
    ids = [
        pack_in_force(settings, at).id for at in (NOW - timedelta(seconds=1), NOW, later - timedelta(seconds=1), later)
    ]
    assert ids == [load_pack(folder).id, first["version"], first["version"], second["version"]]
    assert draft == first["version"]


def test_history_tells_what_waits_and_what_was_superseded(engine: Engine, folder: Path) -> None:
    first = put(engine, folder)
    change(folder)
    put(engine, folder, NOW + timedelta(days=30))
    rows = history(engine, "town", at=NOW + timedelta(days=1))
    assert [(row["sequence"], row["state"]) for row in rows] == [(1, "in_force"), (2, "waiting")]
    assert rows[0]["superseded_at"] == rows[1]["effective_from"]
    after = history(engine, "town", at=NOW + timedelta(days=30))
    assert [row["state"] for row in after] == ["superseded", "in_force"]
    assert (rows[0]["actor"], rows[0]["decision_id"]) == ("张三", first["decision_id"])
    assert history(engine, "nowhere", at=NOW) == []


def test_going_back_is_a_publication_of_an_old_version(engine: Engine, folder: Path) -> None:
    first = put(engine, folder)
    change(folder)
    put(engine, folder, at=NOW + timedelta(days=1))
    shutil.rmtree(folder)
    old = check_published(engine, first["content_hash"][:12], pack="town")
    again = publish(engine, old, Order("李四", "回退"), software="test", at=NOW + timedelta(days=2))
    assert again["content_hash"] == first["content_hash"]
    assert counts(engine) == (3, 3, 2), "存档按内容只存一份"
    states = [row["state"] for row in history(engine, "town", at=NOW + timedelta(days=2))]
    assert states == ["superseded", "superseded", "in_force"]


def test_a_waiting_version_is_called_off_by_another_at_its_instant(engine: Engine, folder: Path) -> None:
    first, later = put(engine, folder), NOW + timedelta(days=30)
    change(folder)
    put(engine, folder, later)
    calling_off = Order("李四", "撤回", later)
    publish(engine, check_published(engine, first["version"]), calling_off, software="test", at=NOW + timedelta(days=1))
    rows = history(engine, "town", at=NOW + timedelta(days=2))
    assert [row["state"] for row in rows] == ["in_force", "superseded", "waiting"]
    assert version_at(published(engine, "town"), later).content_hash == first["content_hash"]


def test_the_past_is_not_rewritten(engine: Engine, folder: Path) -> None:
    put(engine, folder, NOW - timedelta(days=100))  # the first may reach back: nothing was in force
    change(folder)
    with pytest.raises(ZhipaiError) as caught:
        put(engine, folder, NOW - timedelta(days=1))
    assert caught.value.code == "E3504"


def test_the_version_that_is_in_force_is_not_published_again(engine: Engine, folder: Path) -> None:
    put(engine, folder)
    (folder / "return.yaml").write_bytes((folder / "return.yaml").read_bytes().replace(b"\n", b"\r\n") + b"# \n")
    with pytest.raises(ZhipaiError) as caught:
        put(engine, folder, NOW + timedelta(days=3))
    assert caught.value.code == "E3505"


def test_an_old_version_loads_with_its_id_after_the_folder_is_gone(engine: Engine, folder: Path) -> None:
    pack = load_pack(folder)
    record = put(engine, folder)
    shutil.rmtree(folder)
    loaded = load_bundle(engine, record["content_hash"])
    assert (loaded.id, loaded.to_data()) == (pack.id, pack.to_data())


@pytest.mark.parametrize("version", ["0" * 12, "town@000000000000", "other@{hash}", "短", "abc"])
def test_an_unknown_version_is_named(engine: Engine, folder: Path, version: str) -> None:
    record = put(engine, folder)
    with pytest.raises(ZhipaiError) as caught, engine.connect() as connection:
        find_version(connection, version.format(hash=record["content_hash"][:12]))
    assert caught.value.code == "E3503"


@pytest.mark.parametrize("table", ["rule_bundles", "rule_publications"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET created_at = ''", "DELETE FROM {}"])
def test_publications_cannot_be_changed_in_the_database(
    engine: Engine, folder: Path, table: str, statement: str
) -> None:
    put(engine, folder)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_an_altered_archive_is_not_used(engine: Engine, folder: Path) -> None:
    record = put(engine, folder)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER rule_bundles_no_update"))
        connection.execute(text("UPDATE rule_bundles SET bundle = replace(bundle, 'block', 'warn ')"))
        connection.execute(text("UPDATE rule_bundles SET bundle = CAST(bundle || ' ' AS BLOB)"))
    with pytest.raises(ZhipaiError) as caught:
        load_bundle(engine, record["content_hash"])
    assert caught.value.code == "E3501"


def report(path: Path, content_hash: str) -> Path:
    pack = {"id": "town@x", "content_hash": content_hash}
    path.write_text(json.dumps({"pack": pack, "totals": {"evaluated": 7}}), encoding="utf-8")
    return path


def test_a_backtest_of_this_version_goes_into_the_record(engine: Engine, folder: Path, tmp_path: Path) -> None:
    pack = load_pack(folder)
    attachment = attach_backtest(report(tmp_path / "回测.json", pack.content_hash), pack)
    record = put(engine, folder, backtest=attachment)
    assert record["backtest"]["name"] == "回测.json"
    assert record["backtest"]["evaluated"] == 7 and len(record["backtest"]["sha256"]) == 64


def test_a_backtest_of_another_version_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("[]", encoding="utf-8")
    for path in (report(tmp_path / "a.json", "0" * 64), tmp_path / "b.json"):
        with pytest.raises(ZhipaiError) as caught:
            attach_backtest(path, load_pack(folder))
        assert caught.value.code == "E3507"


def test_a_folder_whose_draft_is_broken_still_has_its_name(folder: Path) -> None:
    (folder / "return.yaml").write_text("- {", encoding="utf-8")
    assert (pack_name(str(folder)), pack_name("weifang")) == ("town", "weifang")


def test_a_broken_draft_does_not_stop_what_is_published(engine: Engine, folder: Path, settings: Settings) -> None:
    record = put(engine, folder)
    (folder / "return.yaml").write_text("- {", encoding="utf-8")
    assert pack_in_force(settings, NOW).id == record["version"]


def test_without_a_database_the_folder_serves(folder: Path, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "nothing", pack=str(folder))
    assert pack_in_force(settings, NOW).id == load_pack(folder).id
    assert not settings.sqlite_path.exists()
