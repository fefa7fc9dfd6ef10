"""A real receiver of webhooks on loopback, in a thread of the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from service.outbox.targets import OutboxTarget

KEY = b"k" * 32
LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Receiver:
    """``answer(handler, event)`` writes the response; by default 204. What arrived stands in ``events``, in order."""

    url: str
    answer: Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    def target(self, **changes: Any) -> OutboxTarget:
        values = {"name": "platform", "url": self.url, "start": datetime(2026, 1, 1, tzinfo=UTC), "keys": (KEY,),
                  "allow": LOOPBACK, "timeout": 5.0}  # fmt: skip
        return OutboxTarget(**(values | changes))


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]:
    """An answer with a status and nothing else."""

    def answer(handler: BaseHTTPRequestHandler, _event: dict[str, Any]) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def receiving(answer: Callable[..., None] | None = None, *, context: Any = None) -> Iterator[Receiver]:
    """A server at a free port until the block ends; ``context``: of TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.paths.append(self.path)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            receiver.bodies.append(body)
            receiver.events.append(json.loads(body))
            receiver.answer(self, receiver.events[-1])

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """A sender that hangs up is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme, name = ("https", "localhost") if context is not None else ("http", "127.0.0.1")
    receiver = Receiver(f"{scheme}://{name}:{server.server_address[1]}/hook?a=1", answer or status(204))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
