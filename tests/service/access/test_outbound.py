"""No way into the network behind the service through an address that somebody typed in."""

from __future__ import annotations

import socket

import pytest

from intake.errors import ZhipaiError
from service.access.outbound import check_target

INSIDE = [
    "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://0.0.0.0/", "https://10.0.0.5/x",
    "https://192.168.1.1:8443/", "https://172.16.0.1/", "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/", "https://[fe80::1]/", "https://[fd00::1]/", "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://2130706433/", "https://0x7f000001/",
    "https://127.1/", "https://224.0.0.1/", "https://255.255.255.255/", "https://localhost./",
]  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
def test_inside_is_refused(url: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_target(url)
    assert caught.value.code == "E6542"


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://example.org/", "file:///etc/passwd", "https://", "//example.org", "https://a:b@8.8.8.8/",
        "https://8.8.8.8:99999/", "https://8.8.8.8/a b", "https://8.8.8.8/\r\nHost: x", "http://8.8.8.8/", "gopher://x",
    ],
)  # fmt: skip
def test_bad_form_is_refused(url: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_target(url)
    assert caught.value.code == "E6540"


def test_unknown_name() -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_target("https://nobody.invalid/hook")
    assert caught.value.code == "E6541"


@pytest.mark.parametrize(
    ("url", "allow", "address"),
    [
        ("http://127.0.0.1:9000/hook?a=1", ["127.0.0.1"], "127.0.0.1"),
        ("https://10.2.3.4/", ["10.2.0.0/16"], "10.2.3.4"),
        ("http://localhost:9000/hook", ["LOCALHOST"], ""),
        ("https://8.8.8.8/", [], "8.8.8.8"),
    ],
)
def test_allowed(url: str, allow: list[str], address: str) -> None:
    target = check_target(url, allow=allow)
    assert not address or target.address == address
    assert target.pinned_url.startswith(target.scheme)


def test_name_is_pinned_to_the_number_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise the second time (DNS rebinding) gets nowhere: there is no second time."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])

    def look_up(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in next(answers)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    target = check_target("https://hooks.example:8443/in?x=1")
    assert (target.pinned_url, target.authority) == ("https://93.184.216.34:8443/in?x=1", "hooks.example:8443")
    with pytest.raises(ZhipaiError):
        check_target("https://hooks.example:8443/in")


def test_one_inner_number_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = ["93.184.216.34", "10.0.0.1"]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, **_: [(2, 1, 6, "", (number, port)) for number in numbers]
    )
    with pytest.raises(ZhipaiError) as caught:
        check_target("https://both.example/")
    assert caught.value.code == "E6542"
