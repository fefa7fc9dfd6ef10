"""One delivery: signed as Standard Webhooks say, to the address that was checked, within its time, whatever answers."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from intake.errors import ZhipaiError
from service.outbox.deliver import back_off, outcome_of
from service.outbox.sending import Answer, send
from service.outbox.signing import secret_bytes, signature, signed_headers
from service.outbox.store import SECOND, Due
from service.outbox.targets import NUMBERS, OutboxTarget, read_targets
from tests.service.receiver import KEY, LOOPBACK, receiving, status

AT = datetime(2026, 5, 4, 9, tzinfo=UTC)


def test_signature_of_the_published_vector() -> None:
    """The reference vector of Standard Webhooks, which its libraries test with."""
    key = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(key, event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.fixture
def check(root: Path):
    """The receiver's example, taken out of the document."""
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs/outbox.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(code, names)  # the document's own example is what is tested
    return names["check"]


def test_receiver_of_the_document_takes_old_and_new_secret_and_nothing_else(check) -> None:
    old, new = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
    headers = dict(signed_headers([secret_bytes(new), secret_bytes(old)], event_id="d-1", timestamp=1000, body=b"{}"))
    for secrets in ([old], [new], ["whsec_" + "eHh4" * 8, old]):
        assert check(headers, b"{}", secrets, 1100.0) == "d-1"
    for changed, body, secrets, now in [
        ({}, b"{ }", [new], 1000),
        ({}, b"{}", ["whsec_" + "eHh4" * 8], 1000),
        ({"webhook-id": "d-2"}, b"{}", [new], 1000),
        ({"webhook-timestamp": "1001"}, b"{}", [new], 1000),
        ({}, b"{}", [new], 2000),
    ]:
        with pytest.raises(ValueError):
            check(headers | changed, body, secrets, now)


@pytest.mark.parametrize("written", ["whsec_", "whsec_kurz", "whsec_" + "YWJj" * 3, "不是密钥"])
def test_secret_that_is_none(written: str) -> None:
    with pytest.raises(ValueError):
        secret_bytes(written)


def test_delivered_to_the_path_with_its_headers() -> None:
    with receiving() as receiver:
        answer = send(receiver.target(), b'{"id":"d-1"}', {"webhook-id": "d-1", "Content-Type": "application/json"})
    assert (answer, answer.delivered) == (Answer(), True)
    assert receiver.paths == ["/hook?a=1"]
    assert receiver.headers[0]["webhook-id"] == "d-1" and receiver.headers[0]["host"] == receiver.url.split("/")[2]


@pytest.mark.parametrize(
    ("code", "whole", "wait"),
    [(500, True, 0), (503, True, 7), (404, True, 0), (401, True, 0), (422, False, 0), (410, False, 0), (429, True, 7)],
)
def test_refusals_tell_the_event_from_the_receiver(code: int, whole: bool, wait: int) -> None:
    with receiving(status(code, **({"Retry_After": str(wait)} if wait else {}))) as receiver:
        answer = send(receiver.target(), b"{}", {})
    assert answer == Answer(f"HTTP {code}", whole=whole, wait=float(wait))


def test_redirect_is_not_followed() -> None:
    with receiving() as elsewhere, receiving(status(307, Location=elsewhere.url)) as receiver:
        assert send(receiver.target(), b"{}", {}).problem == "HTTP 307"
    assert elsewhere.paths == []


def test_nothing_is_sent_inside_unless_allowed() -> None:
    with receiving() as receiver:
        assert send(receiver.target(allow=()), b"{}", {}) == Answer("E6542", whole=True)
    assert receiver.paths == []


def test_connection_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = OutboxTarget("t", f"http://127.0.0.1:{port}/", AT, (KEY,), allow=LOOPBACK)
    assert send(target, b"{}", {}) == Answer("ConnectionRefusedError", whole=True)


@pytest.mark.parametrize("how", ["silent", "dripping", "huge line"])
def test_receiver_that_holds_the_line_is_cut_off(how: str) -> None:
    """The timeout is for the whole delivery: a byte now and then does not prolong it."""
    over = threading.Event()

    def answer(handler, _event) -> None:
        if how == "silent":
            over.wait(20)
        while not over.wait(0.02):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " if how == "huge line" else b"H")
            handler.wfile.write(b"x" * (70_000 if how == "huge line" else 0))
            handler.wfile.flush()

    with receiving(answer) as receiver:
        problem = send(receiver.target(timeout=0.4), b"{}", {}).problem
        over.set()
    assert problem == ("LineTooLong" if how == "huge line" else "timeout")


def test_body_of_the_answer_is_not_read() -> None:
    def answer(handler, _event) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**12))
        handler.end_headers()

    with receiving(answer) as receiver:
        assert send(receiver.target(), b"{}", {}).delivered


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_tls_is_checked_against_the_name(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiving(context=context) as receiver:
        assert send(receiver.target(ca=str(certificate), allow=("localhost",)), b"{}", {}).delivered
        unknown = send(receiver.target(allow=("localhost",)), b"{}", {})
        other_name = receiver.target(ca=str(certificate), url=receiver.url.replace("localhost", "127.0.0.1"))
        wrong = send(other_name, b"{}", {})
    assert unknown.problem == wrong.problem == "SSLCertVerificationError"
    assert len(receiver.events) == 1


def default_target() -> OutboxTarget:
    numbers = {name.removesuffix("_seconds"): default for name, (default, _, _) in NUMBERS.items()}
    return OutboxTarget("t", "https://a.example/", AT, (KEY,), **numbers)


def test_back_off_doubles_to_its_cap_within_its_jitter() -> None:
    target, chance = default_target(), Random(7)
    waits = [back_off(target, attempts, chance) for attempts in range(1, 40)]
    for attempts, wait in enumerate(waits, start=1):
        whole = min(3600, 5 * 2 ** (attempts - 1))
        assert whole / 2 <= wait <= whole
    assert waits == [back_off(target, attempts, again) for again in [Random(7)] for attempts in range(1, 40)]
    # What docs/outbox.md says of the default.
    whole = sum(min(3600, 5 * 2 ** (attempts - 1)) for attempts in range(1, 15)) / 3600
    assert (round(whole / 2, 1), round(whole, 1)) == (2.7, 5.4)


def test_outcome_of_an_attempt() -> None:
    target, chance = default_target(), Random(1)
    first, last = (Due(1, "d-1", "o-1", attempts, {}) for attempts in (0, 14))
    now = outcome_of(first, Answer(), target, at=AT, chance=chance)
    assert (now.state, now.attempts, now.problem) == ("delivered", 1, "")
    assert outcome_of(last, Answer("HTTP 500"), target, at=AT, chance=chance).state == "dead"
    asked = outcome_of(first, Answer("HTTP 503", whole=True, wait=600), target, at=AT, chance=chance)
    assert (asked.state, asked.next_at - now.next_at) == ("waiting", 600 * SECOND)
    patient = outcome_of(first, Answer("HTTP 503", whole=True, wait=10**8), target, at=AT, chance=chance)
    assert patient.next_at - now.next_at == 3600 * SECOND


GOOD = {
    "name": "platform",
    "url": "https://platform.example/hook",
    "from": "'2026-05-01T00:00:00+08:00'",
    "secrets": "[env:HOOK]",
}


def written(folder: Path, top: str = "", **changes: str | None) -> Path:
    row = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path = folder / "targets.yaml"
    lines = [f"    {key}: {value}" for key, value in row.items()]
    path.write_text("\n".join([top, "targets:", "  -", *lines]), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "whsec_" + "a2tr" * 8)
    monkeypatch.setenv("HOOK_SHORT", "whsec_YWJj")


def test_targets_are_read_with_secrets_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("whsec_" + "b2xk" * 8 + "\n")
    path = written(tmp_path, "allow: [10.2.0.0/16]", secrets=f"[env:HOOK, 'file:{tmp_path}/old']", attempts="3")
    found = read_targets(path)
    (target,) = found.found
    assert target.keys == (b"kkk" * 8, b"old" * 8)
    assert (target.attempts, target.timeout, target.allow) == (3, 10, ("10.2.0.0/16",))
    assert target.start == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert found.files == (path, tmp_path / "old")
    assert "kkk" not in repr(target), "密钥不出现在输出里"
    assert read_targets(None).found == ()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"name": "Platform"}, "E7910", "name"),
        ({"url": "ftp://a.example/"}, "E7910", "url"),
        ({"url": "https://平台.example/"}, "E7910", "url"),
        ({"from": "'2026-05-01'"}, "E7910", "from"),
        ({"from": None}, "E7910", "from"),
        ({"secrets": "[]"}, "E7910", "secrets"),
        ({"colour": "red"}, "E7910", "colour"),
        ({"timeout_seconds": "0"}, "E7910", "timeout_seconds"),
        ({"attempts": "true"}, "E7910", "attempts"),
        ({"ca": "/nowhere.pem"}, "E7910", "ca"),
        ({"top": "more: 1"}, "E7910", "allow"),
        ({"top": "a: [\n"}, "E7910", "读不出来"),
        ({"secrets": "[env:HOOK_NONE]"}, "E7911", "环境变量"),
        ({"secrets": "[env:HOOK_SHORT]"}, "E7911", "24"),
        ({"secrets": "['file:/nowhere']"}, "E7911", "FileNotFoundError"),
        ({"secrets": "[whsec_geheimgeheimgeheim]"}, "E7911", "env"),
    ],
    ids=str,
)
def test_file_of_targets_that_cannot_be_meant(tmp_path: Path, changes: dict, code: str, words: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        read_targets(written(tmp_path, **changes))
    assert caught.value.code == code and words in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_two_targets_of_one_name(tmp_path: Path) -> None:
    path = written(tmp_path)
    text = path.read_text()
    path.write_text(text + "\n" + text.split("targets:")[1])
    with pytest.raises(ZhipaiError, match="同名"):
        read_targets(path)
