"""``python -m benchmarks peer_quality``: the rule analyser of the direct peer baisitong2 and our ranker on the same civic
messages (seven classes), of which neither saw one: the peer has keywords, ours learns from the bundled city alone.

The peer's nine categories are mapped to the seven by :data:`CLASSES`. It may name several: "first" takes the first that
maps, "any" counts it right if one of them is right.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.common import Row
from benchmarks.peer import PEER, environment
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.readers import read_orders
from models.encoder import Encoder
from service.settings import ROOT, settings
from training.config import TrainConfig
from training.dataset import TrainingSet, training_set
from training.train import fit_ranker

MAPPINGS = ROOT / "datasets" / "mappings"
WORKER = Path(__file__).with_name("peer_quality_worker.py")
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
ROUNDS = 1000
#: By the three-level scheme of the seven: sanitation, property and facilities lie under 城乡建设, dust, noise and smells under
#: 环境保护; the words of the peer's 环境卫生 are mostly fumes, sewage, dust and smells. 邻里纠纷 and 其他 have no class (no
#: answer); 教育文体, 商贸旅游 and 卫生计生 have no category.
CLASSES = {
    "环境卫生": "环境保护",
    "噪音扰民": "环境保护",
    "违章建筑": "城乡建设",
    "公共设施": "城乡建设",
    "物业管理": "城乡建设",
    "民生保障": "劳动和社会保障",
    "交通安全": "交通运输",
}


def run() -> list[Row]:
    shared = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
    source = shared / "teddy2020_smartgov" / "a2_labelled.csv"
    if not source.is_file():
        return [Row(f"与 {PEER} 的规则分析器对比", "跳过：没有真实留言（ZHIPAI_SHARED_DATA）")]
    python = environment()
    if python is None:
        return [Row(f"与 {PEER} 的规则分析器对比", "跳过：装不上对照软件")]
    messages = _read(source, "teddy_raw.yaml")
    truth = list(messages.units)
    theirs, their_seconds = _peer(python, messages.texts)
    first = [answers[0] if answers else "" for answers in theirs]
    ours, our_seconds = _ours(messages)
    n = len(truth)
    right = np.array([a == b for a, b in zip(ours, truth, strict=True)], float)
    peer_right = np.array([a == b for a, b in zip(first, truth, strict=True)], float)
    any_right = np.array([a in b for a, b in zip(truth, theirs, strict=True)], float)
    return [
        Row(
            "七类，前一个命中：本软件", _share(right, messages.groups), "高于对照软件", right.mean() > peer_right.mean()
        ),
        Row(f"七类，前一个命中：{PEER} 规则分析器", _share(peer_right, messages.groups)),
        Row(f"七类，说的几个里有对的：{PEER}", _share(any_right, messages.groups)),
        Row("七类，宏 F1：本软件 / 对照软件", f"{_f1(truth, ours):.3f} / {_f1(truth, first):.3f}（n={n}）"),
        Row("对照软件没有对应的类（其他、邻里纠纷）", f"{np.mean([not one for one in first]):.0%}（n={n}）"),
        Row(
            "每秒分类，单线程：本软件（含编码、依据）/ 对照软件",
            f"{n / our_seconds:,.0f} / {n / their_seconds:,.0f}（{our_seconds / their_seconds:,.0f} 倍时间）",
        ),
    ]


def _read(path: Path, mapping: str) -> TrainingSet:
    rows = read_orders(path, Mapping.from_file(MAPPINGS / mapping))
    return training_set(rows, gazetteer=Gazetteer.empty(), directory=None)


def _peer(python: Path, texts: Sequence[str]) -> tuple[list[list[str]], float]:
    """The seven classes that the peer names for each text, in its order, and its seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(list(texts), file, ensure_ascii=False)
        file.flush()
        done = subprocess.run([str(python), str(WORKER), file.name], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return [[CLASSES[name] for name in found if name in CLASSES] for found in answer["categories"]], answer["seconds"]


def _ours(messages: TrainingSet) -> tuple[list[str], float]:
    """The class that a ranker names first that learned from the bundled city alone, and its seconds."""
    known = _read(ROOT / "datasets" / "city" / "orders.jsonl", "city_civic7.yaml")
    encoder = Encoder.load(settings().encoder_folder)
    ranker = fit_ranker(known, encoder, known.directory, TrainConfig.default(), None)
    started = time.perf_counter()
    found = [
        ranker.rank_many([text], encoder.encode([text], kind="query"), as_of=AS_OF)[0].units[0].unit
        for text in messages.texts
    ]
    return found, time.perf_counter() - started


def _f1(truth: Sequence[str], told: Sequence[str]) -> float:
    """Over the seven classes; what names none of them is no class of its own."""
    return float(f1_score(truth, told, labels=sorted(set(truth)), average="macro", zero_division=0))


def _share(right: np.ndarray, groups: Sequence[str]) -> str:
    """Mean with a 95% interval by bootstrap over groups of repeated messages."""
    ids = np.unique(np.asarray(groups), return_inverse=True)[1]
    hits, sizes = np.bincount(ids, right), np.bincount(ids)
    draws = np.random.default_rng(0).integers(0, len(sizes), (ROUNDS, len(sizes)))
    means = hits[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{right.mean():.3f}（{low:.3f}–{high:.3f}，n={len(right)}）"
