"""The neighbours that a mapping names take part in a backtest, and kept facts of other neighbours are not used."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from intake.mapping import Mapping
from rules import load_pack
from rules.backtest import Truth
from service.backtest import run_backtest
from service.backtest_sources import OrderFile
from service.backtest_state import Plan
from service.cli.backtest import make_report
from service.settings import load_settings
from service.snapshot import gazetteer_for

AS_OF = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
TRUTH = Truth("市外", "out_of_city", "单位", ("外地",))
ROWS = "诉求内容,单位\n文昌市的工地拖欠工资,外地\n文昌户口如何上学,教育局\n乘车去文昌,交通局\n文昌的饭店宰客,市场局\n"


def test_neighbours_of_the_mapping_are_measured_against_a_column(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text(ROWS, encoding="utf-8")
    settings = load_settings(home=tmp_path / "home")
    columns = {"columns": {"text": "诉求内容", "unit": "单位"}}
    near = {"outside": {"outside": [{"name": "文昌市", "aliases": ["文昌"]}]}}

    def truth(mapping: Mapping) -> dict[str, Any]:
        gazetteer, digest = gazetteer_for(settings, mapping)
        plan = Plan(
            new=load_pack("national"),
            old=None,
            gates=("acceptance",),
            as_of=AS_OF,
            moment=AS_OF.isoformat(),
            gazetteer=gazetteer,
            gazetteer_id=digest,
            truths=(TRUTH,),
            cache=tmp_path / "facts",
        )
        file = OrderFile(orders, mapping, None, (TRUTH,))
        outcome = run_backtest(
            plan, file, checkpoint=tmp_path / "c.json", resume=False, progress=lambda step, done, total: None
        )
        found: dict[str, Any] = make_report(plan, file, outcome)["truths"][0]
        return found

    plain = Mapping.from_dict(columns)
    assert truth(plain)["recall"] == 0
    named = Mapping.from_dict(columns | near)
    found = truth(named)
    assert (found["recall"], found["precision"], found["positives"]) == (1, 0.5, 1)
    # Kept facts belong to the neighbours with which they were derived.
    assert truth(plain)["recall"] == 0
    other = gazetteer_for(settings, replace(named, outside=None))
    assert other[0].outside.scene("霁川市停电") == "霁川市"
    assert other[1] != gazetteer_for(settings, named)[1]
