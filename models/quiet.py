"""Hush what torch, transformers and onnxruntime say while they load or convert; none of it is for our user."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """No warnings, no log lines below ERROR and no progress bars of these libraries within the block."""
    import transformers

    utils = transformers.utils.logging
    bar, level = utils.is_progress_bar_enabled(), utils.get_verbosity()
    disabled = logging.root.manager.disable
    utils.disable_progress_bar()
    utils.set_verbosity_error()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        utils.set_verbosity(level)
        if bar:
            utils.enable_progress_bar()
