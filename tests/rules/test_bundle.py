"""Bundles: one version, one hash, on every machine and for ever."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from rules import load_pack
from rules.bundle import at_present, make_bundle, read_bundle
from rules.pack import PACKS

OVERRIDES = """
parameters:
  most: {value: 4, source: 某镇热线考核细则第三条, effective_from: 2026-01-01}
"""
PARAMETERS = "- {id: most, title: 最多几次, type: int, note: 未填}\n"
RULE = """
- id: TN-RET-001
  title: 某规则
  gate: return
  when: {fact: handling_unit_count, gt: {parameter: most}}
  verdict: advise
  severity: info
  disposition: {action: 处置, tell: ""}
  clause: town-2020#1
"""


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The packs somewhere else, with other line ends, other folder order, comments added."""
    root = tmp_path / "elsewhere"
    for folder in sorted((path.parent for path in PACKS.glob("*/pack.yaml")), reverse=True):
        shutil.copytree(folder, root / folder.name)
    for path in root.rglob("*.yaml"):
        path.write_bytes(b"\xef\xbb\xbf# \xe6\xb3\xa8\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    return root


def test_the_same_pack_elsewhere_has_the_same_hash_and_other_line_ends_the_same_bytes(moved: Path, tmp_path: Path):
    here, there = load_pack("weifang"), load_pack("weifang", root=moved)
    assert here.content_hash == there.content_hash
    shutil.copytree(PACKS, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.yaml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    copied = load_pack("weifang", root=tmp_path / "copy")
    assert make_bundle(here).content == make_bundle(copied, root=tmp_path / "copy").content


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7"}]
)
def test_the_hash_does_not_depend_on_the_process(environment: dict[str, str], tmp_path: Path):
    code = "from rules.pack import load_pack; from rules.bundle import make_bundle; b = make_bundle(load_pack('weifang')); print(b.content_hash, b.hash)"
    here = make_bundle(load_pack("weifang"))
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **environment, "PYTHONPATH": str(PACKS.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [here.content_hash, here.hash]


@pytest.mark.parametrize("name", ["national", "weifang"])
def test_a_bundle_gives_back_the_pack_with_its_id(name: str):
    pack = load_pack(name)
    bundle = read_bundle(make_bundle(pack).content, version=pack.content_hash)
    loaded = bundle.load()
    assert (loaded.id, loaded.to_data()) == (pack.id, pack.to_data())
    assert {file.split("/")[0] for file in bundle.files} == set(pack.lineage)


def test_a_bundle_holds_what_the_user_filled_in(write_pack, tmp_path: Path):
    folder = write_pack(parameters=PARAMETERS, rules=RULE)
    own = tmp_path / "甲方.yaml"
    own.write_text(OVERRIDES, encoding="utf-8")
    pack = load_pack(folder, overrides=own)
    assert pack.content_hash != load_pack(folder).content_hash
    bundle = make_bundle(pack, overrides=own)
    shutil.rmtree(folder)
    own.unlink()
    assert bundle.load().parameters["most"].values[0].value == 4


def test_a_pack_that_extends_its_neighbour_brings_it_along(write_pack):
    write_pack(folder="town", rules=RULE.replace("{parameter: most}", "3"))
    child = write_pack(
        folder="street", pack="name: street\ntitle: 某街\njurisdiction: 某街\nextends: [town]\n", clauses="[]"
    )
    bundle = make_bundle(load_pack(child))
    assert {"street/pack.yaml", "town/pack.yaml", "town/rules.yaml"} <= set(bundle.files)
    assert [rule.id for rule in bundle.load().rules] == ["TN-RET-001"]


def test_an_altered_bundle_is_refused(write_pack):
    pack = load_pack(write_pack(rules=RULE.replace("{parameter: most}", "3")))
    content = make_bundle(pack).content
    for altered in (content.replace("处置".encode(), "放行".encode()) + b" ", b"{}", b"nonsense", content[:-1]):
        with pytest.raises(ZhipaiError) as caught:
            read_bundle(altered, version=pack.content_hash)
        assert caught.value.code == "E3501"
    with pytest.raises(ZhipaiError) as caught:
        read_bundle(content, version="0" * 64)
    assert caught.value.code == "E3501"


def test_files_that_say_something_else_than_was_published_are_refused(write_pack):
    pack = load_pack(write_pack(rules=RULE.replace("{parameter: most}", "3")))
    document = json.loads(make_bundle(pack).content)
    document["files"]["town/rules.yaml"] = document["files"]["town/rules.yaml"].replace("gt: 3", "gt: 4")
    content = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(ZhipaiError, match="rules") as caught:
        read_bundle(content, version=pack.content_hash).load()
    assert caught.value.code == "E3502"


def test_a_version_of_older_software_keeps_its_id(write_pack):
    """Older software wrote down less; what it did not know is empty in a pack of its time."""
    pack = load_pack(write_pack(rules=RULE.replace("{parameter: most}", "3")))
    document = json.loads(make_bundle(pack).content)
    del document["data"]["parameters"]
    document |= {"content_hash": "a" * 64}
    document["data"]["basis"] = ["facts-of-then", "words-of-then"]
    content = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    old = read_bundle(content, version="a" * 64).load()
    assert old.id == "town@aaaaaaaaaaaa"
    assert at_present(old).content_hash == pack.content_hash, "现在使用时，编号说明现在的事实字典和词表"


def test_a_pack_of_today_is_used_as_it_is():
    pack = load_pack("national")
    assert at_present(pack) is pack
