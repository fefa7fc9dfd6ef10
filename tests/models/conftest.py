"""Fixtures come from tests/plugins/ranking.py."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

NAME = "zhipai_tests_ranking"

if NAME not in sys.modules:
    spec = spec_from_file_location(NAME, Path(__file__).parents[1] / "plugins" / "ranking.py")
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])

from zhipai_tests_ranking import as_of, encoder, encoder_folder, history, quick_encoder, ranker, saved  # noqa: E402, F401
