"""One delivery over HTTP: to the address that was checked, within a time, no redirect followed, no body read."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from intake.errors import ZhipaiError
from service.access.outbound import Target, check_target
from service.outbox.targets import OutboxTarget

#: The receiver has read this event and will not have it; another event may be welcome.
REFUSED = frozenset({400, 409, 410, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Answer:
    """``problem`` is empty when the receiver took the event (2xx). ``whole``: it concerns the receiver, not this event.
    ``wait``: seconds for which the receiver asks (Retry-After)."""

    problem: str = ""
    whole: bool = False
    wait: float = 0.0

    @property
    def delivered(self) -> bool:
        return not self.problem


def send(target: OutboxTarget, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST a body. Whatever goes wrong is an answer, never an exception; nothing that was sent or received is in it."""
    try:
        checked = check_target(target.url, allow=target.allow)
    except ZhipaiError as error:
        return Answer(error.code, whole=True)
    connection = _Pinned(checked, timeout=target.timeout, ca=target.ca)
    try:
        return _asked(connection, checked, body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # A deadline that cuts the connection shows as any of these.
        slow = connection.expired.is_set() or isinstance(error, TimeoutError)
        return Answer("timeout" if slow else type(error).__name__, whole=True)
    finally:
        connection.close()


def _asked(connection: _Pinned, checked: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection.connect()
    connection.request("POST", checked.path, body, {**headers, "Host": checked.authority, "Connection": "close"})
    response = connection.getresponse()
    if 200 <= response.status < 300:
        return Answer()
    wait = response.headers.get("Retry-After", "")
    return Answer(
        f"HTTP {response.status}",
        whole=response.status not in REFUSED,
        wait=float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 9 else 0.0,
    )


class _Pinned(http.client.HTTPConnection):
    """A connection to a number that was checked, under the name that was asked for, cut off when its time is up.

    The timeout of a socket is for each read: a receiver that sends a byte now and then would hold it for ever.
    """

    def __init__(self, checked: Target, *, timeout: float, ca: str):
        super().__init__(checked.address, checked.port, timeout=timeout)
        self._checked, self._ca, self._seconds = checked, ca, timeout
        self.expired = threading.Event()
        self._timer: threading.Timer | None = None

    def connect(self) -> None:
        context = None
        if self._checked.scheme == "https":
            context = ssl.create_default_context(cafile=self._ca or None)
        self._timer = threading.Timer(self._seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()
        self.sock = socket.create_connection((self._checked.address, self._checked.port), self._seconds)
        if context is not None:
            wrapped = context.wrap_socket(self.sock, server_hostname=self._checked.host, do_handshake_on_connect=False)
            self.sock = wrapped
            wrapped.do_handshake()

    def _expire(self) -> None:
        self.expired.set()
        if self.sock is not None:
            # Not the method of a TLS socket, which would take its state from under the thread that reads.
            try:
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().close()
