"""``zhipai users`` and ``zhipai keys``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.cli.main import main
from service.settings import settings
from tests.service.access.conftest import put

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on an empty database; its exit code and all that it said."""
    monkeypatch.setenv("ZHIPAI_DATABASE_URL", str(engine.url))
    settings.cache_clear()

    def command(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out + said.err

    yield command  # type: ignore[misc]
    settings.cache_clear()


def test_first_administrators(run: Run) -> None:
    assert "还没有账号" in run("users", "list")[1]
    code, said = run("users", "create-admin", "boss")
    assert code == 0 and re.search(r"(\w{4}-){3}\w{4}", said)
    assert run("users", "create-security-admin", "guard")[0] == 0
    code, said = run("users", "create-admin", "boss")
    assert code == 2 and "E7852" in said
    rows = json.loads(run("users", "list", "--json")[1])["accounts"]
    assert [(row["name"], row["roles"], row["must_change"]) for row in rows] == [("boss", ["admin"], True)]


def test_password_may_be_given_by_hand_but_not_a_weak_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "Admin@123456")
    code, said = run("users", "create-admin", "boss", "--ask-password")
    assert code == 2 and "E7857" in said and "Admin@123456" not in said
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "a password of mine")
    assert run("users", "create-admin", "boss", "--ask-password")[0] == 0


def test_reset_and_keys(run: Run, engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    code, said = run("users", "reset-password", "pd-017", "--reason", "忘记密码")
    assert code == 0 and "pd-017" in said
    assert "E7851" in run("users", "reset-password", "nobody", "--reason", "忘记密码")[1]
    code, said = run(
        "keys", "create", "工单系统", "--role", "dispatcher", "--action", "triage.propose", "--reason", "对接"
    )
    assert code == 0
    key_id = re.search(r"zk_([0-9a-f]{12})_", said)[1]
    listed = run("keys", "list")[1]
    assert key_id in listed and "zk_" not in listed
    assert run("keys", "revoke", key_id, "--reason", "换发")[0] == 0
    assert "已撤销" in run("keys", "list")[1]
    assert "E7858" in run("keys", "revoke", "none", "--reason", "换发")[1]
    code, said = run("keys", "create", "审计系统", "--role", "auditor", "--reason", "对接")
    assert code == 4 and "E7856" in said, "命令行也不能发审计员的密钥"


def test_database_of_another_version_says_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIPAI_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    settings.cache_clear()
    code, said = run("users", "create-admin", "boss")
    assert code == 3 and "E6005" in said
