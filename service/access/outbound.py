"""A guard for addresses that somebody typed in and the service is to call: no way into the network behind it (SSRF)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from intake.errors import ZhipaiError, register

register("E6540", "外发地址不对", "外发地址不对：{problem}。请写成 https://主机名/路径。")
register(
    "E6541", "外发地址解析不了", "外发地址的主机名“{host}”解析不了。请检查拼写和域名服务。", status=502, exit_code=3
)
register(
    "E6542",
    "外发地址不允许",
    "外发地址的主机“{host}”指向内部网络（{address}），已拒绝。确需外发到内部系统时，请管理员把它写进允许外发的主机。",
    status=403,
    exit_code=4,
)

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be called. Connect to ``address`` and send ``host`` as Host and TLS name: the name is not looked
    up a second time, so that it cannot answer differently (DNS rebinding). ``authority`` is the value of the Host header.
    """

    url: str
    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def pinned_url(self) -> str:
        """The same address with the number in place of the name."""
        number = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{number}:{self.port}{self.path}"


def check_target(url: str, *, allow: Collection[str] = ()) -> Target:
    """Look an address up and refuse what is not public.

    Parameters
    ----------
    url : str
        ``https://…``; ``http://`` only to a host in ``allow``.
    allow : collection of str
        Host names, addresses or networks (``10.2.0.0/16``) that may be called although they are private or loopback.

    Raises
    ------
    ZhipaiError
        E6540 for the form of the address, E6541 if the name is unknown, E6542 if any of its numbers is not public.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise ZhipaiError("E6540", {"problem": "写法不对"}) from error
    if parts.scheme not in _PORTS or not host:
        raise ZhipaiError("E6540", {"problem": "只能是 http 或 https，并且要有主机名"})
    if parts.username is not None or parts.password is not None:
        raise ZhipaiError("E6540", {"problem": "不能带用户名和密码"})
    if any(character <= " " or character == "\x7f" for character in url):
        raise ZhipaiError("E6540", {"problem": "含有空格或控制字符"})
    port = port or _PORTS[parts.scheme]
    numbers = _look_up(host, port)
    named = host.lower() in {one.lower() for one in allow}
    for number in numbers:
        if not named and not _public(number) and not _within(number, allow):
            raise ZhipaiError("E6542", {"host": host, "address": str(number)})
    if parts.scheme == "http" and not named and not all(_within(number, allow) for number in numbers):
        raise ZhipaiError("E6540", {"problem": "外发到公网须用 https"})
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url, parts.scheme, host, port, str(numbers[0]), path)


_Number = ipaddress.IPv4Address | ipaddress.IPv6Address


def _look_up(host: str, port: int) -> list[_Number]:
    """Every number of a host; a number written in an unusual way (``0x7f.1``) is resolved by the system like a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ZhipaiError("E6541", {"host": host[:80]}) from error
    return list(dict.fromkeys(_unwrapped(str(entry[4][0]).split("%")[0]) for entry in found))


def _unwrapped(text: str) -> _Number:
    """An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) counts as what it is."""
    number = ipaddress.ip_address(text)
    if not isinstance(number, ipaddress.IPv6Address):
        return number
    if number in _NAT64:
        return ipaddress.IPv4Address(number.packed[-4:])
    return number.ipv4_mapped or number.sixtofour or number


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its form, without looking anything up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _public(number: _Number) -> bool:
    return number.is_global and not number.is_multicast and not number.is_reserved


def _within(number: _Number, allow: Collection[str]) -> bool:
    for one in allow:
        try:
            if number in ipaddress.ip_network(one, strict=False):
                return True
        except ValueError:
            continue
    return False
