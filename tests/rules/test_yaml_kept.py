"""Packs that share parents parse each text once; a file that changed meanwhile is read anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rules import yaml_reader
from rules.pack import PACKS, load_pack
from rules.yaml_reader import read_yaml


def test_packs_that_share_parents_read_each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[str] = []
    compose = yaml.compose

    def counted(text: str, **more: object) -> object:
        composed.append(text)
        return compose(text, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(yaml, "compose", counted)
    yaml_reader._parsed.cache_clear()
    names = sorted(path.parent.name for path in PACKS.glob("*/pack.yaml"))
    for name in names:
        first = load_pack(name).content_hash
        before = len(composed)
        assert load_pack(name).content_hash == first
        assert len(composed) == before
    assert len(composed) == len(set(composed)) > len(names)


def test_a_changed_file_and_another_name_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n", encoding="utf-8")
    first = read_yaml(path, "a.yaml", [])
    path.write_text("a: 2\n", encoding="utf-8")
    second, renamed = read_yaml(path, "a.yaml", []), read_yaml(path, "b.yaml", [])
    assert first and second and renamed
    assert (first.value["a"].value, second.value["a"].value) == (1, 2)  # type: ignore[call-overload,index,union-attr]
    assert renamed.mark.file == "b.yaml"


def test_what_is_wrong_is_said_every_time(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\na: 2\n", encoding="utf-8")
    for _ in range(2):
        problems: list = []
        read_yaml(path, "a.yaml", problems)
        assert [one.code for one in problems] == ["E3017"]
