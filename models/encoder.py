"""Text to vectors. Serving needs onnxruntime and tokenizers only; torch is for a folder that a user brings along."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from intake.errors import ZhipaiError, register
from models.encoder_marker import MARKER, ONNX, TOKENIZER, read_marker
from models.files import sha256
from models.progress import Progress, silent
from models.side_by_side import usable_cores

register(
    "E2007",
    "编码器打不开",
    "编码器文件夹“{folder}”打不开（{problem}）。请检查它是不是一个完整的 SentenceTransformer 文件夹，或去掉 ZHIPAI_ENCODER 改用随附的编码器。",
    exit_code=3,
)

Kind = Literal["query", "passage"]
STEP = "编码文本"
#: Characters from which a text that is encoded alone is given two cores, which halves its time. A short one gains a third
#: and costs a third more; it is better encoded beside other work (:meth:`Encoder.begin`).
LONG = 100
#: Texts that are together less than this share of the longest are encoded after it on two cores, and not beside it on one.
SLIGHT = 0.6
#: onnxruntime's fused form of "add, then normalise" takes six times as long as the two apart (1.31, one thread).
SLOW_FUSION = "SkipLayerNormFusion"

#: Takes clean texts and a kind, gives one vector each.
_Backend = Callable[[Sequence[str], Kind], Iterator[np.ndarray]]


class Encoder:
    """Gives L2-normalised vectors. ``id`` changes when the vectors may; ``dim`` is their width.

    Thread-safe, and a function of the text alone with the built-in encoder: a text's vector does not depend on what
    else is in the call. (int8 activations are scaled by tensor, so padding texts into one batch moved vectors by a
    cosine of 0.998 and cost 30% more time. Each text is therefore a run of its own.)
    """

    def __init__(self, *, identity: str, dim: int, backend: _Backend, threads: int = 1, beside: bool = False):
        self.id = identity
        self.dim = dim
        self._backend = backend
        self._threads = threads
        # Started with the first text; a thread waits for nothing but the native run, so there may be as many as cores.
        self._beside = ThreadPoolExecutor(max(usable_cores(), 2), thread_name_prefix="encoder") if beside else None

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1, beside: bool = False) -> Encoder:
        """Open a built encoder, or any SentenceTransformer folder.

        Parameters
        ----------
        folder : Path
            From :func:`models.encoder_build.build_encoder`, or a user's own (``ZHIPAI_ENCODER``).
        threads : int
            Cores that this process may count on: texts encoded side by side, and with more than one a long text that is
            encoded alone has two. (Its threads spin: where another process needs the core, both lose.)
        beside : bool
            Whether :meth:`begin` leaves the caller free meanwhile.

        Raises
        ------
        ZhipaiError
            E2005 without a folder, E2006 if a file is missing or damaged, E2007 if a user's folder does not load.
        """
        if not folder.is_dir() or not any(folder.iterdir()):
            raise ZhipaiError("E2005", {"folder": folder.name})
        if (folder / MARKER).exists() or (folder / ONNX).exists():
            return _open_onnx(folder, threads, beside)
        return _open_sentence_transformer(folder, threads, beside)

    def encode(
        self, texts: Sequence[str], *, kind: Kind = "query", batch: int = 32, progress: Progress | None = None
    ) -> np.ndarray:
        """Vectors of ``texts``: (n, dim) float32, L2-normalised.

        ``batch`` is how many texts go by between two calls of ``progress``.
        """
        report = progress or silent
        vectors = np.zeros((len(texts), self.dim), np.float32)
        # Longest first: memory peaks at once and two threads end together.
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            for i, vector in zip(part, self._backend([_clean(texts[i]) for i in part], kind), strict=True):
                vectors[i] = vector
            report(STEP, min(start + batch, len(order)), len(order))
        return vectors

    def begin(self, texts: Sequence[str], *, kind: Kind = "query") -> Callable[[], np.ndarray]:
        """Start :meth:`encode` beside what the caller does; the function that comes back waits for the vectors.

        A run releases the interpreter lock: what can be read in a text without its vector costs no time then. It is
        done at once by an encoder that was not loaded for that (one of several processes that keep all cores busy), and
        where it takes all cores itself, for a long text.
        """
        if self._beside is None or (self._threads > 1 and max(map(len, texts), default=0) >= LONG):
            vectors = self.encode(texts, kind=kind)
            return lambda: vectors
        started = threading.Event()

        def work() -> np.ndarray:
            started.set()
            return self.encode(texts, kind=kind)

        found = self._beside.submit(work)
        # Else the caller would go on, and hold the interpreter for the 5 ms after which another thread may ask for it.
        started.wait()
        return found.result


def _clean(text: str) -> str:
    """Lone surrogates stop the tokenizer; a replacement character does not."""
    return text.encode("utf-8", "replace").decode("utf-8")


class _Running:
    """How many runs are under way in this process; entering gives the number of others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> int:
        with self._lock:
            self._count += 1
            return self._count - 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1


def _open_onnx(folder: Path, threads: int, beside: bool) -> Encoder:
    marker = read_marker(folder)
    import onnxruntime
    from tokenizers import Tokenizer

    def session(cores: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait by spinning are quicker, and must not go on when the text is done.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        return onnxruntime.InferenceSession(
            str(folder / ONNX), options, providers=["CPUExecutionProvider"], disabled_optimizers=[SLOW_FUSION]
        )

    try:
        narrow = session(1)
        wide = session(2) if threads > 1 else narrow
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:
        raise ZhipaiError("E2007", {"folder": folder.name, "problem": type(error).__name__}) from error
    running = _Running()

    def one(text: str, kind: Kind, *, alone: bool) -> np.ndarray:
        tokens = tokenizer.encode(marker.prompts[kind] + text).ids
        limit = marker.max_tokens[kind]
        if len(tokens) > limit:
            tokens = tokens[: limit - 1] + tokens[-1:]
        ids = np.array([tokens], np.int64)
        with running as others:
            chosen = wide if alone and not others and len(text) >= LONG else narrow
            return chosen.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]

    def many(texts: Sequence[str], kind: Kind) -> Iterator[np.ndarray]:
        longest, *others = map(len, texts)
        if threads == 1 or sum(others) < SLIGHT * longest:
            yield from (one(text, kind, alone=True) for text in texts)
        else:
            # A run releases the interpreter lock, so two threads keep two cores busy with whole texts.
            with ThreadPoolExecutor(threads) as pool:
                yield from pool.map(lambda text: one(text, kind, alone=False), texts)

    return Encoder(identity=marker.id, dim=marker.dim, backend=many, threads=threads, beside=beside)


def _open_sentence_transformer(folder: Path, threads: int, beside: bool) -> Encoder:
    try:
        import torch
        from sentence_transformers import SentenceTransformer

        from models.quiet import hushed

        torch.set_num_threads(threads)
        with hushed():
            model: Any = SentenceTransformer(str(folder), local_files_only=True)
    except Exception as error:
        raise ZhipaiError("E2007", {"folder": folder.name, "problem": type(error).__name__}) from error
    prompts = {
        "query": model.prompts.get("query", ""),
        "passage": model.prompts.get("passage") or model.prompts.get("document", ""),
    }

    def many(texts: Sequence[str], kind: Kind) -> Iterator[np.ndarray]:
        yield from model.encode(
            list(texts), prompt=prompts[kind], normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )

    dim = int(model.get_embedding_dimension())
    return Encoder(identity=_content_id(folder, prompts), dim=dim, backend=many, threads=threads, beside=beside)


def _content_id(folder: Path, prompts: dict[str, str]) -> str:
    """Hash of every file of a user's folder. Nothing is written there, so it is read anew at each start."""
    rows = [(path.relative_to(folder).as_posix(), sha256(path)) for path in sorted(folder.rglob("*")) if path.is_file()]
    digest = hashlib.sha256(json.dumps([rows, prompts], sort_keys=True).encode()).hexdigest()
    return f"encoder-{digest[:16]}"
