"""What the security documents claim is there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from service.access import ROLES
from service.settings import Settings

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_is_named_exists(root: Path) -> None:
    named = NAMED.findall((root / "docs/security.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    for path, function in named:
        assert re.search(rf"^def {function}\(", (root / path).read_text(encoding="utf-8"), re.MULTILINE), function


def test_every_row_names_a_test(root: Path) -> None:
    rows = [
        line
        for line in (root / "docs/security.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith(("| 控制点", "| 条款", "| 事项"))
    ]
    assert rows and all(NAMED.search(row) for row in rows)


def test_every_role_and_setting_is_told(root: Path) -> None:
    access = (root / "docs/access.md").read_text(encoding="utf-8")
    assert all(f"| {role.title} | `{role.id}` |" in access for role in ROLES.values())
    told = (root / "docs/operate.md").read_text(encoding="utf-8")
    ours = [name for name in Settings.model_fields if name.startswith(("oidc", "password", "session", "sign_in"))]
    for name in [*ours, "allowed_hosts", "public_url", "cookie_secure", "requests_per_minute", "max_upload_bytes"]:
        assert f"`ZHIPAI_{name.upper()}`" in told, name


@pytest.mark.parametrize(
    ("rows", "code", "says"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "0 个已知漏洞"),
        ([{"name": "a", "skip_reason": "not found"}], 3, "没有查到"),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}], 1, "X-1，修复于 2"),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "x"}], 0, "1 个没有数据"),
    ],
)
def test_audit_says_what_it_could_not_check(root: Path, rows: list[dict], code: int, says: str) -> None:
    judge = runpy.run_path(str(root / "tools/audit_deps.py"))["judge"]
    found, lines = judge({"dependencies": rows})
    assert found == code and says in "".join(lines)
