"""Rule tests: what fails says what was expected, what came out, and where."""

from __future__ import annotations

import pytest

from rules import load_pack
from rules.run_tests import run_rule_tests

RULES = (
    "- {id: TN-RET-001, title: 某, gate: return, when: {fact: return_requested, is: true}, verdict: advise,"
    " severity: info, disposition: {action: 某, tell: 某}, clause: town-2020#1, effective_from: 2026-01-01}\n"
)
LIMITS = "- {id: resolve, title: 办结, stage: resolve, values: [{amount: 5, unit: 工作日, clause: town-2020#1}]}\n"


@pytest.fixture
def report_of(write_pack):
    def run(test: str):
        return run_rule_tests(load_pack(write_pack(rules=RULES, limits=LIMITS, tests__a=test)))

    return run


def one(expect: str = "{TN-RET-001: hit}", facts: str = "{return_requested: true}", **keys: str) -> str:
    lines = {"name": "某测试", "as_of": "2026-05-06", "facts": facts, "expect": expect, "clause": "town-2020#1"} | keys
    return "- " + "\n  ".join(f"{key}: {value}" for key, value in lines.items() if value)


def test_a_passing_test_leaves_only_the_untested_clause(report_of):
    report = report_of(one())
    assert (report.passed, report.failed, report.untested_rules) == (1, (), ())
    assert report.untested_clauses == ("town-2020#2",)
    assert not report.ok


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (one("{TN-RET-001: pass}"), "预期 pass，得到 hit"),
        (one(facts="{}"), "预期 hit，得到 not_evaluated（缺少事实"),
        (one("{TN-RET-009: hit}"), "TN-RET-009 不在规则包里"),
        (one(as_of="2025-12-31"), "当日不在有效期内"),
        (one(clause="town-2020#2"), "依据的是 town-2020#1，不是 town-2020#2"),
        (one(facts="{return_requestd: true}"), "没有名为“return_requestd”的事实"),
        (one("", deadlines='{resolve: "2026-05-12T17:30:00"}'), "得到 2026-05-12T23:59:59"),
        (one("", deadlines="{resolve: }"), "办结到期预期 无法计算"),
        (one("", deadlines='{lunch: "2026-05-12T17:30:00"}'), "没有环节“lunch”"),
        (one("", clause="town-2020#2", deadlines='{resolve: "2026-05-12T23:59:59"}'), "不是 town-2020#2"),
    ],
)
def test_a_failing_test_says_what_came_out(report_of, test, words):
    report = report_of(test)
    (failure,) = report.failed
    assert (report.passed, failure.code) == (0, "E3105")
    assert words in failure.message
    assert str(failure).startswith("town/tests/a.yaml:1:3 [E3105]")


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("name: 不是列表", "E3021"),
        (one(expect="", deadlines=""), "E3021"),
        (one("{TN-RET-001: maybe}"), "E3021"),
        (one(clause=""), "E3021"),
        (one(clause="town-2020#9"), "E3009"),
        (one(as_of="2026-5-6"), "E3010"),
        (one(facts="[return_requested]"), "E3003"),
        (one(fact="{}"), "E3002"),
    ],
)
def test_a_test_that_cannot_be_read_is_a_failure_too(report_of, test, code):
    report = report_of(test)
    assert [failure.code for failure in report.failed] == [code]
    assert report.passed == 0
