"""Structured logs without order text: event names are constants, values are ids and numbers."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

#: Keys whose values could carry what a citizen said; a processor drops them even if a call site slips.
FORBIDDEN = frozenset({"text", "title", "name", "phone", "address", "body", "reason", "order_text"})


def drop_personal(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of any forbidden key; the key itself stays, so that the slip is seen."""
    for key in FORBIDDEN & event.keys():
        event[key] = "<不记入日志>"
    return event


class _StandardError:
    """Whatever standard error is when something is written: a program that embeds the service may put another in place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(log_format: str = "console") -> None:
    """Set up structlog: readable on a terminal, one JSON object a line elsewhere. Logs go to stderr."""
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            drop_personal,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )


def get_logger() -> structlog.stdlib.BoundLogger:
    return structlog.get_logger()
