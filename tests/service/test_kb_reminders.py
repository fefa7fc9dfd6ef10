"""Reminders of what ends soon: one event for each entry, version and step; uploads; what people asked."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from intake.errors import ZhipaiError
from knowledge_base import entry_from_dict
from service.cases_read import add_reply
from service.db.engine import reading
from service.db.tables import DECISIONS, OUTBOX
from service.decisions import DecisionRequest, decide
from service.entries import import_entries
from service.kb_asked import asked_of, asked_since
from service.kb_check import without_text
from service.kb_reminders import KIND, remind, reminded
from service.kb_uploads import find_upload, keep_upload, report_rows, run_upload
from service.privacy.erase import Eraser, Selection, erase
from service.settings import Settings
from service.snapshot import Snapshot
from tests.service.pages.conftest import NOW, desk, engine, filed

__all__ = ["desk", "engine", "filed"]
TODAY = NOW.date()


def put_up(engine: Engine, entry_id: str, ends: date | None, **more: object) -> None:
    row = {"id": entry_id, "title": f"条目{entry_id}", "answer": "答复。", "unit": "某局"} | more
    entry = entry_from_dict(row | {"effective_to": ends.isoformat() if ends else None})
    import_entries(engine, [entry], at=NOW - timedelta(days=60))


def events(engine: Engine) -> list[tuple[str, int, int, int]]:
    joined = select(OUTBOX.c.event).join(DECISIONS, DECISIONS.c.decision_id == OUTBOX.c.decision_id)
    with reading(engine) as connection:
        found = connection.execute(joined.where(DECISIONS.c.kind == KIND).order_by(DECISIONS.c.sequence)).scalars()
        return [tuple(one["data"][name] for name in ("entry", "version", "step", "days")) for one in found]  # type: ignore[misc]


def test_each_step_is_told_once_and_another_version_anew(engine: Engine) -> None:
    for entry_id, days in (("K30", 30), ("K31", 31), ("K5", 5), ("K1", 1), ("K0", 0), ("K-9", -9)):
        put_up(engine, entry_id, TODAY + timedelta(days=days))
    put_up(engine, "K-open", None)
    assert remind(engine, now=NOW, software="test") == 3
    assert sorted(events(engine)) == [("K1", 1, 1, 1), ("K30", 1, 30, 30), ("K5", 1, 7, 5)]
    assert remind(engine, now=NOW, software="test") == 0, "再看一次，不再说"
    assert remind(engine, now=NOW + timedelta(days=1), software="test") == 1, "只有 K31 到了第一档"
    assert remind(engine, now=NOW + timedelta(days=4), software="test") == 1, "K5 到了最后一档"
    put_up(engine, "K5", TODAY + timedelta(days=20), answer="新的答复。")
    assert remind(engine, now=NOW, software="test") == 1 and events(engine)[-1] == ("K5", 2, 30, 20)
    assert reminded(engine, since=NOW - timedelta(days=30)) == 6


def test_an_upload_is_tried_then_imported_and_belongs_to_one(engine: Engine, desk: Settings) -> None:
    sheet = "标题,答复要点,责任单位\n读者证怎么办,带身份证,某局\n=1+1,答复,某局\n".encode()
    kept = keep_upload(
        desk, io.BytesIO(sheet), "../../条目.csv", owner="wu", way="submit", at=NOW, defaults={"district": ""}
    )
    assert kept.path.parent == kept.folder and kept.path.name == "条目.csv"
    tried = run_upload(engine, kept, actor="wu", reason="", software="test", at=NOW, dry_run=True)
    assert (tried.summary["rows"], tried.summary["added"], tried.done) == (2, 2, False)
    header, rows = report_rows(tried)
    assert header[-1] == "导入结果" and [row[-1] for row in rows] == ["将新增", "将新增"]
    assert report_rows(tried, after=1)[1][0][0] == "=1+1", "公式只是文字"
    done = run_upload(engine, tried, actor="wu", reason="", software="test", at=NOW, dry_run=False)
    assert done.done and report_rows(done)[1][0][-1] == "新增"
    assert find_upload(desk, kept.token, owner="wu").summary["added"] == 2
    for token, owner in ((kept.token, "zheng"), ("0" * 32, "wu"), ("../x", "wu")):
        with pytest.raises(ZhipaiError) as error:
            find_upload(desk, token, owner=owner)
        assert error.value.code == "E7999"
    with pytest.raises(ZhipaiError) as suffix:
        keep_upload(desk, io.BytesIO(b""), "条目.xlsm", owner="wu", way="draft", at=NOW)
    assert suffix.value.code == "E4012"
    keep_upload(desk, io.BytesIO(sheet), "b.csv", owner="wu", way="draft", at=NOW + timedelta(days=2))
    assert not kept.folder.exists(), "隔天的清掉"


def test_what_people_asked_comes_with_the_units_reply_until_it_is_erased(
    engine: Engine, snapshot: Snapshot, filed
) -> None:
    proposal = filed(order_id="q-1")
    request = DecisionRequest(proposal.proposal_id, "accept", proposal.units[0]["unit"], "pd", "", "key-of-q-1")
    decide(engine, request, directory=lambda: snapshot.directory, software="t", request_id="r", at=NOW)
    add_reply(engine, "q-1", "已责令改正，电话13912345678", actor="danwei", at=NOW)
    asked = asked_since(engine, NOW - timedelta(days=1))
    assert [(one.id, one.unit) for one in asked] == [("q-1", proposal.units[0]["unit"])]
    assert "已责令改正" in asked[0].reply and "13912345678" not in asked[0].reply
    assert asked_since(engine, NOW + timedelta(days=1)) == []
    eraser = Eraser("bz-1", "本人要求", "security_admin")
    at = datetime.fromisoformat(NOW.isoformat())
    erase(engine, Selection(("q-1",), with_text=True), eraser, software="t", at=at)
    assert asked_of(engine, ["q-1", "none"]) == []


def test_a_kept_report_of_gaps_holds_no_word_of_an_order() -> None:
    document = {
        "read": 1,
        "topics": [{"terms": ["油烟"], "orders": ["o-1"], "samples": ["诉求"], "draft": {"a": "诉求"}}],
    }
    assert without_text(document) == {"read": 1, "topics": [{"terms": ["油烟"], "orders": ["o-1"]}]}
