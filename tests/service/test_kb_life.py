"""The life of an entry in the database: two people, versions that stay, one transaction, and what stood on a day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry
from service import kb_life
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.entries import ImportOrder, changed_since, current_entries, entries_at, import_entries, last_event
from service.kb_history import entry_diff, entry_document, entry_history, list_entries, what_is_due
from service.kb_life import EntryConflict, Step, archive, import_drafts, publish, roll_back, save_draft, take_step

AT = datetime(2026, 5, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = {"id": "K1", "title": "居住证办理", "answer": "带身份证到派出所。", "unit": "市公安局"}
WRITER, REVIEWER = "张三", "李四"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(engine)
    return engine


def put_up(engine: Engine, at: datetime = AT, **changes: object) -> dict:
    """Write, send for review, publish."""
    seen = entry_document(engine, "K1", day=at.date())["revision"] if known(engine) else None
    told = save_draft(engine, TEXT | changes, Step(WRITER, revision=seen), at=at)
    take_step(engine, told["id"], "submit", Step(WRITER), at=at)
    return publish(engine, told["id"], Step(REVIEWER, "核对无误"), at=at)


def known(engine: Engine) -> bool:
    return bool(list_entries(engine, day=AT.date())["entries"])


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() or 0)


def test_draft_is_not_found_until_another_person_publishes_it(engine: Engine) -> None:
    told = save_draft(engine, TEXT, Step(WRITER), at=AT)
    assert (told["revision"], told["state"], told["version"]) == (1, "草稿", None)
    assert current_entries(engine) == []
    take_step(engine, "K1", "submit", Step(WRITER), at=AT)
    with pytest.raises(ZhipaiError) as caught:
        publish(engine, "K1", Step(WRITER, "自己审"), at=AT)
    assert caught.value.code == "E4042"
    assert count(engine, "decisions") == count(engine, "entries") == 0, "没有发布成，什么也没有写"
    told = publish(engine, "K1", Step(REVIEWER, "核对无误"), at=AT)
    assert (told["state"], told["version"]) == ("发布", 1)
    assert [one.answer for one in current_entries(engine)] == ["带身份证到派出所。"]


def test_everybody_who_wrote_on_it_is_an_author(engine: Engine) -> None:
    save_draft(engine, TEXT, Step(WRITER), at=AT)
    save_draft(engine, TEXT | {"answer": "改过"}, Step(REVIEWER, revision=1), at=AT)
    take_step(engine, "K1", "submit", Step("王五"), at=AT)
    for name in (WRITER, REVIEWER):
        with pytest.raises(ZhipaiError, match="E4042"):
            publish(engine, "K1", Step(name, "核对无误"), at=AT)
    assert publish(engine, "K1", Step("王五", "核对无误"), at=AT)["version"] == 1


def test_decision_record_says_what_was_published(engine: Engine) -> None:
    put_up(engine)
    told = put_up(engine, AT + DAY, answer="改为网上办理。电话 13812345678", questions=["外地人咋办证"])
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM decisions ORDER BY sequence DESC LIMIT 1")).mappings().one()
    record = json.loads(row["record"])
    assert (row["kind"], row["decision_id"]) == ("knowledge_publication", told["decision_id"])
    assert (record["actor"], record["authors"], record["reason"]) == (REVIEWER, [WRITER], "核对无误")
    assert (record["entry"], record["version"], record["replaces"]) == ("K1", 2, 1)
    assert record["changed"] == ["questions", "answer"]
    assert record["content_hash"] == current_entries(engine)[0].content_hash != record["replaced_hash"]


def test_version_and_record_commit_together(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    save_draft(engine, TEXT, Step(WRITER), at=AT)
    take_step(engine, "K1", "submit", Step(WRITER), at=AT)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(kb_life, "_append", fails)
    with pytest.raises(RuntimeError):
        publish(engine, "K1", Step(REVIEWER, "核对无误"), at=AT)
    assert count(engine, "decisions") == count(engine, "entries") == 0


@pytest.mark.parametrize("table", ["entries", "entry_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET version = 9", "DELETE FROM {}"])
def test_nothing_is_overwritten(engine: Engine, table: str, statement: str) -> None:
    put_up(engine)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_second_maintainer_sees_the_first_change_and_loses_nothing(engine: Engine) -> None:
    put_up(engine)
    seen = entry_document(engine, "K1", day=AT.date())["revision"]
    save_draft(engine, TEXT | {"answer": "甲改的答复。"}, Step("甲某", revision=seen), at=AT)
    with pytest.raises(EntryConflict) as caught:
        save_draft(engine, TEXT | {"title": "乙改的标题"}, Step("乙某", revision=seen), at=AT)
    conflict = caught.value
    assert (conflict.code, conflict.status) == ("E4044", 409)
    assert "甲某" in str(conflict)
    assert conflict.details["yours"]["title"] == "乙改的标题"
    assert [(one["field"], one["after"]) for one in conflict.details["changes"]] == [
        ("answer", "甲改的答复。"), ("state", "草稿")
    ]  # fmt: skip
    assert conflict.details["conflicts"] == []
    merged = conflict.details["merged"]
    assert (merged["title"], merged["answer"]) == ("乙改的标题", "甲改的答复。")
    told = save_draft(engine, merged, Step("乙某", revision=conflict.details["revision"]), at=AT)
    assert told["state"] == "草稿"
    with pytest.raises(EntryConflict) as caught:
        save_draft(engine, TEXT | {"title": "丙改的标题"}, Step("丙某", revision=seen), at=AT)
    assert caught.value.details["conflicts"] == ["title"]


def test_existing_entry_needs_the_revision_that_was_seen(engine: Engine) -> None:
    save_draft(engine, TEXT, Step(WRITER), at=AT)
    with pytest.raises(ZhipaiError, match="E4046"):
        save_draft(engine, TEXT | {"answer": "另一个"}, Step(REVIEWER), at=AT)


@pytest.mark.parametrize(
    ("action", "code"),
    [("submit", "E4041"), ("return", "E4041"), ("discard", "E4041")],
)
def test_step_out_of_turn_is_refused(engine: Engine, action: str, code: str) -> None:
    put_up(engine)
    with pytest.raises(ZhipaiError) as caught:
        take_step(engine, "K1", action, Step(REVIEWER, "理由理由"), at=AT)
    assert caught.value.code == code
    assert "发布" in str(caught.value)


def test_unknown_entry_and_missing_reason(engine: Engine) -> None:
    with pytest.raises(ZhipaiError, match="E4043"):
        publish(engine, "K9", Step(REVIEWER, "核对无误"), at=AT)
    save_draft(engine, TEXT, Step(WRITER), at=AT)
    with pytest.raises(ZhipaiError, match="E4045"):
        take_step(engine, "K1", "return", Step(REVIEWER, ""), at=AT)
    with pytest.raises(ZhipaiError, match="E4045"):
        save_draft(engine, TEXT | {"id": "K2"}, Step(""), at=AT)


def test_expiry_before_start_is_refused_at_the_draft(engine: Engine) -> None:
    with pytest.raises(ZhipaiError, match="E4007"):
        save_draft(engine, TEXT | {"effective_from": "2026-05-01", "effective_to": "2026-04-01"}, Step(WRITER), at=AT)
    assert count(engine, "entry_events") == 0


def test_returned_draft_goes_round_again(engine: Engine) -> None:
    save_draft(engine, TEXT, Step(WRITER), at=AT)
    take_step(engine, "K1", "submit", Step(WRITER), at=AT)
    assert take_step(engine, "K1", "return", Step(REVIEWER, "缺少依据"), at=AT)["state"] == "草稿"
    assert entry_history(engine, "K1")[-1]["note"] == "缺少依据"
    take_step(engine, "K1", "submit", Step(WRITER), at=AT)
    assert publish(engine, "K1", Step(REVIEWER, "核对无误"), at=AT)["version"] == 1


def test_roll_back_is_a_new_version(engine: Engine) -> None:
    put_up(engine)
    put_up(engine, AT + DAY, answer="改错了。")
    told = roll_back(engine, "K1", 1, Step(REVIEWER, "第二版有误"), at=AT + 2 * DAY)
    assert told["version"] == 3
    assert [one["field"] for one in told["changes"]] == ["answer"]
    assert current_entries(engine)[0].answer == TEXT["answer"]
    assert count(engine, "entries") == 3
    with pytest.raises(ZhipaiError, match="E4043"):
        roll_back(engine, "K1", 7, Step(REVIEWER, "没有的版本"), at=AT)


def test_what_stood_on_a_day(engine: Engine) -> None:
    put_up(engine, AT)
    put_up(engine, AT + 2 * DAY, answer="第二版。")
    archive(engine, "K1", Step(REVIEWER, "政策停止"), at=AT + 4 * DAY)

    def answers(at: datetime) -> list[tuple[str, bool]]:
        return [(one.answer, one.in_force(at)) for one in entries_at(engine, at)]

    assert answers(AT - DAY) == answers(AT + DAY) == [(TEXT["answer"], True)]
    assert answers(AT + 2 * DAY) == answers(AT + 3 * DAY) == [("第二版。", True)]
    assert answers(AT + 4 * DAY) == [("第二版。", False)]
    assert entries_at(engine, AT + 5 * DAY) == current_entries(engine)
    assert changed_since(engine, AT + 5 * DAY) == ""
    assert len({changed_since(engine, AT), changed_since(engine, AT + 3 * DAY), ""}) == 3


def test_diff_by_field(engine: Engine) -> None:
    put_up(engine)
    put_up(engine, AT + DAY, effective_to="2027-01-01")
    found = entry_diff(engine, "K1")
    assert (found["old"], found["new"]) == (1, 2)
    assert found["changes"] == [{"field": "effective_to", "title": "失效日期", "before": None, "after": "2027-01-01"}]
    assert {one["field"] for one in entry_diff(engine, "K1", new=1)["changes"]} >= {"title", "answer", "unit"}
    with pytest.raises(ZhipaiError, match="E4043"):
        entry_diff(engine, "K1", 1, 9)


def test_request_for_an_update_is_counted(engine: Engine) -> None:
    put_up(engine)
    asked = AT + DAY
    assert take_step(engine, "K1", "ask", Step(REVIEWER, "电话变了"), at=asked)["state"] == "待更新"
    assert [one.in_force(asked) for one in current_entries(engine)] == [True], "请单位更新期间仍可检索"
    due = what_is_due(engine, now=asked + 5 * DAY)
    assert due["asked"][0] | {"asked_at": ""} == {
        "id": "K1", "unit": "市公安局", "asked_at": "", "days": 5, "overdue": None
    }  # fmt: skip
    assert due["units"][0]["in_time"] is None, "没有填时限，不判断是否按时"
    assert what_is_due(engine, now=asked + 5 * DAY, limit=3)["asked"][0]["overdue"] is True
    put_up(engine, asked + 6 * DAY, answer="电话已更新。")
    figures = what_is_due(engine, now=asked + 7 * DAY, limit=7)["units"]
    assert figures == [
        {
            "unit": "市公安局",
            "published": 2,
            "unasked": 1,
            "asked": 1,
            "answered": 1,
            "open": 0,
            "in_time": 1,
            "late": 0,
        }
    ]
    assert what_is_due(engine, now=asked + 7 * DAY, limit=5)["units"][0]["late"] == 1


@pytest.mark.parametrize(("days", "reminder"), [(30, 30), (8, 30), (7, 7), (1, 1), (0, 1), (-3, 1)])
def test_reminders_before_the_end(engine: Engine, days: int, reminder: int) -> None:
    put_up(engine, effective_to=(AT.date() + timedelta(days=days)).isoformat())
    (one,) = what_is_due(engine, now=AT)["expiring"]
    assert (one["days"], one["reminder"]) == (days, reminder)
    assert what_is_due(engine, now=AT - timedelta(days=40))["expiring"] == []


def test_expired_entry_says_so(engine: Engine) -> None:
    put_up(engine, effective_from="2025-01-01", effective_to="2026-05-01")
    assert entry_document(engine, "K1", day=date(2026, 4, 30))["state"] == "发布"
    assert entry_document(engine, "K1", day=date(2026, 5, 1))["state"] == "失效"
    assert [one["id"] for one in list_entries(engine, day=date(2026, 5, 1), state="失效")["entries"]] == ["K1"]


def test_import_is_one_decision_and_has_a_life(engine: Engine) -> None:
    entries = [KnowledgeEntry(f"K{number}", f"标题{number}", (), "答", "单位") for number in range(5)]
    before = last_event(engine)
    import_entries(engine, entries, at=AT, order=ImportOrder(WRITER, "首次入库", "条目.xlsx", "ab"))
    assert last_event(engine) == before + 5
    assert count(engine, "decisions") == 1
    import_entries(engine, entries, at=AT, order=ImportOrder(WRITER))
    assert count(engine, "decisions") == 1, "没有变化的导入不产生决定"
    told = save_draft(
        engine, {"id": "K1", "title": "标题1", "answer": "新", "unit": "单位"}, Step(WRITER, revision=1), at=AT
    )
    assert [one["field"] for one in told["changes"]] == ["answer"]
    pages = list_entries(engine, day=AT.date(), limit=2)
    assert [one["id"] for one in pages["entries"]] == ["K0", "K1"]
    assert [one["id"] for one in list_entries(engine, day=AT.date(), after=pages["next"])["entries"]] == [
        "K2",
        "K3",
        "K4",
    ]
    assert [one["id"] for one in list_entries(engine, day=AT.date(), state="草稿")["entries"]] == ["K1"]


def test_imported_drafts_do_not_overwrite_somebody(engine: Engine) -> None:
    entries = [KnowledgeEntry("K1", "标题", (), "答", "单位"), KnowledgeEntry("K2", "标题2", (), "答", "单位")]
    assert import_drafts(engine, entries, Step(WRITER), submit=True, at=AT) == {"K1": "added", "K2": "added"}
    assert import_drafts(engine, entries, Step(WRITER), submit=True, at=AT) == {"K1": "unchanged", "K2": "unchanged"}
    changed = [KnowledgeEntry("K1", "标题", (), "另一个答复", "单位")]
    assert import_drafts(engine, changed, Step(REVIEWER), submit=False, at=AT) == {"K1": "kept"}
    assert publish(engine, "K1", Step(REVIEWER, "核对无误"), at=AT)["version"] == 1


def test_database_in_use_gets_a_life_for_its_entries(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'used.db'}")
    upgrade(engine, "0002")
    with engine.begin() as connection:
        for version, current in ((1, 0), (2, 1)):
            connection.execute(
                text("INSERT INTO entries VALUES ('K1', :v, :c, '2026-01-01', NULL, 'h', :content, '2026-05-01T00:00:00+08:00')"),
                {"v": version, "c": current, "content": json.dumps(TEXT | {"answer": f"第{version}版"}, ensure_ascii=False)},
            )  # fmt: skip
    upgrade(engine)
    assert [one.answer for one in current_entries(engine)] == ["第2版"]
    assert [(one["revision"], one["action"], one["version"]) for one in entry_history(engine, "K1")] == [
        (1, "import", 1), (2, "import", 2)
    ]  # fmt: skip
