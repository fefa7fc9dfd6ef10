"""Documents that must agree with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest


def test_every_dependency_has_a_reason(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    names = {re.split(r"[<>=\[]", line)[0].lower() for line in wanted}
    table = (root / "docs/dependencies.md").read_text(encoding="utf-8")
    told = {
        name.strip().lower()
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith("| 包")
        for name in line.split("|")[1].split(",")
    }
    assert told == names


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_file_has_no_address_and_no_hash(root: Path, lock: str) -> None:
    text = (root / lock).read_text(encoding="utf-8")
    assert "://" not in text and "--hash" not in text and "--index-url" not in text
    assert re.search(r"^torch==2\.13\.0\s", text, re.MULTILINE)


def test_glossary_names_exist(root: Path) -> None:
    """Every file that the glossary points to is there."""
    for path in re.findall(r"`((?:intake|models|rules|knowledge_base|training|service)/[\w./]+\.(?:py|yaml))`",
                           (root / "docs/glossary.md").read_text(encoding="utf-8")):  # fmt: skip
        assert (root / path).is_file(), path


@pytest.mark.parametrize("name", ["README.md", "README.en.md", "CONTRIBUTING.md"])
def test_links_in_documents_lead_somewhere(root: Path, name: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (root / target).exists(), target


def test_no_python_among_the_data(root: Path) -> None:
    """MLflow copies the loading code of a model beside it; that is run-time state, not ours."""
    assert not list((root / "datasets").rglob("*.py"))
    assert not [path for path in (root / "mlruns").rglob("*.py") if "artifacts" not in path.parts]
