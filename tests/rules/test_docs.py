"""docs/rules.md keeps up: every code, operator, gate and unit of time has its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intake.errors import CATALOGUE
from rules import load_pack
from rules.ast import OPERATORS
from rules.vocabulary import CONFIDENCES, EFFECTS, GATES, SEVERITIES, STAGES, TIME_UNITS


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "rules.md").read_text(encoding="utf-8")


def test_every_code_is_explained(page):
    for code, (title, *_) in CATALOGUE.items():
        if code.startswith("E3"):
            assert f"| {code} | {title} |" in page


@pytest.mark.parametrize("words", [OPERATORS, GATES, EFFECTS, SEVERITIES, STAGES, TIME_UNITS, CONFIDENCES])
def test_every_word_of_the_language_is_explained(page, words):
    for word in words:
        assert f"`{word}`" in page or f"| {word} |" in page or f"“{word}”" in page, word


def test_the_example_of_the_page_is_a_rule_that_loads(page, write_pack):
    example = re.search(r"```yaml\n(- id: WF-RET-002.*?)```", page, re.S)
    assert example
    folder = write_pack(returns=example[1].replace("weifang-12345-2021#22.2", "town-2020#1"))
    (rule,) = load_pack(folder).rules
    (real,) = [one for one in load_pack("weifang").rules if one.id == "WF-RET-002"]
    assert rule.when == real.when and rule.effect == real.effect
