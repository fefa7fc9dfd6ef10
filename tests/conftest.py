"""Fixtures with one home; see each docstring for where a thing comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real public data that is not part of the project; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("没有真实数据目录（可用环境变量 ZHIPAI_SHARED_DATA 指定），跳过这项测量")
    return folder
