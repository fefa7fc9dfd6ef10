"""The packs that come with 智派: their own tests pass, nothing is untested, and their sources stand."""

from __future__ import annotations

from datetime import date

import pytest

from rules import load_pack
from rules.lint import lint
from rules.pack import PACKS
from rules.run_tests import run_rule_tests
from rules.vocabulary import MAY_BLOCK

NAMES = sorted(path.name for path in PACKS.iterdir() if (path / "pack.yaml").is_file())


@pytest.mark.parametrize("name", NAMES)
def test_rule_tests_pass_and_cover_every_rule_and_clause(name):
    report = run_rule_tests(load_pack(name))
    assert [str(finding) for finding in report.failed] == []
    assert (report.untested_rules, report.untested_clauses) == ((), ())
    assert report.ok and report.passed > 0


@pytest.mark.parametrize("name", NAMES)
def test_lint_finds_nothing(name):
    assert [str(finding) for finding in lint(name)] == []


@pytest.mark.parametrize(
    ("name", "document", "effective_from"),
    [
        ("national", "state-council-2025-66", date(2025, 6, 25)),
        ("weifang", "weifang-12345-2021", date(2021, 12, 15)),
        ("jinan", "jinan-12345-2018", date(2018, 9, 1)),
    ],
)
def test_documents_hold_from_the_day_their_source_says(name, document, effective_from):
    clauses = [one for one in load_pack(name).clauses.values() if one.id.startswith(f"{document}#")]
    assert clauses
    assert {clause.effective_from for clause in clauses} == {effective_from}


@pytest.mark.parametrize("name", NAMES)
def test_only_a_clause_that_was_read_blocks(name):
    pack = load_pack(name)
    for rule in pack.rules:
        confidence = pack.clauses[rule.clause].confidence
        assert confidence != "未找到", rule.id
        if confidence not in MAY_BLOCK:
            assert rule.severity != "block", rule.id


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_says_what_to_do(name):
    for rule in load_pack(name).rules:
        assert rule.disposition.action
        if rule.gate == "acceptance":
            assert rule.disposition.tell, f"{rule.id}: what does the caller hear?"
