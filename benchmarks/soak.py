"""``python -m benchmarks.soak [--minutes 15]``: a mixed load on a real service, as ``make soak`` runs it.

A ``zhipai serve`` of its own (loopback, a copy of the data folder, SQLite) gets proposals, decisions, searches and
publications. In the first minute the clients ask as fast as they are answered: that is the capacity. From then on they
keep to 80 % of it, by a timetable that does not wait for slow answers. Prints its figures as Markdown (docs/soak.md);
exits with 1 if there was an error, an answer was lost, or the memory grew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import numpy as np
import psutil
from sqlalchemy import select

from benchmarks.common import city_texts, own_home, percentile
from benchmarks.server import Service, zhipai
from service.audit.keys import KeyStore
from service.audit.verify import verify_log
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS

CLIENTS = 6
SHARE = 0.8
CAPACITY_SECONDS, WARM_SECONDS, SAMPLE_SECONDS = 60, 20, 5
#: Of a hundred: ten proposals that stay proposals, and so on. A publication is three requests (起草、送审、发布).
MIX = ["triage"] * 49 + ["decide"] * 30 + ["search"] * 20 + ["publish"]
NAMES = {"triage": "建议", "decide": "决定", "search": "查知识库", "publish": "发布条目"}
#: What the memory may grow in an hour, as a share of what it is. 常识推断: ten days until it has doubled would be noticed.
GROWTH = 0.10


@dataclass
class Tally:
    """What happened. Lists and counters of CPython take appends from several threads."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    errors: Counter[str] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


class Load:
    """What clients ask for, in the order of :data:`MIX`."""

    def __init__(self, tally: Tally, entries: list[str]):
        self.tally, self.texts = tally, city_texts(400)
        self.proposals: deque[dict[str, Any]] = deque(maxlen=500)
        self.entries, self.publishing = deque(entries), threading.Lock()
        self.number, self.counting = 0, threading.Lock()

    def take(self) -> int:
        with self.counting:
            self.number += 1
            return self.number - 1

    def ask(self, service: Service, number: int, *, due: float | None = None) -> None:
        """One step; its time counts from when it was due."""
        # 37 is prime to the length of the mix: the kinds come in turns, not in blocks.
        kind = MIX[number * 37 % len(MIX)]
        started = time.perf_counter() if due is None else due
        try:
            getattr(self, kind)(service, number)
            self.tally.seconds[kind].append(time.perf_counter() - started)
        except Refused as error:
            self.tally.errors[f"{NAMES[kind]}：{error}"] += 1
        except (OSError, HTTPException) as error:
            self.tally.errors[f"{NAMES[kind]}：{type(error).__name__}"] += 1
            service.connection.close()

    def triage(self, service: Service, number: int) -> dict[str, Any]:
        body = _sent(service, "/v1/triage", {"text": f"{self.texts[number % len(self.texts)]}（{number}）"})
        self.proposals.append(body)
        return body

    def decide(self, service: Service, number: int) -> None:
        try:
            body = self.proposals.popleft()
        except IndexError:
            body = self.triage(service, number)
            self.proposals.remove(body)
        unit = body["units"][0]["unit"] if body["units"] else "市政府办公室"
        asked = {
            "proposal_id": body["proposal_id"],
            "action": "override",
            "unit": unit,
            "actor": "pd-1",
            "reason": "按职责清单",
        }
        told = _sent(service, "/v1/decisions", asked, **{"Idempotency-Key": uuid.uuid4().hex})
        self.tally.acknowledged.append(told["decision_id"])

    def search(self, service: Service, number: int) -> None:
        service.connection.request("GET", f"/v1/kb/search?q={quote(self.texts[number % len(self.texts)][:40])}")
        _answer(service)

    def publish(self, service: Service, number: int) -> None:
        """A new version of an entry that is there: the knowledge base stays as large as it is."""
        with self.publishing:
            entry_id = self.entries[0]
            self.entries.rotate(-1)
            service.connection.request("GET", f"/v1/kb/entries/{entry_id}")
            seen = _answer(service)
            kept = {
                name: value
                for name, value in seen["entry"].items()
                if name not in ("id", "state", "body_html", "citations")
            }
            kept["answer"] = f"{kept['answer'].split('（第')[0]}（第 {number} 次核对）"
            path, at = f"/v1/kb/entries/{entry_id}", seen["revision"]
            at = _sent(service, f"{path}/draft", {"actor": "维护员甲", "revision": at, "entry": kept})["revision"]
            at = _sent(service, f"{path}/submit", {"actor": "维护员甲", "revision": at})["revision"]
            told = _sent(service, f"{path}/publish", {"actor": "审核员乙", "revision": at, "reason": "核对无误"})
            self.tally.acknowledged.append(told["decision_id"])


class Refused(Exception):
    """An answer that is no 2xx."""


def _sent(service: Service, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    status, told = service.post(path, body, **headers)
    if status >= 300:
        raise Refused(f"{status} {told.get('code', '')}")
    return told


def _answer(service: Service) -> dict[str, Any]:

    answer = service.connection.getresponse()
    told = json.loads(answer.read())
    if answer.status >= 300:
        raise Refused(f"{answer.status} {told.get('code', '')}")
    return told


def _clients(service: Service, work: Callable[[Service], None]) -> None:
    """Several threads, each with a connection of its own, until all have come back."""

    def one() -> None:
        own = Service(service.port, service.process, service.ready_seconds)
        work(own)
        own.connection.close()

    threads = [threading.Thread(target=one) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory(pid: int) -> float:
    """Resident MB of a process and all below it."""
    found = 0
    root = psutil.Process(pid)
    for one in [root, *root.children(recursive=True)]:
        try:
            found += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return found / 2**20


def _capacity(service: Service, load: Load, seconds: float) -> float:
    """Steps a second while everybody asks as fast as he is answered; the beginning does not count."""
    begun = time.perf_counter()
    done: list[float] = []

    def work(own: Service) -> None:
        while time.perf_counter() - begun < seconds:
            load.ask(own, load.take())
            done.append(time.perf_counter() - begun)

    _clients(service, work)
    warm = min(WARM_SECONDS, seconds / 3)
    return sum(warm <= at <= seconds for at in done) / (seconds - warm)


def _steady(service: Service, load: Load, rate: float, seconds: float) -> None:
    """Steps by a timetable."""
    begun = time.perf_counter()
    first = load.number

    def work(own: Service) -> None:
        while True:
            number = load.take()
            due = begun + (number - first) / rate
            if due - begun >= seconds:
                return
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            load.tally.late.append(max(0.0, time.perf_counter() - due))
            load.ask(own, number, due=due)

    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            load.tally.memory.append((time.perf_counter() - begun, _memory(service.process.pid)))

    watching = threading.Thread(target=sample)
    watching.start()
    try:
        _clients(service, work)
    finally:
        stop.set()
        watching.join()


def _kept(home: Path, acknowledged: list[str]) -> tuple[bool, int, int]:
    """Whether the log is whole, how long it is, and how many acknowledged decisions it lacks."""
    engine = make_engine(f"sqlite:///{home / 'zhipai.db'}")
    report = verify_log(engine, keys=KeyStore(home / "keys").public_keys())
    with reading(engine) as connection:
        found = set(connection.execute(select(DECISIONS.c.decision_id)).scalars())
    engine.dispose()
    return report.whole, report.size, len(set(acknowledged) - found)


def main() -> int:
    parser = argparse.ArgumentParser(description="持续混合负载")
    parser.add_argument("--minutes", type=float, default=15, help="一共几分钟，第一分钟量容量")
    parser.add_argument("--workers", type=int, default=2, help="服务进程数")
    chosen = parser.parse_args()
    total = max(0.2, chosen.minutes) * 60
    first = min(CAPACITY_SECONDS, total / 3)
    # One address asks for everybody here; the limit for each client is not what is tested.
    os.environ["ZHIPAI_REQUESTS_PER_MINUTE"] = "1000000"
    with own_home() as home:
        with zhipai(home, workers=chosen.workers) as service:
            service.connection.request("GET", "/v1/kb/entries?state=%E5%8F%91%E5%B8%83&limit=50")
            tally = Tally()
            load = Load(tally, [row["id"] for row in _answer(service)["entries"]])
            print("… 量容量", file=sys.stderr, flush=True)
            capacity = _capacity(service, load, first)
            tally.seconds = {name: [] for name in NAMES}
            print(f"… 每秒 {capacity:.1f} 步，按八成持续", file=sys.stderr, flush=True)
            _steady(service, load, SHARE * capacity, total - first)
        whole, size, lost = _kept(home, tally.acknowledged)
    return _print(tally, capacity, chosen.workers, total - first, whole, size, lost)


def _print(tally: Tally, capacity: float, workers: int, seconds: float, whole: bool, size: int, lost: int) -> int:
    steady = tally.memory[len(tally.memory) // 3 :]
    slope = float(np.polyfit(*zip(*steady, strict=True), 1)[0]) * 3600 if len(steady) > 2 else float("nan")
    now = steady[-1][1] if steady else float("nan")
    flat = slope <= GROWTH * now
    errors = sum(tally.errors.values())
    print(f"容量每秒 {capacity:.1f} 步（{CLIENTS} 个客户端，{workers} 个服务进程，{os.cpu_count()} 核，"
          f"结束时一分钟负载 {os.getloadavg()[0]:.1f}）；其后 {seconds / 60:.0f} 分钟按每秒 {SHARE * capacity:.1f} 步。\n")  # fmt: skip
    print("| 步 | 次数 | 中位 ms | p99 ms | 最慢 ms |\n|---|---|---|---|---|")
    for kind, name in NAMES.items():
        spent = [one * 1e3 for one in tally.seconds[kind]]
        if spent:
            print(
                f"| {name} | {len(spent):,} | {median(spent):.0f} | {percentile(spent, 0.99):.0f} | {max(spent):.0f} |"
            )
    print("\n| 项目 | 量到的 | 要求 | 结果 |\n|---|---|---|---|")
    rows = [
        ("错误", f"{errors}{'：' + '，'.join(f'{what} {n} 次' for what, n in tally.errors.most_common(5)) if errors else ''}", "0", errors == 0),
        ("答复过而日志里没有的决定", f"{lost}（日志 {size:,} 条，验证{'通过' if whole else '没有通过'}）", "0", whole and not lost),
        ("全部服务进程的内存", f"{steady[0][1]:.0f} → {now:.0f} MB，每小时 {slope:+.0f} MB" if steady else "没有量", f"每小时增长 ≤ {GROWTH:.0%}", flat),
        ("开始得最晚的一步", f"晚 {max(tally.late, default=0):.1f} 秒", "—", None),
    ]  # fmt: skip
    for what, figure, goal, reached in rows:
        print(f"| {what} | {figure} | {goal} | { {True: '达到', False: '未达到', None: '—'}[reached] } |")
    return 0 if all(reached is not False for *_, reached in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
