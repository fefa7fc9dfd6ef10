"""A backtest over a file and over the decision log: resumable, the same with any number of workers, nothing leaks."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.order import WorkOrder
from rules import load_pack
from rules.backtest import Truth
from rules.backtest_page import render_page
from service import clock
from service.backtest import run_backtest
from service.backtest_facts import FactCache
from service.backtest_sources import DecisionLog, OrderFile
from service.backtest_state import Outcome, Plan
from service.backtest_tables import write_workbook
from service.cli.backtest import make_report, pack_or_version
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.decisions import DecisionRequest, decide
from service.orders import store_proposal
from service.publication import Order, attach_backtest, check_folder, publish
from service.settings import Settings, load_settings
from service.snapshot import Snapshot
from service.triage import propose

AS_OF = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
HEADER = ["编号", "诉求内容", "单位", "区", "关联", "受理时间"]
TEXTS = [
    "某小区楼下烧烤店夜里油烟很大，找店家说过没用。",
    "张三的电话是13812345678，反映路灯不亮三天了。",
    "刚才路口两车相撞有人受伤流血，请赶快派救护车。",
    "不服法院判决，要求重新审理房屋买卖合同一案。",
    "=HYPERLINK(\"http://example.invalid\") 请问公积金怎么提取？",
]  # fmt: skip
MAPPING = {
    "columns": {
        "order_id": "编号", "text": "诉求内容", "unit": "单位", "district": "区", "related": "关联", "received_at": "受理时间"
    }
}  # fmt: skip


def write_orders(path: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for number in range(count):
            text = "" if number % 50 == 49 else f"{TEXTS[number % len(TEXTS)]}第{number // 10}次。"
            received = "" if number % 7 == 0 else f"2026-0{1 + number % 4}-11 08:30:00"
            related = f"A{number - 1}" if number % 6 == 0 else ""
            table.writerow([f"A{number}", text, f"{'甲乙丙'[number % 3]}局", "东区", related, received])
    return path


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    return write_orders(tmp_path / "orders.csv", 620)


def source(path: Path, **more: Any) -> OrderFile:
    return OrderFile(path, Mapping.from_dict(MAPPING), **more)


def plan(**more: Any) -> Plan:
    fixed: dict[str, Any] = {"new": load_pack("jinan"), "old": load_pack("national"), "gazetteer": Gazetteer.empty()}
    fixed |= {"gates": ("acceptance", "dispatch"), "as_of": AS_OF, "moment": AS_OF.isoformat(), "every": 200}
    return Plan(**(fixed | more))


def quiet(step: str, done: int, total: int) -> None:
    pass


def run(chosen: Plan, file: Any, checkpoint: Path, *, resume: bool = False) -> Outcome:
    return run_backtest(chosen, file, checkpoint=checkpoint, resume=resume, progress=quiet)


def written(chosen: Plan, file: Any, outcome: Outcome, folder: Path) -> dict[str, bytes]:
    """The three results as bytes."""
    report = make_report(chosen, file, outcome)
    folder.mkdir()
    write_workbook(report, folder / "backtest.xlsx")
    return {
        "json": json.dumps(report, ensure_ascii=False).encode(),
        "html": render_page(report).encode(),
        "xlsx": (folder / "backtest.xlsx").read_bytes(),
    }


def test_interrupted_and_continued_is_the_same_to_the_byte(orders: Path, tmp_path: Path) -> None:
    truths = (Truth("t", "duplicate_of_open", "诉求内容", ("重复",)),)
    chosen, file = plan(truths=truths), source(orders, truths=truths)
    whole = written(chosen, file, run(chosen, file, tmp_path / "a.json"), tmp_path / "a")

    def stop(step: str, done: int, total: int) -> None:
        if done >= 400:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "b.json"
    with pytest.raises(ZhipaiError, match="E3405") as caught:
        run_backtest(chosen, file, checkpoint=checkpoint, resume=False, progress=stop)
    assert caught.value.exit_code == 130 and "--resume" in caught.value.message
    assert json.loads(checkpoint.read_text(encoding="utf-8"))["rows"] == 400
    continued = run(chosen, file, checkpoint, resume=True)
    assert written(chosen, file, continued, tmp_path / "b") == whole
    assert not checkpoint.exists()


def test_workers_do_not_change_the_outcome(orders: Path, tmp_path: Path) -> None:
    file = source(orders)
    results = [
        written(chosen, file, run(chosen, file, tmp_path / "c.json"), tmp_path / f"w{chosen.workers}")
        for chosen in (plan(workers=1), plan(workers=2, cache=tmp_path / "facts"))
    ]
    assert results[0] == results[1]


def test_resume_needs_the_same_packs_file_and_options(orders: Path, tmp_path: Path) -> None:
    file, checkpoint = source(orders), tmp_path / "c.json"
    with pytest.raises(ZhipaiError, match="E3404"):
        run(plan(), file, checkpoint, resume=True)
    Outcome(AS_OF, rows=200).save(checkpoint, plan().identity(file))
    with pytest.raises(ZhipaiError, match="E3404") as caught:
        run(plan(new=load_pack("weifang"), limit=9), file, checkpoint, resume=True)
    assert "新规则包、行数上限已改变" in caught.value.message
    with orders.open("a", encoding="utf-8") as added:
        added.write("B1,新的一行诉求,甲局,东区,,\n")
    with pytest.raises(ZhipaiError, match="E3404") as caught:
        run(plan(), source(orders), checkpoint, resume=True)
    assert "工单文件已改变" in caught.value.message


def test_second_run_takes_the_facts_from_the_cache(orders: Path, tmp_path: Path) -> None:
    file, chosen = source(orders), plan(cache=tmp_path / "facts")
    first = run(chosen, file, tmp_path / "c.json")
    second = run(chosen, file, tmp_path / "c.json")
    assert (first.speed.cached, second.speed.derived) == (0, 0)
    assert second.speed.cached == first.speed.derived == second.tally.evaluated
    assert second.tally == first.tally
    assert not any("油烟".encode() in path.read_bytes() for path in (tmp_path / "facts").iterdir())
    FactCache(tmp_path / "facts").prune(limit=0)
    assert not list((tmp_path / "facts").iterdir())


def test_rows_that_cannot_be_judged_are_counted_and_said(orders: Path, tmp_path: Path) -> None:
    file = source(orders)
    received = plan(as_of=None, moment="received")
    outcome = run(received, file, tmp_path / "c.json")
    report = make_report(received, file, outcome)
    skipped = {row["code"]: row["orders"] for row in report["skipped"]}
    assert set(skipped) == {"E1001", "E3403"}
    assert report["totals"]["evaluated"] + sum(skipped.values()) == report["totals"]["rows"] == 620
    assert [row["name"] for row in report["months"]] == ["2026-01", "2026-02", "2026-03", "2026-04"]


def test_limit_reads_no_further(orders: Path, tmp_path: Path) -> None:
    assert run(plan(limit=30), source(orders), tmp_path / "c.json").rows == 30


def test_examples_are_masked_and_the_workbook_runs_nothing(orders: Path, tmp_path: Path) -> None:
    chosen, file = plan(old=None), source(orders)
    results = written(chosen, file, run(chosen, file, tmp_path / "c.json"), tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / "backtest.xlsx") as archive:
        sheets = b"".join(archive.read(name) for name in archive.namelist())
    for content in (results["json"], results["html"], sheets):
        assert b"13812345678" not in content
    book = openpyxl.load_workbook(tmp_path / "out" / "backtest.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    for shown in (results["json"].decode(), results["html"].decode(), "".join(str(cell.value) for cell in cells)):
        assert "油烟" in shown
    assert all(cell.data_type in ("s", "n", "inlineStr") for cell in cells)
    assert any(str(cell.value).startswith("=HYPERLINK") for cell in cells)


def test_column_of_a_truth_must_exist(orders: Path) -> None:
    with pytest.raises(ZhipaiError, match="E3402"):
        source(orders, truths=(Truth("t", "out_of_city", "没有的列", ("1",)),))


def test_decisions_are_compared_with_what_was_logged(config: Settings, snapshot: Snapshot, tmp_path: Path) -> None:
    engine = make_engine(config.url)
    at = clock.now()
    before = DecisionLog(engine, ("acceptance",)).last
    for number, text in enumerate(TEXTS[:3]):
        order = WorkOrder(text=text, order_id=f"BT-{number}")
        proposal = propose(order, as_of=at, snapshot=snapshot)
        store_proposal(engine, order, proposal, at=at)
        unit = proposal.units[0]["unit"]
        request = DecisionRequest(proposal.proposal_id, "accept", unit, "pd-017", "", f"backtest-{number}")
        decide(engine, request, directory=lambda: snapshot.directory, software="t", request_id="r", at=at)
    gates = ("acceptance", "dispatch")
    log = DecisionLog(engine, gates, since=at, directory=snapshot.directory)
    same = plan(new=snapshot.rules.pack, old=None, as_of=None, moment="received", gazetteer=snapshot.gazetteer)
    outcome = run(same, log, tmp_path / "c.json")
    report = make_report(same, log, outcome)
    assert log.last == before + 3 and report["totals"]["evaluated"] == 3
    assert report["against"]["id"] == "决定记录"
    assert [row["rule"] for row in report["rules"] if row["gained"] or row["lost"] or row["verify"]] == []
    other = plan(new=load_pack("national"), old=None, as_of=None, moment="received", gazetteer=snapshot.gazetteer)
    found = make_report(other, log, run(other, log, tmp_path / "c.json"))
    assert found["totals"]["evaluated"] == 3
    later = DecisionLog(engine, gates, since=at + timedelta(seconds=1))
    assert list(later.entries(None)) == []


def test_published_version_and_the_report_that_goes_with_it(small_pack: Path, orders: Path, tmp_path: Path) -> None:
    config = load_settings(home=tmp_path / "home", pack=str(small_pack))
    config.home.mkdir()
    engine = make_engine(config.url)
    upgrade(engine)
    publish(engine, check_folder(str(small_pack)), Order("pd-017", "首次发布"), software="t", at=AS_OF)
    pack = pack_or_version(config, load_pack(small_pack).id)
    assert pack.content_hash == load_pack(small_pack).content_hash
    file, chosen = source(orders), plan(new=pack, old=None)
    report = tmp_path / "backtest.json"
    report.write_bytes(written(chosen, file, run(chosen, file, tmp_path / "c.json"), tmp_path / "out")["json"])
    assert attach_backtest(report, pack).pack == pack.id


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert process.poll() is None, "跑完了还没有进度文件"
        time.sleep(0.005)


@pytest.fixture
def packs(tmp_path: Path) -> Iterator[list[str]]:
    """Two small packs in a folder, as a rule owner has them."""
    for name, least in (("old", 1), ("new", 0)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pack.yaml").write_text("name: town\ntitle: 某镇\njurisdiction: 某镇\n", encoding="utf-8")
        clause = '{id: "1", article: 第一条, confidence: 原文已读, summary: 摘要。}'
        document = "- {id: town-2020, document: 某镇办法, source: T01, effective_from: 2020-01-01, clauses: [%s]}\n"
        (folder / "clauses.yaml").write_text(document % clause, encoding="utf-8")
        rule = f"""
            - id: TN-ACC-001
              title: 有关联工单
              gate: acceptance
              when: {{fact: related_count, gt: {least}}}
              verdict: advise
              severity: info
              disposition: {{action: 并单, tell: 告知}}
              clause: "town-2020#1"
            """
        (folder / "acceptance.yaml").write_text(dedent(rule), encoding="utf-8")
    yield ["--pack", str(tmp_path / "new"), "--against", str(tmp_path / "old")]


def test_killed_and_continued_from_the_command_line(packs: list[str], tmp_path: Path) -> None:
    orders = write_orders(tmp_path / "many.csv", 6000)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(json.dumps(MAPPING, ensure_ascii=False), encoding="utf-8")
    environment = {**os.environ, "ZHIPAI_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "service", "rules", "backtest", *packs, "--orders", str(orders)]
    command += ["--mapping", str(mapping), "--as-of", AS_OF.isoformat(), "--workers", "1", "--no-cache"]

    def start(out: str, *more: str) -> subprocess.Popen[bytes]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*command, "--out", str(tmp_path / out), *more], env=environment, **pipes)  # type: ignore[call-overload]

    killed = start("killed")
    wait_for(tmp_path / "killed" / "backtest.checkpoint.json", killed)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "backtest.json").exists()
    continued, whole = start("killed", "--resume"), start("whole")
    for process in (continued, whole):
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
    for name in ("backtest.json", "backtest.html", "backtest.xlsx"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    report = json.loads((tmp_path / "whole" / "backtest.json").read_text(encoding="utf-8"))
    # Every sixth order names one related order; rows without text are not judged.
    assert report["totals"]["gained"] == sum(n % 6 == 0 and n % 50 != 49 for n in range(6000))
