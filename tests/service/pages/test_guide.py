"""The guide agrees with the pages: every link leads somewhere, every key of the workbench is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.pages.render import ENVIRONMENT

GUIDE = Path(__file__).parents[3] / "docs" / "guide"


@pytest.mark.parametrize("page", sorted(GUIDE.glob("*.md")), ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert targets and all((page.parent / target).is_file() for target in targets)


def test_every_key_of_the_workbench_is_in_the_guide() -> None:
    source = ENVIRONMENT.loader.get_source(ENVIRONMENT, "workbench/page.html")[0]  # type: ignore[union-attr]
    keys = set(re.findall(r"<kbd>(.*?)</kbd>", source.split("block keys")[1])) | {"?"}
    told = set(re.findall(r"`([^`]+)`", (GUIDE / "dispatcher.md").read_text(encoding="utf-8")))
    assert keys and keys <= told
