"""Packs: inheritance, and a content hash that changes with the meaning and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from rules import load_pack
from rules.pack import PACKS

RULE = """
- id: {id}
  title: 某规则
  gate: return
  when: {{fact: return_requested, is: true}}
  verdict: forbid
  severity: warn
  disposition: {{action: 处置, tell: 告知}}
  clause: town-2020#1
"""


def test_hash_ignores_comments_line_endings_file_names_and_order(write_pack):
    first, second = RULE.format(id="TN-RET-001"), RULE.format(id="TN-RET-002")
    one = load_pack(write_pack(folder="one", returns=first + second))
    other = load_pack(write_pack(folder="two", b=f"# 注释\n{first}", a=second))
    folder = write_pack(folder="three", returns=second + first)
    for path in folder.glob("*.yaml"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    windows = load_pack(folder)
    assert one.content_hash == other.content_hash == windows.content_hash
    assert one == load_pack(one.folder)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("title: 某规则", "title: 另一规则"),
        ("is: true", "is: false"),
        ("verdict: forbid", "verdict: advise"),
        ("severity: warn", "severity: info"),
        ("tell: 告知", "tell: 另行告知"),
        ("clause: town-2020#1", "clause: town-2020#2"),
        ("gate: return", "gate: return\n  priority: 7"),
        ("gate: return", "gate: return\n  effective_from: 2021-01-01"),
    ],
)
def test_hash_changes_with_every_part_of_a_rule(write_pack, before, after):
    text = RULE.format(id="TN-RET-001")
    assert before in text
    one = load_pack(write_pack(folder="one", returns=text))
    other = load_pack(write_pack(folder="two", returns=text.replace(before, after)))
    assert one.content_hash != other.content_hash


def test_hash_covers_clauses_limits_and_calendar(write_pack):
    hashes = {
        load_pack(write_pack(folder="one")).content_hash,
        load_pack(
            write_pack(folder="two", limits="- {id: resolve, title: 办结, stage: resolve, note: 未填}")
        ).content_hash,
        load_pack(
            write_pack(
                folder="three",
                pack="name: town\ntitle: 某镇\njurisdiction: 某镇\ncalendar: {office_hours: [['08:30', '12:00']]}\n",
            )
        ).content_hash,
    }
    assert len(hashes) == 3


def test_the_same_pack_has_the_same_id_in_any_place(tmp_path):
    shutil.copytree(PACKS, tmp_path / "packs")
    assert load_pack("weifang").id == load_pack(tmp_path / "packs" / "weifang").id
    assert load_pack("weifang").id == load_pack("weifang", root=tmp_path / "packs").id


def test_a_pack_inherits_rules_clauses_and_limits():
    national, weifang = load_pack("national"), load_pack("weifang")
    assert (weifang.lineage[0], weifang.lineage[-1]) == ("weifang", "national")
    assert {rule.id for rule in national.rules} < {rule.id for rule in weifang.rules}
    assert set(national.clauses) < set(weifang.clauses)
    assert [limit.pack for limit in weifang.limits if not limit.track] == ["weifang"] * 4
    assert weifang.calendar.clauses == national.calendar.clauses


def test_extends_in_a_circle_is_refused(write_pack, tmp_path):
    for name, parent in (("one", "two"), ("two", "one")):
        write_pack(folder=name, pack=f"name: {name}\ntitle: 某\njurisdiction: 某\nextends: {parent}\n")
    with pytest.raises(ZhipaiError, match="绕成了圈") as caught:
        load_pack(tmp_path / "one")
    assert caught.value.code == "E3014"


@pytest.mark.parametrize("name", ["nowhere", "../packs", "/nowhere", ""])
def test_a_pack_that_is_not_there_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZhipaiError) as caught:
        load_pack(name)
    assert caught.value.code == "E3014"


def test_a_cause_is_reported_before_its_consequences(write_pack):
    clauses = "- {id: town-2020, document: 某办法, source: T01, effective_from: 2020-13-01, clauses: []}"
    with pytest.raises(ZhipaiError) as caught:
        load_pack(write_pack(clauses=clauses, acceptance=RULE.format(id="TN-RET-001")))
    assert (caught.value.code, caught.value.where) == ("E3010", "town/clauses.yaml:1:63")


def test_a_file_that_would_be_passed_over_is_reported(write_pack):
    folder = write_pack(returns=RULE.format(id="TN-RET-001"))
    (folder / "returns.yaml").rename(folder / "returns.yml")
    with pytest.raises(ZhipaiError, match="扩展名") as caught:
        load_pack(folder)
    assert caught.value.where == "town/returns.yml:1:1"


def test_messages_name_no_path_of_the_machine(write_pack, tmp_path: Path):
    with pytest.raises(ZhipaiError) as caught:
        load_pack(write_pack(rules="- {id: 1}"))
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.where.startswith("town/rules.yaml:1:")


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ("- {id: resolve, title: 办结, stage: resolve}", "没有值也没有说明"),
        ("- {id: a, title: 甲, stage: resolve, note: 空}\n- {id: b, title: 乙, stage: resolve, note: 空}", "分不出用哪一个"),
        (
            "- {id: a, title: 甲, stage: resolve, kinds: [投诉], note: 空}\n"
            "- {id: b, title: 乙, stage: resolve, kinds: [投诉, 举报], note: 空}",
            "分不出用哪一个",
        ),
        ("- {id: a, title: 甲, stage: resolve, values: [{amount: 0, unit: 工作日, clause: town-2020#1}]}", "数量是 0"),
    ],
)  # fmt: skip
def test_limits_that_leave_the_choice_open_are_refused(write_pack, limits, problem):
    with pytest.raises(ZhipaiError, match=problem) as caught:
        load_pack(write_pack(limits=limits))
    assert caught.value.code == "E3016"


def test_limits_may_be_told_apart_by_kind(write_pack):
    text = (
        "- {id: a, title: 甲, stage: resolve, kinds: [投诉], note: 空}\n"
        "- {id: b, title: 乙, stage: resolve, kinds: [咨询], note: 空}\n"
        "- {id: c, title: 丙, stage: resolve, note: 空}\n"
    )
    assert len(load_pack(write_pack(limits=text)).limits) == 3


def manifest(name: str, extends: str) -> str:
    return f"name: {name}\ntitle: 某\njurisdiction: 某\nextends: {extends}\n"


def test_a_pack_extends_several_and_a_common_ancestor_is_read_once(write_pack):
    def at_home(name: str, rule: str, **files: str) -> Path:
        return write_pack(folder=name, clauses="[]", rules=RULE.format(id=rule), **files)

    write_pack(rules=RULE.format(id="TN-RET-001"), limits="- {id: resolve, title: 办结, stage: resolve, note: 未填}")
    at_home("left", "LE-RET-001", pack=manifest("left", "town"))
    limits = "- {id: resolve, title: 办结, stage: resolve, values: [{amount: 3, unit: 工作日, clause: town-2020#1}]}"
    at_home("right", "RI-RET-001", pack=manifest("right", "[town]"), limits=limits)
    bottom = at_home("bottom", "BO-RET-001", pack=manifest("bottom", "[left, right, town]"))
    pack = load_pack(bottom)
    assert pack.lineage == ("bottom", "right", "left", "town")
    assert [rule.id for rule in pack.rules] == ["BO-RET-001", "LE-RET-001", "RI-RET-001", "TN-RET-001"]
    assert [(limit.pack, bool(limit.values)) for limit in pack.limits] == [("right", True)]


def test_one_rule_id_in_two_parents_is_refused(write_pack):
    write_pack()
    for name in ("left", "right"):
        write_pack(folder=name, clauses="[]", pack=manifest(name, "town"), rules=RULE.format(id="TN-RET-001"))
    with pytest.raises(ZhipaiError, match=r"left/rules\.yaml:2:3") as caught:
        load_pack(write_pack(folder="bottom", clauses="[]", pack=manifest("bottom", "[left, right]")))
    assert (caught.value.code, caught.value.where) == ("E3011", "right/rules.yaml:2:3")


@pytest.mark.parametrize(
    ("extends", "code"),
    [("[town, nowhere]", "E3014"), ("[town, 7]", "E3003"), ("{a: b}", "E3003"), ("[town, bottom]", "E3014")],
)
def test_extends_that_cannot_be_followed_is_refused(write_pack, extends, code):
    write_pack()
    with pytest.raises(ZhipaiError) as caught:
        load_pack(write_pack(folder="bottom", clauses="[]", pack=manifest("bottom", extends)))
    assert (caught.value.code, caught.value.where.startswith("bottom/pack.yaml:4:")) == (code, True)
