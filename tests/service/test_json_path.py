from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from service.cli.json_path import JSON_PATH_OPTION, JsonPathCommand, put_json


@pytest.fixture
def app() -> typer.Typer:
    found = typer.Typer()

    @found.command("measure", cls=JsonPathCommand)
    def measure(json_path: str = JSON_PATH_OPTION, other: str = typer.Option("", "--other")) -> None:
        put_json({"other": other}, json_path)

    @found.command("nothing")
    def nothing() -> None:
        pass

    return found


@pytest.mark.parametrize(
    ("arguments", "other"),
    [(["--json"], ""), (["--json", "-"], ""), (["--json", "--other", "x"], "x"), (["--other", "x", "--json"], "x")],
)
def test_json_alone_goes_to_stdout(app: typer.Typer, arguments: list[str], other: str) -> None:
    done = CliRunner().invoke(app, ["measure", *arguments])
    assert done.exit_code == 0 and json.loads(done.stdout) == {"other": other}


def test_json_with_a_path_goes_to_the_file(app: typer.Typer, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    done = CliRunner().invoke(app, ["measure", "--json", str(path), "--other", "x"])
    assert done.exit_code == 0 and done.stdout == "" and json.loads(path.read_text(encoding="utf-8")) == {"other": "x"}
    assert [one.name for one in tmp_path.iterdir()] == ["out.json"]


def test_without_json_there_is_none(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["measure"]).stdout == ""
