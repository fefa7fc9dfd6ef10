"""The keys that sign checkpoints: made on first need, the private one for its owner's eyes only, old public ones kept."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from intake.errors import ZhipaiError, register
from service.audit.note import PublicKey

register(
    "E7813",
    "签名密钥不可用",
    "文件夹“{folder}”里的签名密钥不可用：{problem}。请从备份恢复 keys 文件夹，或运行 zhipai audit key rotate 换一把新的。",
    status=503,
    exit_code=3,
)

LIST, LOCK = "log-keys.json", "log-keys.lock"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A public key of the log and its time; ``retired_at`` is empty for the one in use."""

    key: PublicKey
    made_at: str
    retired_at: str

    def as_dict(self) -> dict[str, str]:
        return {
            "key_id": self.key.id,
            "public_key": self.key.line,
            "made_at": self.made_at,
            "retired_at": self.retired_at,
        }


@dataclass(frozen=True, slots=True)
class KeyStore:
    """The keys in one folder.

    ``log-keys.json`` lists the public keys, the one in use last; ``log-<key id>.pem`` is a private key (mode 0600).
    """

    folder: Path

    def entries(self) -> list[KeyEntry]:
        """All public keys, oldest first; E7813 if the list cannot be read."""
        try:
            rows: list[dict[str, Any]] = json.loads((self.folder / LIST).read_text(encoding="utf-8"))
            return [KeyEntry(PublicKey.parse(row["public_key"]), row["made_at"], row["retired_at"]) for row in rows]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError, ZhipaiError) as error:
            raise self._unusable(f"{LIST} 不完整") from error

    def public_keys(self) -> list[PublicKey]:
        return [entry.key for entry in self.entries()]

    def current(self, name: str, *, at: datetime) -> tuple[PublicKey, Ed25519PrivateKey]:
        """The key in use, made if there is none yet; E7813."""
        entries = self.entries()
        if not entries:
            with self._locked():
                entries = self.entries()
                if not entries:
                    return self._made(name, [], at)
        public = entries[-1].key
        try:
            private = load_pem_private_key((self.folder / f"log-{public.id}.pem").read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise self._unusable(f"私钥 {public.id} 读不出来") from error
        if not isinstance(private, Ed25519PrivateKey) or private.public_key().public_bytes_raw() != public.raw:
            raise self._unusable(f"私钥 {public.id} 与公钥不符")
        return public, private

    def rotate(
        self, name: str, *, at: datetime, record: Callable[[PublicKey | None, PublicKey], None]
    ) -> tuple[PublicKey | None, PublicKey]:
        """Put a new key in use; returns (old, new). The old private one is deleted: nobody signs with it any more.

        Parameters
        ----------
        record : callable
            Writes down that the key changes. If it raises, the old key stays in use.
        """
        with self._locked():
            entries = self.entries()
            old = entries[-1].key if entries else None
            new, _ = self._made(name, entries, at, record=lambda made: record(old, made))
            if old is not None:
                (self.folder / f"log-{old.id}.pem").unlink(missing_ok=True)
            return old, new

    def _made(
        self,
        name: str,
        entries: list[KeyEntry],
        at: datetime,
        *,
        record: Callable[[PublicKey], None] = lambda _made: None,
    ) -> tuple[PublicKey, Ed25519PrivateKey]:
        private = Ed25519PrivateKey.generate()
        public = PublicKey(name, private.public_key().public_bytes_raw())
        content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem = self.folder / f"log-{public.id}.pem"
        write_whole(pem, content, mode=0o600)
        try:
            record(public)
        except BaseException:
            pem.unlink()
            raise
        rows = [KeyEntry(entry.key, entry.made_at, entry.retired_at or at.isoformat()).as_dict() for entry in entries]
        rows.append(KeyEntry(public, at.isoformat(), "").as_dict())
        document = json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
        write_whole(self.folder / LIST, document.encode(), mode=0o644)
        return public, private

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time makes keys. The lock is the kernel's: a killed process leaves nothing to clean up."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _unusable(self, problem: str) -> ZhipaiError:
        return ZhipaiError("E7813", {"folder": self.folder.name, "problem": problem})


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put a file in its place whole and on the disk, or not at all. It has its mode before it has its content."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
