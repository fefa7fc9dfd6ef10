"""Retention: what is not filled in never goes by itself, what is due goes as any erasure does."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from service import clock
from service.cli import main
from service.db.engine import reading
from service.decisions import read_decision
from service.privacy.retention import LEAST_SYSTEM_LOG, apply, due, load_retention
from service.privacy.store import opened

from .conftest import START, TEXT


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "retention.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_by_default_nothing_goes_by_itself(engine, file) -> None:
    file("o-1")
    retention = load_retention()
    assert (retention.filed, retention.shown, retention.system_log) == (None, None, LEAST_SYSTEM_LOG)
    assert due(engine, retention, at=clock.now() + timedelta(days=36500)) == []


def test_what_is_due_goes_and_is_recorded(engine, file, tmp_path: Path) -> None:
    old, new = file("o-old", at=START), file("o-new", at=clock.now() - timedelta(days=10))
    retention = load_retention(table(tmp_path, "filed: 30\nshown: 365\n"))
    assert [seen.filed for _, seen in due(engine, retention, at=clock.now())] == [1, 1]
    done = apply(engine, retention, actor="bz-1", role="", software="test", at=clock.now())
    record = json.loads(read_decision(engine, done[0].decision_ids[0]))
    assert (record["basis"], record["orders"], record["reason"]) == ("retention", ["o-old"], "保存期限届满")
    with reading(engine) as connection:
        assert set(opened(connection, "filed", ["o-old", "o-new"])) == {"o-new"}
        assert set(opened(connection, "shown", [old["proposal_id"], new["proposal_id"]])) == {new["proposal_id"]}
    assert apply(engine, retention, actor="bz-1", role="", software="test", at=clock.now()) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("system_log: 90\n", "六个月"),
        ("decision_log: 365\n", "只能写 keep"),
        ("filed: 0\n", "正整数"),
        ("filed: true\n", "正整数"),
        ("filed: 30\nshown: 10\n", "不能早于"),
        ("shown: 10\n", "不能早于"),
        ("recordings: 30\n", "没有类别“recordings”"),
        ("[1, 2]\n", "类别: 天数"),
        ("filed: [\n", "读不出来"),
    ],
)
def test_table_that_is_wrong_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        load_retention(table(tmp_path, text))
    assert caught.value.code == "E6558" and problem in str(caught.value)


@pytest.fixture
def run(config, monkeypatch, capsys):
    def command(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("service.cli.privacy.settings", lambda: config)
        with pytest.raises(SystemExit) as left:
            main(["privacy", *arguments])
        told = capsys.readouterr()
        return left.value.code, told.out + told.err

    return command


def test_commands_show_first_and_erase_only_with_yes(file, run) -> None:
    file("o-1")
    code, told = run("show", "o-1")
    assert code == 0 and TEXT in told and told.count("与承诺值相符") == 2
    code, told = run("erase", "--order", "o-1", "--with-text", "--reason", "本人要求")
    assert code == 0 and "会删：工单原文 1 份、脱敏文字与要素 1 份" in told and "已删除" not in told
    assert run("show", "o-1")[1].count("与承诺值相符") == 2
    code, told = run("erase", "--order", "o-1", "--with-text", "--reason", "本人要求", "--yes")
    assert code == 0 and "已删除 1 张工单" in told
    assert run("show", "o-1")[1].count("已删除") == 2
    code, told = run("erase", "--order", "o-1", "--reason", "本人要求", "--yes")
    assert code == 2 and "E6555" in told


def test_commands_say_what_is_wrong(file, run) -> None:
    file("o-1")
    for arguments, word in (
        (["show", "o-none"], "E6554"),
        (["erase", "--order", "o-1", "--yes"], "E6556"),
        (["erase"], "E6557"),
        (["erase", "--before", "昨天"], "E6560"),
    ):
        code, told = run(*arguments)
        assert code == 2 and word in told, told


def test_retention_command_shows_the_table(file, run, config, tmp_path: Path) -> None:
    file("o-1", at=START)
    assert "没有填，不自动删" in run("retention")[1]
    config.retention = table(tmp_path, "filed: 30\n")
    assert "到期的工单原文：1 份原文" in run("retention")[1]
    assert "已删除 1 张工单" in run("retention", "--yes")[1]
    assert json.loads(run("retention", "--json")[1])["due"][0]["filed"] == 0
