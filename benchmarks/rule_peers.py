"""The same rules in two rule engines of others: zen-engine (GoRules) and datalogic-py (JSONLogic), both written in Rust.

They live in an environment of their own under the data folder and run in a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rules.ast import Condition, Leaf
from rules.fact_dictionary import Value
from service.settings import settings

#: Module → what is installed.
PEERS = {"zen": "zen-engine==2.1.3", "datalogic_py": "datalogic-py==5.9.0"}
WORKER = Path(__file__).with_name("rule_peer_worker.py")
_SIGNS = {"is": "==", "is_not": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_LOGIC = {"is": "===", "is_not": "!==", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def peer_rates(
    conditions: Sequence[Condition], rows: Sequence[Mapping[str, Value]], wanted: Sequence[Sequence[bool]]
) -> dict[str, float | str]:
    """Module of the peer → evaluations a second, or in words why there is no figure."""
    texts = {"zen": [_zen(one) for one in conditions], "datalogic_py": [_json_logic(one) for one in conditions]}
    found: dict[str, float | str] = {}
    for peer in PEERS:
        python = _environment(peer)
        if python is None:
            found[peer] = "跳过：装不上"
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump({"rules": texts[peer], "rows": rows, "wanted": wanted}, file, ensure_ascii=False)
            file.flush()
            command = [str(python), str(WORKER), peer, file.name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["没有说明"])[-1]
            found[peer] = f"跳过：没有跑成（{last[:120]}）"
            continue
        answer = json.loads(done.stdout)
        wrong = answer["wrong"]
        found[peer] = f"{answer['rate']:,.0f} 次/秒，但有 {wrong} 个结论与参考不同" if wrong else float(answer["rate"])
    return found


@cache
def _environment(peer: str) -> Path | None:
    """The interpreter of the peers' environment with this peer in it; None where it cannot be installed."""
    folder = settings().home / "bench-peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([str(python), "-c", f"import {peer}"], capture_output=True, check=False).returncode == 0:
        return python
    install = [str(python), "-m", "pip", "install", "--quiet", PEERS[peer]]
    return python if subprocess.run(install, capture_output=True, check=False).returncode == 0 else None


def _zen(condition: Condition) -> str:
    """The condition in ZEN's expression language: true exactly where it is known to be true."""
    if not isinstance(condition, Leaf):
        word = " and " if condition.op == "all" else " or "
        return f"({word.join(_zen(part) for part in condition.parts)})"
    name, literals = condition.fact, [json.dumps(value, ensure_ascii=False) for value in condition.values]
    if condition.op in ("present", "missing"):
        return f"({name} {'!=' if condition.op == 'present' else '=='} null)"
    if condition.op in ("in", "not_in"):
        return f"({name} != null and {name} {condition.op.replace('_', ' ')} [{', '.join(literals)}])"
    return f"({name} != null and {name} {_SIGNS[condition.op]} {literals[0]})"


def _json_logic(condition: Condition) -> dict[str, Any]:
    """The condition in JSONLogic."""
    if not isinstance(condition, Leaf):
        return {"and" if condition.op == "all" else "or": [_json_logic(part) for part in condition.parts]}
    value, literals = {"var": condition.fact}, list(condition.values)
    known: dict[str, Any] = {"!==": [value, None]}
    if condition.op == "present":
        return known
    if condition.op == "missing":
        return {"===": [value, None]}
    inside = {"in": [value, literals]}
    tests = {"in": inside, "not_in": {"!": [inside]}}
    test = tests.get(condition.op) or {_LOGIC[condition.op]: [value, literals[0]]}
    return {"and": [known, test]}
