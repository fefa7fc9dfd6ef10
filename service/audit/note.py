"""Signed notes and the checkpoints in them, as C2SP writes them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A checkpoint is three lines (origin, size, root in base64), an empty line, and a line for each signature:
``— name base64(key id ‖ signature)``. A public key is written ``name+hex(key id)+base64(0x01 ‖ key)``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from intake.errors import ZhipaiError, register

register(
    "E7811", "公钥写法不对", "公钥“{name}”不对：{problem}。应是一行“名称+编号+base64”，由 zhipai audit key show 给出。"
)
register("E7812", "检查点写法不对", "检查点“{name}”不对：{problem}。请重新取得原来的文件，不要改动它。")

#: The signature type Ed25519 of C2SP.
ED25519 = b"\x01"
#: Bytes of a note beyond which it is not read: three lines and more signatures than anybody needs.
LARGEST = 64 * 1024
SIGNATURE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signs checkpoints. ``raw`` are its 32 bytes (RFC 8032)."""

    name: str
    raw: bytes

    @property
    def id(self) -> str:
        """Eight hexadecimal digits: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4].hex()

    @property
    def line(self) -> str:
        return f"{self.name}+{self.id}+{base64.b64encode(ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, line: str, *, name: str = "") -> PublicKey:
        """From a line; E7811. ``name``: what an error calls it."""
        parts = line.strip().split("+", 2)
        if len(parts) != 3:
            raise ZhipaiError("E7811", {"name": name, "problem": "缺少加号分开的三段"})
        try:
            content = base64.b64decode(parts[2], validate=True)
        except binascii.Error as error:
            raise ZhipaiError("E7811", {"name": name, "problem": "第三段不是 base64"}) from error
        if len(content) != 33 or content[:1] != ED25519:
            raise ZhipaiError("E7811", {"name": name, "problem": "不是 Ed25519 公钥"})
        key = cls(parts[0], content[1:])
        if key.id != parts[1]:
            raise ZhipaiError("E7811", {"name": name, "problem": "编号与公钥不符"})
        return key

    def verifies(self, signature: bytes, text: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log at one size. ``signatures``: name, key id and signature of each signer."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, str, bytes], ...] = ()

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @property
    def note(self) -> str:
        lines = [
            f"— {name} {base64.b64encode(bytes.fromhex(key_id) + signature).decode()}\n"
            for name, key_id, signature in self.signatures
        ]
        return f"{self.text}\n{''.join(lines)}"

    def signed(self, name: str, key: Ed25519PrivateKey) -> Checkpoint:
        """With one more signature."""
        public = PublicKey(name, key.public_key().public_bytes_raw())
        signature = (name, public.id, key.sign(self.text.encode()))
        return Checkpoint(self.origin, self.size, self.root, (*self.signatures, signature))

    def verify(self, keys: list[PublicKey]) -> PublicKey | None:
        """The known key that signed; None if no known key did, or if the signature of a known key does not hold."""
        found: PublicKey | None = None
        for name, key_id, signature in self.signatures:
            for key in keys:
                if (key.name, key.id) == (name, key_id):
                    if not key.verifies(signature, self.text.encode()):
                        return None
                    found = found or key
        return found


def parse_checkpoint(note: str, *, name: str) -> Checkpoint:
    """A checkpoint from its note, signatures not verified; E7812. ``name``: what an error calls it."""

    def wrong(problem: str) -> ZhipaiError:
        return ZhipaiError("E7812", {"name": name, "problem": problem})

    if len(note) > LARGEST or CONTROL.search(note):
        raise wrong("太长，或有控制字符")
    text, empty, signed = note.rpartition("\n\n")
    lines = text.split("\n")
    if not empty or len(lines) != 3 or not signed.endswith("\n") or not lines[0]:
        raise wrong("应为日志名称、条数、根三行，空一行，再是签名")
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1], re.ASCII):
        raise wrong("第二行不是条数")
    root = _base64(lines[2])
    if root is None or len(root) != 32:
        raise wrong("第三行不是 32 个字节的 base64")
    signatures = []
    for line in signed[:-1].split("\n"):
        found = SIGNATURE.fullmatch(line)
        content = _base64(found[2]) if found else None
        if found is None or content is None or len(content) < 5:
            raise wrong("签名行的写法不对")
        signatures.append((found[1], content[:4].hex(), content[4:]))
    return Checkpoint(lines[0], int(lines[1]), root, tuple(signatures))


def _base64(text: str) -> bytes | None:
    """The bytes, if the text is their one and only encoding."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode() == text else None
