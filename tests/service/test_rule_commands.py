"""``zhipai rules lint, coverage, publish, history, diff`` as a rule owner runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rules import load_pack
from service.cli.main import main
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.settings import settings

Run = Callable[..., tuple[int, str, str]]
PUBLISH = ("publish", "--who", "张三", "--reason", "首次发布")


@pytest.fixture
def run(small_pack: Path, tmp_path: Path, monkeypatch, capsys) -> Run:
    """Run ``zhipai rules …`` on a database of one's own; gives exit code, output and error output."""
    monkeypatch.setenv("ZHIPAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZHIPAI_PACK", str(small_pack))
    (tmp_path / "home").mkdir()
    settings.cache_clear()
    upgrade(make_engine(settings().url))

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as done:
            main(["rules", *arguments])
        told = capsys.readouterr()
        return int(done.value.code or 0), told.out, told.err

    yield call
    settings.cache_clear()


def draft(small_pack: Path) -> str:
    path = small_pack / "return.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("继续办理", "继续办理并说明"), encoding="utf-8")
    return load_pack(small_pack).id


def test_from_publishing_to_going_back(run: Run, small_pack: Path) -> None:
    first = load_pack(small_pack).id
    code, out, _ = run(*PUBLISH, "--effective-from", "2026-01-01T00:00+08:00")
    assert code == 0 and f"已发布：{first}，自 2026-01-01 00:00 起生效" in out
    second = draft(small_pack)
    code, out, _ = run("diff", str(small_pack))
    assert code == 0 and f"{first} → {second}" in out, "不填第二个：现行发布版与草稿"
    code, out, _ = run("diff", first, str(small_pack))
    assert code == 0 and "处置与告知：继续办理" in out and "→ 继续办理并说明" in out
    code, out, _ = run(*PUBLISH, "--dry-run")
    assert code == 0 and "没有写入" in out and "规则 改动 1" in out
    assert run(*PUBLISH, "--effective-from", "2999-01-01T00:00+08:00")[0] == 0
    code, out, _ = run("history", "--json")
    rows = json.loads(out)["publications"]
    assert [(row["version"], row["state"]) for row in rows] == [(first, "in_force"), (second, "waiting")]
    assert run(*PUBLISH, "--hash", first, "--effective-from", "2999-02-01T00:00+08:00")[0] == 0
    code, out, _ = run("history")
    assert code == 0 and out.count("待生效") == 2


def test_a_pack_that_is_not_green_is_refused_with_code_and_lines(run: Run, small_pack: Path) -> None:
    (small_pack / "tests" / "return.yaml").unlink()
    code, out, err = run(*PUBLISH)
    assert code == 4 and out == ""
    assert "town/return.yaml:1:3 规则“TN-RET-001”没有测试" in err and "[E7610]" in err
    assert json.loads(run("history", "--json")[1])["publications"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("publish",), "E3506"),
        ((*PUBLISH, "--effective-from", "明天"), "E7201"),
        ((*PUBLISH, "--hash", "00000000"), "E3503"),
        ((*PUBLISH, "--backtest", "没有.json"), "E7202"),
        (("diff", "deadbeef", "weifang"), "E3503"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_with_a_code(run: Run, arguments: tuple[str, ...], code: str) -> None:
    exit_code, _, err = run(*arguments)
    assert exit_code == 2 and f"[{code}]" in err


def test_lint_is_green_or_says_where(run: Run, small_pack: Path) -> None:
    assert run("lint") == (0, "错误 0 处，提醒 0 处。\n", "")
    (small_pack / "return.yaml").write_text("- {id: TN-RET-001}", encoding="utf-8")
    code, out, err = run("lint")
    assert code == 4 and "错误 town/return.yaml:1:3 [E3004]" in out and "[E7602]" in err


def test_coverage_tells_what_is_open(run: Run, small_pack: Path) -> None:
    code, out, _ = run("coverage", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["totals"] == {
        "packs": 1, "rules": 1, "rules_without_clause": 0, "rules_without_test": 0, "rules_complete": 1,
        "clauses": 1, "clauses_with_rule": 1, "clauses_unused": 0, "tests": 2, "to_fill": 0,
    }  # fmt: skip
    (small_pack / "tests" / "return.yaml").unlink()
    assert "规则 TN-RET-001 缺测试：命中、未命中、边界" in run("coverage")[1]


def test_a_draft_in_another_folder_is_published_with_the_values_of_the_user(
    run: Run, small_pack: Path, tmp_path: Path, monkeypatch
) -> None:
    """They belong to the pack, not to the folder it was edited in."""
    (small_pack / "parameters.yaml").write_text(
        "- {id: most, title: 最多几次, type: int, note: 未填}\n", encoding="utf-8"
    )
    rule = small_pack / "return.yaml"
    rule.write_text(
        rule.read_text(encoding="utf-8").replace(
            "{fact: designated_by_ruling, is: true}",
            "{all: [{fact: designated_by_ruling, is: true}, {fact: handling_unit_count, gt: {parameter: most}}]}",
        ),
        encoding="utf-8",
    )
    tests = small_pack / "tests" / "return.yaml"
    tests.write_text(
        tests.read_text(encoding="utf-8")
        .replace("designated_by_ruling: true}", "designated_by_ruling: true, handling_unit_count: 9}")
        .replace("2020-01-01", "2026-05-06"),
        encoding="utf-8",
    )
    own = tmp_path / "甲方.yaml"
    own.write_text("parameters: {most: {value: 2, source: 某镇细则, effective_from: 2026-01-01}}\n", encoding="utf-8")
    monkeypatch.setenv("ZHIPAI_RULE_OVERRIDES", str(own))
    settings.cache_clear()
    shutil.copytree(small_pack, tmp_path / "draft")
    code, out, err = run(*PUBLISH, "--pack", str(tmp_path / "draft"), "--json")
    assert code == 0, err
    assert json.loads(out)["content_hash"] == load_pack(small_pack, overrides=own).content_hash
