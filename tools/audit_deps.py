"""Known vulnerabilities of the pinned dependencies. Needs an index that has them; where it has none, it says so.

Exit code 0: nothing known; 1: something is known; 3: nothing could be checked (0 with ``--tolerant``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")


def judge(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit code and lines for a report of ``pip-audit --format json``."""
    rows = report["dependencies"]
    unknown = [row for row in rows if "skip_reason" in row]
    bad = [(row, one) for row in rows for one in row.get("vulns", ())]
    if len(unknown) == len(rows):
        return 3, ["没有查到：索引没有漏洞数据，或没有应答。请在能连公共索引的机器上再查。"]
    lines = [
        f"{row['name']} {row['version']}：{one['id']}，修复于 {'、'.join(one['fix_versions']) or '尚无'}"
        for row, one in bad
    ]
    lines.append(f"查了 {len(rows) - len(unknown)} 个包，{len(bad)} 个已知漏洞；{len(unknown)} 个没有数据。")
    return (1 if bad else 0), lines


def main(arguments: list[str]) -> int:
    worst = 0
    for lock in LOCKS:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", "-r", str(ROOT / lock), "--no-deps", "--disable-pip",
             "--format", "json", "--progress-spinner", "off"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        try:
            code, lines = judge(json.loads(done.stdout))
        except (ValueError, KeyError):
            code, lines = 3, ["没有查到：索引没有应答。"]
        print(lock, *lines, sep="\n  ")  # noqa: T201
        worst = max(worst, 0 if code == 3 and "--tolerant" in arguments else code)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
