"""Fixtures of the rule tests: a pack written by hand into a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from zoneinfo import ZoneInfo

import pytest

from rules import RulePack, load_pack

MANIFEST = "name: town\ntitle: 某镇\njurisdiction: 某镇\n"
CLAUSES = """
- id: town-2020
  document: 某镇热线办法
  source: T01
  effective_from: 2020-01-01
  effective_to: 2030-01-01
  clauses:
    - {id: "1", article: 第一条, confidence: 原文已读, summary: 摘要一。}
    - {id: "2", article: "", confidence: 常识推断, summary: 摘要二。}
"""

WritePack = Callable[..., Path]


@pytest.fixture
def as_of() -> datetime:
    return datetime(2026, 5, 6, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def write_pack(tmp_path: Path) -> WritePack:
    """Write a pack folder from texts by file name; manifest and clauses have a usable default."""

    def write(*, folder: str = "town", **files: str) -> Path:
        home = tmp_path / folder
        texts = {"pack": MANIFEST, "clauses": CLAUSES} | files
        for name, text in texts.items():
            path = home / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return home

    return write


@pytest.fixture
def one_rule(write_pack: WritePack) -> Callable[..., RulePack]:
    """A pack with one rule that has the given condition (YAML flow style) and other keys."""

    def load(when: str, **keys: str) -> RulePack:
        lines = {
            "id": "TN-RET-001",
            "title": "某规则",
            "gate": "return",
            "when": when,
            "verdict": "forbid",
            "severity": "warn",
            "disposition": "{action: 处置, tell: 告知}",
            "clause": "town-2020#1",
        } | keys
        return load_pack(write_pack(rules="- " + "\n  ".join(f"{key}: {value}" for key, value in lines.items())))

    return load
