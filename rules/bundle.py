"""A bundle (规则存档): the files of a pack and of everything it extends, so that a version stays loadable for ever.

The key of a bundle is the content hash of its pack. Its bytes are canonical: the same on every machine, whatever the
folder, the line ends, the order of files or the locale.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from rules.fact_dictionary import fact_dictionary
from rules.load import MANIFEST, find_folder
from rules.pack import PACKS, RulePack, load_pack
from rules.problems import Problem
from rules.words import word_lists
from rules.yaml_reader import read_yaml

register(
    "E3501",
    "规则存档损坏",
    "规则版本“{version}”的存档不完整或被改动：{problem}。请从备份恢复数据库。",
    status=503,
    exit_code=3,
)
register(
    "E3502",
    "规则版本与软件不符",
    "规则版本“{version}”由另一版软件发布，现在读出来不同（{part}）。请换回当时的软件，或按现在的文件重新发布。",
    status=503,
    exit_code=3,
)

FORMAT = 1
#: Where the user's own file stands in a bundle; no pack can have this name.
OVERRIDES = "_overrides.yaml"


@dataclass(frozen=True)
class Bundle:
    """One version of a pack.

    Parameters
    ----------
    pack, content_hash : str
        Name and content hash of the pack.
    data : mapping
        ``RulePack.to_data()`` as it was published.
    files : mapping
        ``weifang/return.yaml`` → text with ``\\n`` line ends, for the pack and all that it extends, tests included.
    """

    pack: str
    content_hash: str
    data: Mapping[str, Any]
    files: Mapping[str, str]

    @property
    def id(self) -> str:
        """The id of the pack."""
        return f"{self.pack}@{self.content_hash[:12]}"

    @cached_property
    def content(self) -> bytes:
        """The bundle as canonical JSON."""
        document = {
            "format": FORMAT,
            "pack": self.pack,
            "content_hash": self.content_hash,
            "data": self.data,
            "files": self.files,
        }
        return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @property
    def hash(self) -> str:
        """SHA-256 of :attr:`content`: tells an archive that was tampered with."""
        return hashlib.sha256(self.content).hexdigest()

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """The files in a folder that lasts as long as the block: what ``root`` is to :func:`rules.pack.load_pack`."""
        with tempfile.TemporaryDirectory(prefix="zhipai-rules-") as name:
            root = Path(name)
            for file, text in self.files.items():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_bytes(text.encode())
            yield root

    def overrides(self, root: Path) -> Path | None:
        """The user's own file among the unpacked ones."""
        return root / OVERRIDES if OVERRIDES in self.files else None

    def load(self) -> RulePack:
        """The pack as it was published, with the id it had then.

        Raises
        ------
        ZhipaiError
            E3502 if this software reads the files to another meaning; E30xx if it cannot read them.
        """
        with self.unpacked() as root:
            pack = load_pack(self.pack, root=root, overrides=self.overrides(root))
        then = replace(pack, basis=tuple(self.data["basis"]))
        if then.content_hash == self.content_hash:
            return then
        part = _difference(self.data, _plain(then.to_data()))
        if part:
            raise ZhipaiError("E3502", {"version": self.id, "part": part})
        # Younger software writes down more than the older one did, and all of that is empty: the meaning is the same.
        vars(then)["content_hash"] = self.content_hash
        return then


def at_present(pack: RulePack) -> RulePack:
    """The pack for use in this process: its id tells the fact dictionary and word lists that really serve."""
    basis = (fact_dictionary().id, word_lists().id)
    return pack if pack.basis == basis else replace(pack, basis=basis)


def make_bundle(pack: RulePack, *, root: Path | None = None, overrides: Path | None = None) -> Bundle:
    """Bundle a pack that was loaded with the same ``root`` and ``overrides``; E3502 if it would not load again as it is."""
    files: dict[str, str] = {}
    for name, folder in _folders(pack, root or PACKS).items():
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("tests/*.yaml")]):
            files[f"{name}/{path.relative_to(folder).as_posix()}"] = _text(path)
    if overrides is not None:
        files[OVERRIDES] = _text(overrides)
    bundle = Bundle(pack.name, pack.content_hash, _plain(pack.to_data()), dict(sorted(files.items())))
    if bundle.load().content_hash != pack.content_hash:
        raise ZhipaiError("E3502", {"version": pack.id, "part": "文件在打包时被改动"})
    return bundle


def read_bundle(content: bytes, *, version: str) -> Bundle:
    """A bundle from its bytes; E3501 if they are not those of the version."""
    try:
        document = json.loads(content)
        bundle = Bundle(document["pack"], document["content_hash"], document["data"], document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ZhipaiError("E3501", {"version": version, "problem": "不是规则存档"}) from error
    if document["format"] != FORMAT or bundle.content_hash != version or bundle.content != content:
        raise ZhipaiError("E3501", {"version": version, "problem": "内容与编号不符"})
    return bundle


def _folders(pack: RulePack, root: Path) -> dict[str, Path]:
    """Name → folder of the pack and of everything it extends, found as :mod:`rules.load` finds them."""
    folders: dict[str, Path] = {}
    waiting = [(pack.name, pack.folder)]
    while waiting:
        name, folder = waiting.pop()
        folders[name] = folder
        for parent in _parents(folder):
            found = find_folder(parent, root) or find_folder(folder.parent / parent, root)
            if found is not None and parent not in folders:
                waiting.append((parent, found))
    return folders


def _parents(folder: Path) -> list[str]:
    problems: list[Problem] = []
    node = read_yaml(folder / MANIFEST, f"{folder.name}/{MANIFEST}", problems)
    extends = node.value.get("extends") if node is not None and isinstance(node.value, dict) else None
    if extends is None or extends.value is None:
        return []
    items = extends.value if isinstance(extends.value, list) else [extends]
    return [str(item.value) for item in items]


def _text(path: Path) -> str:
    text = path.read_bytes().decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(data: Any) -> Any:
    return json.loads(json.dumps(data))


def _difference(old: Any, new: Any, place: str = "") -> str:
    """Where the new data says something else than the old; what is only in the new and empty is no difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                return f"{place}{key}"
            found = _difference(old[key], new[key], f"{place}{key}.")
            if found:
                return found
        return next((f"{place}{key}" for key in new if key not in old and new[key]), "")
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return next((found for number, (a, b) in pairs if (found := _difference(a, b, f"{place}{number}."))), "")
    return "" if old == new and type(old) is type(new) else place.removesuffix(".")
