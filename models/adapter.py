"""What our own training adds to the weights of the encoder: matrices of low rank (LoRA, Hu et al. 2021, arXiv 2106.09685).

For a layer with weights W (out, in) the adapter holds A (rank, in) and B (out, rank); the adapted layer is W + B A. They
are merged once, when the encoder is built, so that serving knows nothing of them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError, register
from models.files import sha256

register(
    "E2008",
    "编码器的适配文件不对",
    "编码器的适配文件“{name}”{problem}。请从版本库恢复它，或用 zhipai encoder adapt 重新训练。",
    exit_code=3,
)

#: Ours; docs/decisions/0008-adapted-encoder.md says what it was trained on and what it is worth.
BUNDLED = Path(__file__).resolve().parent.parent / "datasets" / "encoder_adapter" / "adapter.npz"
DOWN, UP = ".A", ".B"

#: Layer -> (rank, in) and (out, rank).
Adapter = Mapping[str, tuple[np.ndarray, np.ndarray]]


def adapter_id(path: Path | None) -> str:
    """16 hex digits of its content; empty without an adapter."""
    return sha256(path)[:16] if path is not None and path.is_file() else ""


def save_adapter(adapter: Adapter, path: Path) -> None:
    """Write it as float16 (3 MB at rank 16), whole or not at all."""
    arrays = {
        name + end: one.astype(np.float16)
        for name, both in adapter.items()
        for end, one in zip((DOWN, UP), both, strict=True)
    }
    part = path.with_name(path.name + ".part")
    try:
        # Into an open file: to a name that does not end so, numpy would add .npz.
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_adapter(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read what :func:`save_adapter` wrote, as float32; E2008."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = sorted(name.removesuffix(DOWN) for name in arrays.files if name.endswith(DOWN))
            return {
                name: (arrays[name + DOWN].astype(np.float32), arrays[name + UP].astype(np.float32)) for name in names
            }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ZhipaiError("E2008", {"name": path.name, "problem": "读不出来"}) from error


def adapted(state: Mapping[str, np.ndarray], adapter: Adapter) -> dict[str, np.ndarray]:
    """The weights of a BertModel with an adapter merged; E2008 if it is for another model."""
    changed = dict(state)
    for layer, (down, up) in adapter.items():
        name = f"{layer}.weight"
        if name not in changed or changed[name].shape != (up.shape[0], down.shape[1]):
            raise ZhipaiError("E2008", {"name": layer, "problem": "与编码器的结构不符"})
        changed[name] = (changed[name] + up @ down).astype(np.float32)
    return changed
