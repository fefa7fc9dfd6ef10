"""Passwords: what one has to be like, how it is kept (argon2id), and one-time passwords."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from intake.errors import ZhipaiError, register

register("E7857", "密码不合要求", "密码不合要求：{problem}。")

LONGEST = 128
#: No vowels and no look-alikes: it is read out on the telephone, and forms no words.
_LETTERS = "BCDFGHJKMNPQRSTVWXZbcdfghjkmnpqrstvwxz23456789"
#: Above what OWASP asks of argon2id (19 MiB, 2 rounds, 1 lane).
_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
#: A crowd at the door must not fill the memory: so many are worked out at a time.
_AT_ONCE = threading.Semaphore(2)


@dataclass(frozen=True, slots=True)
class PasswordRule:
    """``length``: fewest characters; ``classes``: of 大写、小写、数字、其他 so many have to occur."""

    length: int = 12
    classes: int = 1


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Passwords that are tried first, in lower case."""
    text = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def check_password(password: str, *, name: str, rule: PasswordRule) -> None:
    """E7857 with what is wrong. The password itself is never repeated."""
    word = _normal(password)
    lower = word.lower()
    kinds = {
        "大写" if character.isupper() else "小写" if character.islower() else "数字" if character.isdigit() else "其他"
        for character in word
    }
    if len(word) < rule.length:
        problem = f"至少 {rule.length} 个字符"
    elif len(word) > LONGEST:
        problem = f"最多 {LONGEST} 个字符"
    elif lower in common_passwords():
        problem = "太常见，容易被猜中"
    elif name.lower() in lower:
        problem = "不能含有账号名"
    elif len(set(lower)) < 5:
        problem = "不同的字符太少"
    elif len(kinds) < rule.classes:
        problem = f"须含大写字母、小写字母、数字、其他字符中的 {rule.classes} 类"
    else:
        return
    raise ZhipaiError("E7857", {"problem": problem})


def hash_password(password: str) -> str:
    """The argon2id hash with its salt and costs."""
    with _AT_ONCE:
        return _HASHER.hash(_normal(password))


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is the one. Without a stored hash the same work is done, so that the time tells nothing."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(stored or _nobody(), _normal(password[: LONGEST * 4])) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def one_time_password() -> str:
    """Four groups of four characters, 86 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


def _normal(password: str) -> str:
    """The same characters whatever keyboard made them; half an emoji cannot be hashed."""
    return unicodedata.normalize("NFKC", password.encode("utf-8", "ignore").decode("utf-8"))
