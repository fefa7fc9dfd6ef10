"""Where events go: a YAML file outside the repository, with secrets in the environment or in files of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from intake.errors import ZhipaiError, register
from service.outbox.signing import secret_bytes

register(
    "E7910",
    "对外通知设置有误",
    "对外通知的设置文件“{file}”有误：{problem}。写法见 docs/outbox.md。",
    exit_code=3,
)
register(
    "E7911",
    "对外通知缺密钥",
    "对外通知目标“{target}”的密钥“{place}”不能用：{problem}。写法见 docs/outbox.md。",
    exit_code=3,
)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
#: Numbers of a target: default, least, most.
NUMBERS = {
    "timeout_seconds": (10, 1, 30),
    "attempts": (15, 1, 100),
    "first_seconds": (5, 1, 3600),
    "most_seconds": (3600, 1, 86_400),
}
KEYS = {"name", "url", "from", "secrets", "ca", *NUMBERS}


@dataclass(frozen=True, slots=True)
class OutboxTarget:
    """One receiver.

    Parameters
    ----------
    start : datetime
        Decisions from this instant on are sent.
    keys : tuple of bytes
        Secrets, the newest first; every one signs.
    timeout : float
        Seconds for one delivery in all, from connecting to the answer.
    attempts : int
        After so many in vain the event is a dead letter.
    first, most : float
        Seconds to the second attempt, and at most between two.
    ca : str
        File of certificates to trust, for a receiver inside; empty for those of the system.
    """

    name: str
    url: str
    start: datetime
    keys: tuple[bytes, ...] = field(repr=False)
    allow: tuple[str, ...] = ()
    timeout: float = 10.0
    attempts: int = 15
    first: float = 5.0
    most: float = 3600.0
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """The receivers, and every file that they were read from (to see a change)."""

    found: tuple[OutboxTarget, ...]
    files: tuple[Path, ...]

    def stamp(self) -> tuple[float, ...]:
        """When the files were last changed; 0 for one that is gone."""
        return tuple(path.stat().st_mtime if path.is_file() else 0.0 for path in self.files)


def read_targets(path: Path | None) -> Targets:
    """The targets of a file, none without one; E7910 for what cannot be meant, E7911 for a secret that is not there."""
    if path is None:
        return Targets((), ())
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ZhipaiError("E7910", {"file": path.name, "problem": f"读不出来（{type(error).__name__}）"}) from error
    rows = document.get("targets") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ZhipaiError("E7910", {"file": path.name, "problem": "要有一列 targets"})
    allow = document.get("allow", [])
    if set(document) - {"targets", "allow"} or not _texts(allow):
        raise ZhipaiError("E7910", {"file": path.name, "problem": "最外层只有 targets 和 allow（一列网段或主机）"})
    found = [_target(path, row, tuple(allow)) for row in rows]
    names = [target.name for target, _ in found]
    if len(set(names)) < len(names):
        raise ZhipaiError("E7910", {"file": path.name, "problem": "有两个目标同名"})
    return Targets(tuple(target for target, _ in found), (path, *(file for _, files in found for file in files)))


def _target(path: Path, row: Mapping[str, Any], allow: tuple[str, ...]) -> tuple[OutboxTarget, list[Path]]:
    def wrong(problem: str) -> ZhipaiError:
        return ZhipaiError("E7910", {"file": path.name, "problem": problem})

    name = row.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise wrong("每个目标要有 name，由小写字母、数字、- 和 _ 组成，最多 40 个")
    if unknown := set(row) - KEYS:
        raise wrong(f"目标“{name}”有不认识的“{'、'.join(sorted(map(str, unknown)))}”")
    url, start, secrets = row.get("url"), row.get("from"), row.get("secrets")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not url.isascii():
        raise wrong(f"目标“{name}”的 url 应写成 https://主机名/路径，只用 ASCII 字符")
    if isinstance(start, str):
        try:
            start = datetime.fromisoformat(start)
        except ValueError as error:
            raise wrong(f"目标“{name}”的 from 看不懂") from error
    if not isinstance(start, datetime) or start.tzinfo is None:
        raise wrong(f"目标“{name}”要有 from：从哪一刻的决定起送，带时区，加引号，如 '2026-05-01T00:00:00+08:00'")
    if not _texts(secrets) or not secrets:
        raise wrong(f"目标“{name}”要有 secrets：一列 env:环境变量名 或 file:文件路径")
    numbers = {}
    for key, (default, least, most) in NUMBERS.items():
        value = row.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise wrong(f"目标“{name}”的 {key} 应为 {least} 至 {most} 的整数")
        numbers[key.removesuffix("_seconds")] = value
    ca = row.get("ca", "")
    if not isinstance(ca, str) or (ca and not Path(ca).is_file()):
        raise wrong(f"目标“{name}”的 ca 不是一个文件")
    keys, files = zip(*(_secret(name, place) for place in secrets), strict=True)
    target = OutboxTarget(name=name, url=url, start=start, keys=keys, allow=allow, ca=ca, **numbers)
    return target, [file for file in files if file is not None]


def _secret(target: str, place: str) -> tuple[bytes, Path | None]:
    kind, _, where = place.partition(":")
    file = Path(where) if kind == "file" else None
    problem = "只能是 env:环境变量名 或 file:文件路径"
    try:
        if file is not None:
            return secret_bytes(file.read_text(encoding="utf-8")), file
        if kind == "env":
            problem = "没有这个环境变量"
            return secret_bytes(os.environ[where]), None
    except OSError as error:
        problem = f"文件读不出来（{type(error).__name__}）"
    except KeyError:
        pass
    except ValueError as error:
        problem = str(error) if not isinstance(error, UnicodeDecodeError) else "不是文字"
    # What was written may be the secret itself, by mistake: only its kind is repeated.
    shown = place if kind in ("env", "file") else "（未写明来处）"
    raise ZhipaiError("E7911", {"target": target, "place": shown[:120], "problem": problem})


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
