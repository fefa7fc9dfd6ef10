"""CPU time of one proposal against what cannot be avoided: encoding the text and one exact vector search."""

from __future__ import annotations

import time
from statistics import median

import faiss
import numpy as np

from benchmarks.common import Row, city_texts
from intake.order import WorkOrder
from service import clock
from service.settings import settings
from service.snapshot import open_snapshot
from service.triage import propose


def run() -> list[Row]:
    snapshot = open_snapshot(settings())
    texts = city_texts(300)
    as_of = clock.now()
    index = faiss.IndexFlatIP(snapshot.encoder.dim)
    rng = np.random.default_rng(0)
    index.add(rng.standard_normal((4000, snapshot.encoder.dim)).astype(np.float32))
    for text in texts[:20]:
        propose(WorkOrder(text=text), as_of=as_of, snapshot=snapshot)
    bare: list[float] = []
    whole: list[float] = []
    # The two take turns on the same text, so that a slow moment of the machine hits both.
    for text in texts:
        started = time.process_time()
        vector = snapshot.encoder.encode([text], kind="query")
        index.search(vector, 10)
        between = time.process_time()
        propose(WorkOrder(text=text), as_of=as_of, snapshot=snapshot)
        whole.append(time.process_time() - between)
        bare.append(between - started)
    ratio = sum(whole) / sum(bare)
    figure = f"{ratio:.2f} 倍（整条 {median(whole) * 1000:.1f} ms，光编码加检索 {median(bare) * 1000:.1f} ms，n={len(texts)}）"
    return [Row("一条建议的 CPU 时间 ÷（编码＋FAISS）", figure, "≤ 2 倍", ratio <= 2)]
