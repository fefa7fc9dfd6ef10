"""The set-up of a fresh machine: it goes on where an earlier run stopped, and says beforehand what it cannot do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from intake.errors import ZhipaiError
from service import clock
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.entries import current_entries
from service.settings import Settings, load_settings
from service.setup import check_machine, steps
from training.catalogue import catalogue
from training.champion import champion


def take(path: Path, every: int) -> None:
    """Keep every so many-th line."""
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[::every]), encoding="utf-8")


@pytest.fixture
def fresh(installed: Settings, tmp_path: Path) -> Settings:
    """A machine on which the encoder is built and nothing else, with a little of the bundled city."""
    city, home = tmp_path / "city", tmp_path / "home"
    shutil.copytree(installed.city, city)
    take(city / "orders.jsonl", 12)
    take(city / "knowledge.jsonl", 12)
    home.mkdir()
    (home / "encoder").symlink_to(installed.encoder_folder)
    return load_settings(home=home, city=city, mlruns=tmp_path / "mlruns")


def set_up(config: Settings, *, stop_at: str = "") -> tuple[int, str]:
    """``zhipai setup`` as a process: its exit code and what it said. It is killed once it says ``stop_at``."""
    environment = {"ZHIPAI_HOME": config.home, "ZHIPAI_CITY": config.city, "ZHIPAI_MLRUNS": config.mlruns}
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "setup"],
        env={**os.environ, **{name: str(place) for name, place in environment.items()}, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if stop_at and stop_at in line:
            process.send_signal(signal.SIGKILL)
    return process.wait(timeout=60), said


def test_a_set_up_that_was_killed_goes_on_where_it_stopped(fresh: Settings) -> None:
    code, said = set_up(fresh, stop_at="训练单位推荐模型，完成")
    assert code == -signal.SIGKILL, said
    assert "[2/3] 建库并导入知识条目：完成" in said
    assert champion(fresh.mlruns) is None

    code, said = set_up(fresh)
    assert code == 0, said
    assert "[3/3] 训练并登记默认模型：完成" in said
    assert "[1/3]" not in said and "[2/3]" not in said
    assert champion(fresh.mlruns) is not None
    assert len(catalogue(fresh.mlruns)) == 1

    assert set_up(fresh) == (0, "已经准备好了，没有要做的。\n")


def test_a_default_model_that_may_not_go_into_force_is_no_success(fresh: Settings) -> None:
    take(fresh.city / "orders.jsonl", 5)
    _, knowledge, model = steps(fresh, at=clock.now())
    knowledge.run(lambda *_: None)
    with pytest.raises(ZhipaiError, match="E7403") as told:
        model.run(lambda *_: None)
    assert "版本 1" in str(told.value) and "没有通过上线检查" in str(told.value)
    assert not model.is_done()


def test_a_database_without_its_entries_is_not_taken_for_done(fresh: Settings) -> None:
    """As a run leaves it that was killed between the two."""
    engine = make_engine(fresh.url)
    upgrade(engine)
    step = steps(fresh, at=clock.now())[1]
    assert not step.is_done()
    step.run(lambda *_: None)
    assert step.is_done()
    wanted = (fresh.city / "knowledge.jsonl").read_text(encoding="utf-8").splitlines()
    assert {entry.id for entry in current_entries(engine)} == {json.loads(line)["id"] for line in wanted}
    engine.dispose()


def test_a_full_disk_is_said_before_anything_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_settings(home=tmp_path / "home")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * 2**20))
    with pytest.raises(ZhipaiError, match="E7401") as told:
        check_machine(config)
    assert "只剩 100 MB" in str(told.value) and "不会重做" in str(told.value)
    assert list(config.home.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZhipaiError, match="E7402") as told:
        check_machine(load_settings(home=tmp_path / "file" / "home"))
    assert "ZHIPAI_HOME" in str(told.value)
