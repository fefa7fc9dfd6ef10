"""``zhipai similar``, ``signals``, ``labels feedback`` and ``cold-start`` as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from service import cold_start
from service import settings as settings_module
from service.cli.main import app
from service.settings import Settings
from training.registry import Registry

Zhipai = Callable[..., Result]
ORDERS = """编号,内容,时间,单位
A1,锦绣家园从早上八点开始停水没有人管,2026-05-01 08:00,供水集团
A2,锦绣家园从早上八点开始停水没有人管，请尽快,2026-05-01 09:00,供水集团
A3,沿江路一整排路灯不亮,2026-05-01 09:30,城市管理局
"""
MAPPING = "columns: {text: 内容, order_id: 编号, received_at: 时间, unit: 单位}\n"
UNITS = """
- {name: 供水集团, duties: [自来水抢修, 停水通知]}
- {name: 城市管理局, duties: [路灯维护, 占道经营]}
"""


@pytest.fixture
def zhipai(config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zhipai]:
    """Run a command on a data folder of its own; a ZhipaiError comes through as it is."""
    for name, content in (("orders.csv", ORDERS), ("mapping.yaml", MAPPING), ("units.yaml", UNITS)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZHIPAI_HOME", str(config.home))
    monkeypatch.setenv("ZHIPAI_MLRUNS", str(config.mlruns))
    settings_module.settings.cache_clear()

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, ZhipaiError):
            raise result.exception
        return result

    yield run
    settings_module.settings.cache_clear()


FILE = ("--orders", "orders.csv", "--mapping", "mapping.yaml")


def test_pairs_of_a_file(zhipai: Zhipai, tmp_path: Path) -> None:
    result = zhipai("similar", *FILE, "--out", "pairs.jsonl", "--json")
    assert json.loads(result.stdout) == {"orders": 3, "failed": 0, "duplicate": 0, "same_matter": 1}
    (pair,) = map(json.loads, (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines())
    assert {pair["工单1"], pair["工单2"]} == {"A1", "A2"}
    with pytest.raises(ZhipaiError, match="E6601"):
        zhipai("similar", *FILE, "--out", "pairs.txt")


def test_signals_of_a_file(zhipai: Zhipai) -> None:
    assert json.loads(zhipai("signals", *FILE, "--json").stdout) == []
    assert "突发 0 起" in zhipai("signals", *FILE).stdout


def test_labels_of_an_empty_log(zhipai: Zhipai, tmp_path: Path) -> None:
    result = zhipai("labels", "feedback", "--out", "labels.jsonl", "--json")
    assert json.loads(result.stdout)["orders"] == 0
    assert (tmp_path / "labels.jsonl").read_text(encoding="utf-8") == ""


def test_a_cold_start_says_how_weak_it_is_and_is_not_put_in_force(
    zhipai: Zhipai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start, "TEXTS", 40)
    monkeypatch.setenv("ZHIPAI_MLRUNS", str(tmp_path / "mlruns"))
    settings_module.settings.cache_clear()
    result = zhipai("cold-start", "--units", "units.yaml", *FILE)
    assert "没有历史工单" in result.stdout
    assert "前 1 命中" in result.stdout
    assert "未上线" in result.stdout
    (version,) = Registry(tmp_path / "mlruns").list()
    assert version.aliases == ()


def test_a_cold_start_needs_a_list(zhipai: Zhipai) -> None:
    with pytest.raises(ZhipaiError, match="E7311"):
        zhipai("cold-start")
