"""A trained ranker as a folder: plain arrays, JSON, a FAISS file, and a manifest with the hash of each. No pickle."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from models.candidates import Candidates
from models.duties import Duties
from models.evidence import History
from models.fields import FieldCounts, function_numbers
from models.files import building, sha256
from models.fusion import Calibration
from models.linear import Block
from models.neighbours import Neighbours, Space
from models.scorer import Judgement, Scorer, lexica
from models.text import TextFeatures
from models.trees import Trees

register(
    "E2201", "模型文件夹不存在", "模型文件夹“{folder}”不存在或没有 manifest.json。请检查路径，或重新训练。", exit_code=3
)
register(
    "E2202",
    "模型文件被改动",
    "模型的文件“{name}”{problem}，为避免派错单，拒绝加载。请从备份恢复这个模型，或用 zhipai rollback 退回上一版。",
    exit_code=3,
)
register(
    "E2203",
    "模型版本不认识",
    "这个模型是格式 {found} 的，本软件认识格式 {expected}。请用当前版本重新训练，或升级软件。",
    exit_code=3,
)

FORMAT = 4
MANIFEST = "manifest.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "jieba", "faiss-cpu", "onnxruntime", "tokenizers")
_ARRAYS = (
    "text_weights",
    "text_index",
    "text_bias",
    "vector_weights",
    "vector_index",
    "vector_bias",
    "idf",
    "mean",
    "scale",
    "order_units",
    "duty_vectors",
    "duty_owners",
    "field_counts",
    "unit_orders",
    "tree_features",
    "tree_thresholds",
    "tree_masks",
    "tree_leaves",
)


def save(
    folder: Path, scorer: Scorer, directory: UnitDirectory, history: History, *, encoder_id: str, facts: dict[str, Any]
) -> None:
    """Write the folder aside, then put it in place whole. ``facts`` are kept as they are, for people."""
    judged = scorer.judgement
    arrays = {
        "text_weights": scorer.text.weights,
        "text_index": scorer.text.index,
        "text_bias": scorer.text.bias,
        "vector_weights": scorer.vector.weights,
        "vector_index": scorer.vector.index,
        "vector_bias": scorer.vector.bias,
        "idf": scorer.features.idf,
        "mean": scorer.space.mean,
        "scale": scorer.space.scale,
        "order_units": scorer.neighbours.units,
        "duty_vectors": scorer.duties.vectors,
        "duty_owners": scorer.duties.owners,
        "field_counts": scorer.counts.counts,
        "unit_orders": scorer.counts.units,
        "tree_features": judged.trees.features,
        "tree_thresholds": judged.trees.thresholds,
        "tree_masks": judged.trees.masks,
        "tree_leaves": judged.trees.leaves,
    }
    ranker = {
        "units": scorer.candidates.names,
        "judgement": {
            "fusion": judged.fusion,
            "tree_start": judged.trees.start,
            "shortlist": judged.shortlist,
            "text": judged.text.as_dict(),
            "fields": judged.fields.as_dict() if judged.fields else None,
            "near": judged.near,
        },
        "field_paths": [list(key) for key in scorer.counts.rows],
        "neighbours": scorer.neighbours.settings,
        "encoder": encoder_id,
        "facts": facts,
    }
    with building(folder) as target:
        for name, array in arrays.items():
            np.save(target / f"{name}.npy", array, allow_pickle=False)
        faiss.write_index(scorer.neighbours.index, str(target / "orders.faiss"))
        _write_json(target / "ranker.json", ranker)
        _write_json(target / "orders.json", {"ids": list(history.ids), "texts": list(history.texts)})
        _write_json(target / "duties.json", list(scorer.duties.lines))
        (target / "vocabulary.json").write_text(scorer.features.to_json(), encoding="utf-8")
        (target / "directory.json").write_text(directory.to_json(), encoding="utf-8")
        manifest = {
            "format": FORMAT,
            "files": {path.name: sha256(path) for path in sorted(target.iterdir())},
            "libraries": {name: version(name) for name in LIBRARIES},
        }
        _write_json(target / MANIFEST, manifest)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n", encoding="utf-8")


def outdated(folder: Path, *, encoder: str = "") -> bool:
    """Whether a model was saved by another version of the software, or with another encoder than the one of this id
    (empty: any). What is damaged is not for that reason old."""
    try:
        if json.loads((folder / MANIFEST).read_bytes())["format"] != FORMAT:
            return True
        return bool(encoder and json.loads((folder / "ranker.json").read_bytes())["encoder"] != encoder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def verify(folder: Path) -> str:
    """Check every file against the manifest and return the model's id.

    Raises
    ------
    ZhipaiError
        E2201 without a manifest, E2202 with the name of a file that is missing, extra or not as it was saved, E2203.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ZhipaiError("E2201", {"folder": folder.name})
    content = path.read_bytes()
    try:
        manifest = json.loads(content)
        found, files = manifest["format"], dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ZhipaiError("E2202", {"name": MANIFEST, "problem": "读不出来"}) from error
    if found != FORMAT:
        raise ZhipaiError("E2203", {"found": found, "expected": FORMAT})
    needed = {f"{name}.npy" for name in _ARRAYS} | {
        "orders.faiss",
        "ranker.json",
        "orders.json",
        "duties.json",
        "vocabulary.json",
        "directory.json",
    }
    for name in sorted({one.name for one in folder.iterdir()} - set(files) - {MANIFEST}):
        raise ZhipaiError("E2202", {"name": name, "problem": "不在清单里"})
    for name in sorted(needed | set(files)):
        if name not in files or not (folder / name).is_file():
            raise ZhipaiError("E2202", {"name": name, "problem": "缺失"})
        if sha256(folder / name) != files[name]:
            raise ZhipaiError("E2202", {"name": name, "problem": "与保存时不一致"})
    return f"model-{hashlib.sha256(content).hexdigest()[:16]}"


def load(folder: Path) -> tuple[str, Scorer, UnitDirectory, History, dict[str, Any]]:
    """Verify and read a folder: id, scorer, directory, history and what ``ranker.json`` says. Errors of :func:`verify`."""
    identity = verify(folder)
    arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS if name != "text_weights"}
    # Mapped, not read: two serving processes share one copy, and a ranking touches a few hundred of its rows.
    text_weights = np.load(folder / "text_weights.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
    facts = _read_json(folder / "ranker.json")
    orders = _read_json(folder / "orders.json")
    directory = UnitDirectory.from_file(folder / "directory.json")
    features = TextFeatures.from_json((folder / "vocabulary.json").read_text(encoding="utf-8"), arrays["idf"])
    candidates = Candidates.of(facts["units"], directory)
    duties = Duties(tuple(_read_json(folder / "duties.json")), arrays["duty_owners"], arrays["duty_vectors"])
    names, duty_words = lexica(candidates, duties)
    scorer = Scorer(
        features=features,
        candidates=candidates,
        space=Space(arrays["mean"], arrays["scale"]),
        text=Block(text_weights, arrays["text_index"], arrays["text_bias"]),
        vector=Block(arrays["vector_weights"], arrays["vector_index"], arrays["vector_bias"]),
        neighbours=Neighbours(
            faiss.read_index(str(folder / "orders.faiss")), arrays["order_units"], **facts["neighbours"]
        ),
        duties=duties,
        counts=FieldCounts(
            {(name, path): row for row, (name, path) in enumerate(facts["field_paths"])},
            arrays["field_counts"],
            arrays["unit_orders"],
            function_numbers(candidates.functions),
        ),
        names=names,
        duty_words=duty_words,
        judgement=_judgement(facts["judgement"], arrays),
    )
    return identity, scorer, directory, History(orders["ids"], orders["texts"]), facts


def _judgement(row: dict[str, Any], arrays: dict[str, np.ndarray]) -> Judgement:
    nodes = {name: arrays[f"tree_{name}"] for name in ("features", "thresholds", "masks", "leaves")}
    return Judgement(
        fusion=row["fusion"],
        trees=Trees(**nodes, start=row["tree_start"]),
        shortlist=row["shortlist"],
        text=Calibration.from_dict(row["text"]),
        fields=Calibration.from_dict(row["fields"]) if row["fields"] else None,
        near=row["near"],
    )


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
