from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.files import building, scratch, sha256


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    with building(target) as aside:
        (aside / "one").write_text("1")
        assert not target.exists()
    assert (target / "one").read_text() == "1"


def test_an_exception_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with building(target) as aside:
        (aside / "one").write_text("old")
    with pytest.raises(KeyboardInterrupt), building(target) as aside:
        (aside / "one").write_text("new")
        raise KeyboardInterrupt
    assert (target / "one").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == ["model"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with building(tmp_path / "model") as aside:
            (aside / name).touch()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["two"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    dead = tmp_path / f".model.building-{done.stdout.strip()}"
    alive = tmp_path / f".model.building-{os.getppid()}"
    dead.mkdir()
    alive.mkdir()
    with scratch(tmp_path, "model") as folder:
        assert folder.is_dir()
    assert not dead.exists() and not folder.exists() and alive.exists()


def test_sha256_is_the_one_of_the_standard_tool(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty").startswith("e3b0c44298fc1c149afbf4c8996fb924")
