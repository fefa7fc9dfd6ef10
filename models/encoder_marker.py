"""The marker of a built encoder: what is in the folder, and the content hash by which indexes and models know it."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from intake.errors import ZhipaiError, register
from models.files import sha256

register(
    "E2005",
    "编码器文件夹不存在",
    "编码器文件夹“{folder}”不存在或是空的。请运行 zhipai setup 构建编码器，或检查 ZHIPAI_ENCODER 指向的位置。",
    exit_code=3,
)
register(
    "E2006",
    "编码器已损坏",
    "编码器的文件“{name}”{problem}。请删除文件夹“{folder}”后运行 zhipai setup 重新构建。",
    exit_code=3,
)

MARKER = "zhipai_encoder.json"
ONNX = "model_int8.onnx"
TOKENIZER = "tokenizer.json"
#: Part of the identity: it goes up when the same files give other vectors. 3: run without onnxruntime's SLOW_FUSION, which
#: moves int8 vectors by a cosine of 0.999.
FORMAT = 3


@dataclass(frozen=True, slots=True)
class Marker:
    """What a built folder says of itself.

    Parameters
    ----------
    id : str
        ``encoder-`` and 16 hex digits over everything that a vector depends on.
    dim : int
        Width of a vector.
    max_tokens : dict
        Kind (query, passage) -> tokens after which a text is cut.
    prompts : dict
        Kind -> what is put before the text.
    files : dict
        Name -> bytes, crc32 and sha256 of each file that serving reads.
    adapter : str
        :func:`models.adapter.adapter_id` of what was merged into the weights.
    """

    id: str
    dim: int
    max_tokens: dict[str, int]
    prompts: dict[str, str]
    files: dict[str, dict[str, int | str]]
    adapter: str


def write_marker(
    folder: Path, *, dim: int, max_tokens: dict[str, int], prompts: dict[str, str], adapter: str
) -> Marker:
    """Hash what serving reads and write the marker, the last file of a build."""
    files: dict[str, dict[str, int | str]] = {
        name: {
            "bytes": (folder / name).stat().st_size,
            "crc32": zlib.crc32((folder / name).read_bytes()),
            "sha256": sha256(folder / name),
        }
        for name in (ONNX, TOKENIZER)
    }
    marker = Marker(_identity(dim, max_tokens, prompts, files), dim, max_tokens, prompts, files, adapter)
    text = json.dumps({"format": FORMAT, **asdict(marker)}, ensure_ascii=False, indent=1, sort_keys=True)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")
    return marker


def _identity(
    dim: int, max_tokens: dict[str, int], prompts: dict[str, str], files: dict[str, dict[str, int | str]]
) -> str:
    matters = [FORMAT, dim, max_tokens, prompts, {name: row["sha256"] for name, row in files.items()}]
    return f"encoder-{hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()[:16]}"


def read_marker(folder: Path) -> Marker:
    """Read the marker of a built folder and check its files against it.

    The check at each start is by size and CRC-32 (5 ms for 38 MB, against 100 ms and more for SHA-256): it finds a file
    that was cut off, swapped or hit by a bad disk. The SHA-256 in the marker is what ``id`` was made of.

    Raises
    ------
    ZhipaiError
        E2006 with the name of the file.
    """
    try:
        row = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if row.pop("format") != FORMAT:
            raise ZhipaiError("E2006", {"name": MARKER, "problem": "是另一个版本写的", "folder": folder.name})
        marker = Marker(**row)
        expected = {name: (int(one["bytes"]), int(one["crc32"])) for name, one in marker.files.items()}
        whole = marker.id == _identity(marker.dim, marker.max_tokens, marker.prompts, marker.files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ZhipaiError("E2006", {"name": MARKER, "problem": "读不出来", "folder": folder.name}) from error
    if not whole:
        raise ZhipaiError("E2006", {"name": MARKER, "problem": "被改动过", "folder": folder.name})
    for name in (ONNX, TOKENIZER):
        path = folder / name
        if not path.is_file():
            raise ZhipaiError("E2006", {"name": name, "problem": "缺失", "folder": folder.name})
        content = path.read_bytes()
        if (len(content), zlib.crc32(content)) != expected.get(name):
            raise ZhipaiError("E2006", {"name": name, "problem": "与构建时不一致", "folder": folder.name})
    return marker
