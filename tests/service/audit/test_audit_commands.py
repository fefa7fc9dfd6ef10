"""``zhipai audit`` as an auditor uses it: the whole way from the log to a proof on another machine, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli import audit
from service.cli.main import main
from tests.service.audit.conftest import Log
from tests.service.audit.tampering import decision_id, rewrite


@pytest.fixture
def run(log: Log, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """Runs a command on the log; gives exit code, output and errors."""
    monkeypatch.setattr(audit, "settings", lambda: log.settings)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["audit", *map(str, arguments)])
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def test_from_the_log_to_a_proof_on_another_machine(log: Log, run, tmp_path: Path) -> None:
    code, out, _ = run("verify")
    assert code == 0 and "日志 11 条完整" in out
    share = tmp_path / "share"
    code, out, _ = run("checkpoint", "--out", share)
    assert code == 0 and "已签发 11 条" in out
    assert [path.suffix for path in sorted(share.iterdir())] == [".checkpoint", ".pub"]
    assert run("key", "show", "--out", tmp_path / "keys.pub")[0] == 0
    with log.tampering() as file:
        who = decision_id(file, 6)
    assert run("bundle", who, "--out", tmp_path / "one.json")[0] == 0
    code, out, _ = run("check-bundle", tmp_path / "one.json", "--key", tmp_path / "keys.pub")
    assert code == 0 and "第 6 号，一字未改" in out
    first = sorted(log.other_office.glob("*.checkpoint"))[0]
    second = next(share.glob("*.checkpoint"))
    code, out, _ = run("consistency", first, second, "--out", tmp_path / "two.json")
    assert code == 0 and "一致" in out
    code, out, _ = run("check-bundle", tmp_path / "two.json", "--key", tmp_path / "keys.pub", "--json")
    assert code == 0 and (json.loads(out)["from"], json.loads(out)["to"]) == (5, 11)
    assert run("consistency", 5, 9)[0] == 0


def test_a_problem_is_told_with_its_place_and_exit_code_4(log: Log, run) -> None:
    with log.tampering() as file:
        who = decision_id(file, 6)
        rewrite(file, 6, actor="别人")
    code, out, _ = run("verify", "--checkpoints", log.other_office)
    assert code == 4 and "日志不可信：内容被改 1 处" in out and "│ 6 " in out
    code, out, _ = run("verify", "--json", "--checkpoints", log.other_office)
    report = json.loads(out)
    assert code == 4 and not report["whole"]
    assert [(one["kind"], one["sequence"], one["decision_id"]) for one in report["problems"]] == [("edited", 6, who)]


def test_rotation_is_recorded_and_both_keys_are_shown(log: Log, run) -> None:
    code, out, _ = run("key", "rotate", "--actor", "审计员甲")
    assert code == 0 and "已启用" in out
    code, out, _ = run("key", "show", "--json")
    rows = json.loads(out)
    assert code == 0 and [bool(row["retired_at"]) for row in rows] == [True, False]
    assert run("verify")[1].startswith("日志 12 条完整")


def test_what_cannot_be_is_refused_in_one_sentence(log: Log, run, tmp_path: Path) -> None:
    (tmp_path / "x.pub").write_text("not a key\n", encoding="utf-8")
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    for arguments, code, number in (
        (("verify", "--checkpoints", tmp_path / "none"), 3, "E7818"),
        (("bundle", "d-none", "--out", tmp_path / "y"), 2, "E7816"),
        (("check-bundle", tmp_path / "x.json"), 2, "E7819"),
        (("check-bundle", tmp_path / "x.json", "--key", tmp_path / "x.pub"), 2, "E7811"),
        (("check-bundle", tmp_path / "none.json", "--key", next(log.other_office.glob("*.pub"))), 2, "E7202"),
        (("check-bundle", tmp_path / "x.json", "--key", next(log.other_office.glob("*.pub"))), 2, "E7814"),
        (("consistency", tmp_path / "x.json", 3), 2, "E7812"),
        (("consistency", 3, 400), 2, "E7803"),
        (("consistency", 9, 5), 2, "E7820"),
        (("key", "rotate"), 2, "E7101"),
    ):
        found, _, err = run(*arguments)
        assert (found, number in err, err.count("\n")) == (code, True, 1), (arguments, err)
    assert not (tmp_path / "y").exists()


def test_another_hash_is_refused_once_there_are_records(log: Log, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "settings", lambda: log.settings.model_copy(update={"log_hash": "sm3"}))
    code, _, err = run("verify")
    assert code == 4 and "E7802" in err and "ZHIPAI_LOG_HASH" in err
