"""One tiny broken pack for each code: the message names the code, the very line, and helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intake.errors import CATALOGUE, ZhipaiError
from rules import load_pack
from rules.lint import lint
from rules.problems import pack_codes
from rules.run_tests import run_rule_tests

BROKEN = Path(__file__).with_name("broken")
PACKS = sorted(path for path in BROKEN.iterdir() if path.name != "base")
MARK = "# <- 错在这里"

#: Words that must help, by code.
HELP = {
    "E3001": ["UTF-8", "缩进"],
    "E3002": ["severty", "severity"],
    "E3003": ["priority", "整数", "文字"],
    "E3004": ["verdict"],
    "E3005": ["retrun", "return"],
    "E3006": ["return_request", "return_requested"],
    "E3007": ["return_requested", "gte"],
    "E3008": ["return_requested", "true 或 false", "是"],
    "E3009": ["town-2020#9", "clauses.yaml"],
    "E3010": ["effective_from", "2022-02-30"],
    "E3011": ["BA-RET-001", "base/returns.yaml:1:3"],
    "E3012": ["town-2020#2", "常识推断", "warn"],
    "E3013": ["64", "32", "in"],
    "E3014": ["nowhere", "extends"],
    "E3015": ["退回一", "WF-RET-002"],
    "E3016": ["resolve", "2020-01-01", "2022-01-01", "effective_to"],
    "E3017": ["severity"],
    "E3018": ["extension_workdays", "return", "extension"],
    "E3019": ["BR-RET-001", "warn"],
    "E3020": ["办公时间"],
    "E3021": ["clause"],
    "E3022": ["extension_max_workdays", "values", "note"],
    "E3023": ["return_max_counts", "return_max_count"],
    "E3024": ["return_max_count", "一次", "整数"],
    "E3101": ["BR-RET-001", "return_requested"],
    "E3102": ["BR-RET-001", "hit"],
    "E3103": ["village-2021#1"],
    "E3104": ["extension_workdays", "5"],
    "E3105": ["命中", "预期 hit，得到 pass"],
    "E3106": ["BR-RET-002", "BR-RET-001", "e3106-duplicate-rule/rules.yaml:1:3", "effective_to"],
    "E3107": ["BR-RET-002", "BR-RET-001", "clearly_outside_duty=true", "designated_by_ruling=true", "priority"],
    "E3108": ["BR-RET-002", "BR-RET-001", "e3108-shadowed-rule/rules.yaml:1:3"],
    "E3109": ["village-2021#1", "规则测试"],
    "E3110": ["sign_in", "calendar.office_hours"],
    "E3111": ["extension_max_workdays", "{parameter: extension_max_workdays}"],
    "E3112": ["BR-RET-001", "not_evaluated"],
}


def marked_place(folder: Path) -> tuple[str, int]:
    """File and line of the mark."""
    for path in sorted(folder.rglob("*.yaml")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if MARK in line:
                return f"{folder.name}/{path.relative_to(folder).as_posix()}", number
    raise LookupError(folder)


def code_of(folder: Path) -> str:
    return folder.name.split("-")[0].upper()


@pytest.mark.parametrize("folder", PACKS, ids=lambda path: path.name)
def test_each_broken_pack_is_reported_at_its_line(folder):
    code, (file, line) = code_of(folder), marked_place(folder)
    findings = list(lint(folder, root=BROKEN))
    if code == "E3105":
        findings = list(run_rule_tests(load_pack(folder, root=BROKEN)).failed)
    found = [finding for finding in findings if finding.code == code]
    assert found, f"{code} not among {[str(finding) for finding in findings]}"
    assert (found[0].file, found[0].line) == (file, line)
    assert found[0].column >= 1
    text = found[0].message + found[0].mend
    assert all(word in text for word in HELP[code]), text
    assert found[0].mend.endswith("。") or found[0].mend.endswith("？")
    others = {finding.code for finding in findings if finding.level == "error"} - {code}
    assert not others, "one mistake, one code"


LOADING = [path for path in PACKS if code_of(path) < "E3100" and code_of(path) != "E3021"]


@pytest.mark.parametrize("folder", LOADING, ids=lambda path: path.name)
def test_a_broken_pack_does_not_load(folder):
    with pytest.raises(ZhipaiError) as caught:
        load_pack(folder, root=BROKEN)
    file, line = marked_place(folder)
    assert caught.value.code == code_of(folder)
    assert caught.value.where.startswith(f"{file}:{line}:")
    assert re.search(r"[\u4e00-\u9fff]", caught.value.message)


def test_every_code_of_a_pack_has_its_broken_pack():
    assert {code_of(path) for path in PACKS} == set(pack_codes()) == set(HELP)


def test_the_base_of_the_broken_packs_is_sound():
    assert load_pack("base", root=BROKEN).name == "base"


def test_codes_have_a_title_and_a_sentence():
    for code, (title, message, _, exit_code) in CATALOGUE.items():
        if code.startswith("E3"):
            assert title and message.endswith(("。", "}")), code
            # 130: stopped with Ctrl+C, as shells count it.
            assert exit_code in (2, 3, 130)
