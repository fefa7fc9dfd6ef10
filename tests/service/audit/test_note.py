"""Signed notes and checkpoints are those of C2SP: the examples of its documents and of Go's note package are read."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake.errors import ZhipaiError
from service.audit.note import Checkpoint, PublicKey, parse_checkpoint

#: From the documentation of golang.org/x/mod/sumdb/note: a private key, its public key and what it signed.
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
#: From c2sp.org/tlog-checkpoint.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
SIGNED = Checkpoint("12345.example/log", 7, bytes(range(32))).signed("12345.example/log", KEY)
KNOWN = PublicKey("12345.example/log", KEY.public_key().public_bytes_raw())


def test_key_and_signature_are_those_of_go() -> None:
    key = PublicKey.parse(PUBLIC)
    content = base64.b64decode(SIGNATURE)
    assert (key.name, key.id, key.line) == ("PeterNeumann", content[:4].hex(), PUBLIC)
    assert key.raw == KEY.public_key().public_bytes_raw()
    assert key.verifies(content[4:], TEXT.encode())
    assert not key.verifies(content[4:], TEXT.upper().encode())
    assert KEY.sign(TEXT.encode()) == content[4:]


def test_the_example_of_c2sp_is_read_and_written_again() -> None:
    found = parse_checkpoint(EXAMPLE, name="c2sp")
    assert (found.origin, found.size, found.signatures[0][1]) == ("example.com/behind-the-sofa", 20852163, "033de0ae")
    assert found.note == EXAMPLE


def test_a_checkpoint_signed_here_is_verified_and_nothing_else_is() -> None:
    found = parse_checkpoint(SIGNED.note, name="own")
    assert found == SIGNED and found.verify([KNOWN]) == KNOWN
    assert found.verify([]) is None
    other = PublicKey("12345.example/log", Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert found.verify([other]) is None
    assert Checkpoint(found.origin, 8, found.root, found.signatures).verify([KNOWN]) is None


def test_a_signature_of_somebody_else_beside_ours_is_ignored_and_a_bad_one_of_ours_is_not() -> None:
    twice = SIGNED.signed("witness.example/w", Ed25519PrivateKey.generate())
    assert parse_checkpoint(twice.note, name="two").verify([KNOWN]) == KNOWN
    name, key_id, _ = SIGNED.signatures[0]
    spoilt = Checkpoint(SIGNED.origin, SIGNED.size, SIGNED.root, (*SIGNED.signatures, (name, key_id, bytes(64))))
    assert spoilt.verify([KNOWN]) is None


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        SIGNED.note[:-1],
        SIGNED.note.replace("\n7\n", "\n07\n"),
        SIGNED.note.replace("\n7\n", "\n-7\n"),
        SIGNED.note.replace("\n7\n", "\n７\n"),
        SIGNED.note.replace("\n7\n", "\n7\r\n"),
        SIGNED.note.replace("\n7\n", "\n7\nextra\nlines\n"),
        SIGNED.note.replace("—", "-"),
        SIGNED.note.replace("12345.example/log\n7", "\n7"),
        SIGNED.note.replace("AAEC", "AAE"),
        SIGNED.text + "\n— name AAAA\n",
        SIGNED.text + "\n",
        SIGNED.note + "x" * 70000,
    ],
)
def test_a_note_that_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        parse_checkpoint(note, name="some.checkpoint")
    assert caught.value.code == "E7812" and "some.checkpoint" in caught.value.message


@pytest.mark.parametrize(
    "line", ["", "name", "PeterNeumann+c74f20a4+" + PUBLIC.rpartition("+")[2], "a+b+!", "a+00000000+" + "A" * 44]
)
def test_a_line_that_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        PublicKey.parse(line, name="x.pub")
    assert caught.value.code == "E7811"
