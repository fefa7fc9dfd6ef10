"""Beside the direct peer baisitong2 (PyPI, MIT) on the same real orders in one run.

Ours: propose, decide and log (two HTTP calls, two synced transactions). The peer: submit (one call). The peer lives in an
environment of its own under the data folder and listens on loopback.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from statistics import median

from benchmarks.common import Row, own_home, percentile, real_texts
from benchmarks.server import Service, free_port, running, zhipai
from service.settings import settings

PEER = "baisitong2==1.0.2"
ORDERS = 1000
WARM = 10


def run() -> list[Row]:
    texts = real_texts(ORDERS)
    if texts is None:
        return [Row(f"与 {PEER} 对比", "跳过：没有真实工单（ZHIPAI_SHARED_DATA）")]
    python = environment()
    if python is None:
        return [Row(f"与 {PEER} 对比", "跳过：装不上对照软件")]
    port = free_port()
    with own_home() as home:
        peer_command = [
            str(python),
            "-m",
            "baisitong2",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--db",
            f"sqlite:///{home}/peer.db",
        ]
        with zhipai(home) as ours, running(peer_command, port=port, environment={}, probe="/") as peer:
            for text in texts[:WARM]:
                _ours(ours, text)
                _peer(peer, text)
            mine: list[float] = []
            theirs: list[float] = []
            categories: Counter[str] = Counter()
            for text in texts:
                started = time.perf_counter()
                _ours(ours, text)
                between = time.perf_counter()
                categories[_peer(peer, text)] += 1
                theirs.append(time.perf_counter() - between)
                mine.append(between - started)
    rows = []
    for name, share in (("中位", 0.5), ("p99", 0.99)):
        a, b = percentile(mine, share), percentile(theirs, share)
        rows.append(
            Row(
                f"建议＋决定＋留痕 ÷ 对照软件提交，{name}",
                f"{a / b:.2f} 倍（{a * 1e3:.1f} / {b * 1e3:.1f} ms，n={len(texts)}）",
                "< 1 倍",
                a < b,
            )
        )
    other = categories["其他"] / len(texts)
    rows.append(Row("对照软件归入“其他”的比例", f"{other:.0%}（n={len(texts)}；中位 {median(theirs) * 1e3:.1f} ms）"))
    return rows


def environment() -> Path | None:
    """The interpreter of the peer's environment; None where it cannot be installed."""
    folder = settings().home / "bench-peer"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([str(python), "-c", "import baisitong2"], capture_output=True, check=False).returncode == 0:
        return python
    done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", PEER], capture_output=True, check=False)
    return python if done.returncode == 0 else None


def _ours(service: Service, text: str) -> None:
    status, proposal = service.post("/v1/triage", {"text": text})
    if status != 200:
        # A text that we refuse is still answered; the peer files it under a category.
        return
    body = {
        "proposal_id": proposal["proposal_id"],
        "action": "accept",
        "unit": proposal["units"][0]["unit"],
        "actor": "bench",
    }
    status, answer = service.post("/v1/decisions", body, **{"Idempotency-Key": uuid.uuid4().hex})
    if status != 201:
        raise RuntimeError(f"POST /v1/decisions 返回 {status} {answer.get('code')}")


def _peer(service: Service, text: str) -> str:
    status, answer = service.post("/api/appeals", {"content": text})
    if status != 200:
        raise RuntimeError(f"对照软件返回 {status}")
    return (answer["data"]["categories"] or ["其他"])[0]
