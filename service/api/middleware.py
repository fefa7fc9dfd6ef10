"""What every request passes before a route sees it: an id, a size limit, UTF-8, metrics, security headers."""

from __future__ import annotations

import re
import time
import uuid
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intake.errors import ZhipaiError, register
from service.api.problems import problem
from service.metrics import REQUEST_SECONDS, REQUESTS

register(
    "E6509",
    "主机名不对",
    "请求的主机名不在允许之列。请用 127.0.0.1 或 localhost 访问；要用别的主机名，请管理员把它写进 ZHIPAI_ALLOWED_HOSTS。",
    status=400,
)

#: Pages load their own files and nothing else, run no inline script and send forms nowhere else.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it a browser sends a plain form with "Origin: null", which the origin check refuses.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # What is answered depends on who asks and may hold order texts. Static files say otherwise for themselves.
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
#: The documentation page has inline start code.
DOCS_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'"
)
DOCS = "/docs"
#: A page elsewhere must not reach a loopback service under its own host name (DNS rebinding).
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver"})
#: The CSRF token of a form of several parts, which has to be its first field.
PART_CSRF = re.compile(rb'name="csrf"\r\n\r\n([0-9a-f]{64})\r\n')
REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


class Gatekeeper:
    """Pure ASGI, so that a body is refused while it still arrives and no task is started for it."""

    def __init__(
        self, app: ASGIApp, *, max_body_bytes: int, max_upload_bytes: int, hosts: frozenset[str] = frozenset()
    ):
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.max_upload_bytes = max_upload_bytes
        self.hosts = HOSTS | hosts

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
                if scope["path"].startswith(DOCS):
                    headers.setdefault("Content-Security-Policy", DOCS_POLICY)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            check_host(Headers(scope=scope).get("host", ""), self.hosts)
            body = await self._read(scope, receive)
            scope["state"]["form_csrf"] = form_csrf(Headers(scope=scope).get("content-type", ""), body)
        except ZhipaiError as error:
            await problem(error, Request(scope))(scope, receive, send_with_headers)
        else:
            await self.app(scope, _replay(body, receive), send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            REQUESTS.labels(route=route, status=str(status)).inc()
            REQUEST_SECONDS.labels(route=route).observe(time.perf_counter() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, or E6506 as soon as it is too large and E6507 if it is text that is not UTF-8."""
        headers = Headers(scope=scope)
        upload = headers.get("content-type", "").startswith("multipart/form-data")
        limit = self.max_upload_bytes if upload else self.max_body_bytes
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            raise ZhipaiError("E6506", {"limit": limit})
        parts: list[bytes] = []
        size, more = 0, scope["method"] in ("POST", "PUT", "PATCH")
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise ZhipaiError("E6506", {"limit": limit})
            parts.append(part)
            more = message.get("more_body", False)
        body = b"".join(parts)
        if upload:
            return body
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ZhipaiError("E6507") from error
        return body


def check_host(host: str, hosts: frozenset[str] = HOSTS) -> None:
    """E6509 unless the request names this machine or a name it was given; the port is left out of account."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name.lower() not in hosts:
        raise ZhipaiError("E6509")


def form_csrf(content_type: str, body: bytes) -> str:
    """The CSRF token of a form, without unpacking what was uploaded with it; empty if there is none."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        try:
            return parse_qs(body.decode("utf-8", "replace"), max_num_fields=1000).get("csrf", [""])[0]
        except ValueError:
            return ""
    if content_type.startswith("multipart/form-data"):
        found = PART_CSRF.search(body[:1000])
        return found[1].decode() if found else ""
    return ""


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
