"""The rule pack in use: the one that the settings name, with what the user's organisation has filled in."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from rules import RulePack, load_pack
from rules.load import MANIFEST, PACK_NAME, find_folder
from rules.pack import PACKS
from service.settings import Settings


def pack_in_use(settings: Settings, name: str = "") -> RulePack:
    """The pack in use, or another one by name or folder.

    ``ZHIPAI_RULE_OVERRIDES`` belongs to the pack in use only: another pack may not have its parameters.

    Raises
    ------
    ZhipaiError
        As :func:`rules.pack.load_pack`.
    """
    return load_pack(name or settings.pack, overrides=overrides_of(settings, name))


def overrides_of(settings: Settings, name: str = "") -> Path | None:
    """The file of the user's values, where the named pack is the one in use, or a draft of it in another folder."""
    same = name in ("", settings.pack) or pack_name(name) == pack_name(settings.pack)
    return settings.rule_overrides if same else None


def pack_name(name_or_path: str) -> str:
    """The name under which a pack is published.

    A folder may hold a draft that does not load, so only the name in its manifest is read.
    """
    if re.fullmatch(PACK_NAME, name_or_path):
        return name_or_path
    folder = find_folder(name_or_path, PACKS)
    if folder is None:
        return Path(name_or_path).name
    try:
        manifest = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError):
        return folder.name
    return str(manifest["name"]) if isinstance(manifest, dict) and "name" in manifest else folder.name
