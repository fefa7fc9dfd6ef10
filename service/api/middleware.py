"""What every request passes before a route sees it: an id, a size limit, UTF-8, metrics, security headers."""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intake.errors import ZhipaiError, register
from service.api.problems import problem
from service.metrics import REQUEST_SECONDS, REQUESTS

register(
    "E6509",
    "主机名不对",
    "请求的主机名不是本机。请用 127.0.0.1 或 localhost 访问；经反向代理时请把 Host 改写成 127.0.0.1。",
    status=400,
)

#: The documentation page needs its own scripts and inline start code; everything else loads nothing from outside.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'",
}
#: A page elsewhere must not reach a loopback service under its own host name (DNS rebinding).
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver"})
REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


class Gatekeeper:
    """Pure ASGI, so that a body is refused while it still arrives and no task is started for it."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int):
        self.app = app
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        offered = Headers(scope=scope).get("x-request-id", "")
        # An id from outside goes into headers and logs: only harmless characters are taken over.
        request_id = offered if REQUEST_ID.match(offered) else uuid.uuid4().hex[:16]
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            check_host(Headers(scope=scope).get("host", ""))
            body = await self._read(scope, receive)
        except ZhipaiError as error:
            await problem(error, Request(scope))(scope, receive, send_with_headers)
        else:
            await self.app(scope, _replay(body, receive), send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            REQUESTS.labels(route=route, status=str(status)).inc()
            REQUEST_SECONDS.labels(route=route).observe(time.perf_counter() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, or E6506 as soon as it is too large and E6507 if it is not UTF-8."""
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > self.max_body_bytes:
            raise ZhipaiError("E6506", {"limit": self.max_body_bytes})
        parts: list[bytes] = []
        size, more = 0, scope["method"] in ("POST", "PUT", "PATCH")
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            part = message.get("body", b"")
            size += len(part)
            if size > self.max_body_bytes:
                raise ZhipaiError("E6506", {"limit": self.max_body_bytes})
            parts.append(part)
            more = message.get("more_body", False)
        body = b"".join(parts)
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ZhipaiError("E6507") from error
        return body


def check_host(host: str) -> None:
    """E6509 unless the request names this machine; the port is left out of account."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name not in HOSTS:
        raise ZhipaiError("E6509")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body once and then what the server says (a disconnect)."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
