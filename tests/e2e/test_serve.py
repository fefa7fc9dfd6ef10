"""``zhipai serve`` as a process: ready, refused, survived."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from service.settings import load_settings
from tests.service.conftest import fresh_home
from training.champion import champion


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "service", "setup"], check=True, capture_output=True)
    return fresh_home(load_settings(), tmp_path / "home").home


def start(home: Path, port: int, *, workers: int = 1, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", str(port), "--workers", str(workers)],
        env={**os.environ, "ZHIPAI_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ask(port: int, method: str, path: str, body: dict | None = None, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"} | headers
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the service answers; a bound for a service that never does, not a measurement."""
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(process.stderr.read().decode() if process.stderr else "")
        try:
            if ask(port, "GET", "/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("服务没有在一分钟内应答")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it and its workers. The parent hears a signal only between two health checks, so it is given their time."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.communicate(timeout=100)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    for child in psutil.wait_procs(family, timeout=5)[1]:
        child.kill()


@pytest.fixture
def service(home: Path) -> Iterator[tuple[Path, int, subprocess.Popen[bytes]]]:
    port = free_port()
    process = start(home, port, workers=2)
    try:
        wait_ready(port, process)
        yield home, port, process
    finally:
        stop(process)


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr.decode()


def test_second_service_on_the_same_data_and_a_killed_worker(service) -> None:
    home, port, process = service
    code, message = finished(start(home, free_port()))
    assert (code, "[E7502]" in message, str(process.pid) in message) == (3, True, True), message

    code, message = finished(start(home, port))
    assert (code, "[E7501]" in message) == (3, True), message

    status, proposal = ask(port, "POST", "/v1/triage", {"text": "路灯坏了三天没人修，晚上很黑"})
    assert status == 200
    body = {
        "proposal_id": proposal["proposal_id"],
        "action": "accept",
        "unit": proposal["units"][0]["unit"],
        "actor": "a",
    }
    status, record = ask(port, "POST", "/v1/decisions", body, **{"Idempotency-Key": uuid.uuid4().hex})
    assert status == 201

    workers = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    workers[0].send_signal(signal.SIGKILL)
    wait_ready(port, process)
    status, again = ask(port, "GET", f"/v1/decisions/{record['decision_id']}")
    assert (status, again) == (200, record), "已应答的决定在进程被杀后仍在"


@pytest.mark.parametrize(("host", "code", "exit_code"), [("0.0.0.0", "E7503", 4), ("example.org", "E7503", 4)])
def test_only_loopback_may_be_bound(home: Path, host: str, code: str, exit_code: int) -> None:
    returned, message = finished(start(home, free_port(), ZHIPAI_HOST=host))
    assert (returned, f"[{code}]" in message) == (exit_code, True), message


def test_model_file_cut_short_is_named_at_the_start(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    shutil.copytree(load_settings().mlruns, store)
    in_force = champion(store)
    assert in_force is not None
    victim = max(in_force.path.rglob("*.np*"), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:1000])
    code, message = finished(start(home, free_port(), ZHIPAI_MLRUNS=str(store)))
    assert code == 3, message
    assert "[E2" in message and victim.name in message
    assert "Traceback" not in message
