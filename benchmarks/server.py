"""Start a real service in a process of its own, on loopback, and talk to it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """One running service: a kept-alive connection, its process, and how long it took to answer."""

    port: int
    process: subprocess.Popen[bytes]
    ready_seconds: float

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body).encode()
        self.connection.request("POST", path, content, {"Content-Type": "application/json", **headers})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text)

    def worker_rss_mb(self) -> float:
        """Resident memory of the largest process below the one that was started."""
        root = psutil.Process(self.process.pid)
        family = [root, *root.children(recursive=True)]
        return max(one.memory_info().rss for one in family) / 2**20


@contextmanager
def running(command: list[str], *, port: int, environment: dict[str, str], probe: str) -> Iterator[Service]:
    """Start a command, wait until ``probe`` answers 200, stop it by its id at the end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port, probe):
            if process.poll() is not None or time.perf_counter() - started > 180:
                raise RuntimeError(f"服务没有启动成功：{' '.join(command[:4])}")
            time.sleep(0.05)
        yield Service(port, process, time.perf_counter() - started)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def zhipai(home: Path, *, workers: int = 1) -> Any:
    """Our service on a data folder of its own."""
    port = free_port()
    command = [sys.executable, "-m", "service", "serve", "--port", str(port), "--workers", str(workers)]
    return running(command, port=port, environment={"ZHIPAI_HOME": str(home)}, probe="/readyz")
