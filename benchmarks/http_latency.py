"""Sequential HTTP calls to one worker: tail against median, start of a second ``serve``, memory of the worker."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.common import Row, city_texts, own_home, percentile
from benchmarks.server import zhipai

CALLS = 200


def run() -> list[Row]:
    texts = city_texts(CALLS + 20)
    with own_home() as home, zhipai(home) as service:
        seconds = []
        for number, text in enumerate(texts):
            started = time.perf_counter()
            status, _ = service.post("/v1/triage", {"text": text})
            if status != 200:
                raise RuntimeError(f"POST /v1/triage 返回 {status}")
            if number >= len(texts) - CALLS:
                seconds.append(time.perf_counter() - started)
        rss = service.worker_rss_mb()
        ready = service.ready_seconds
    middle, tail = median(seconds), percentile(seconds, 0.99)
    return [
        Row("200 次顺序 HTTP：p99 ÷ 中位", f"{tail / middle:.2f} 倍（{tail * 1e3:.1f} / {middle * 1e3:.1f} ms）", "≤ 3 倍", tail <= 3 * middle),
        Row("再次启动到可用", f"{ready:.1f} 秒", "< 20 秒", ready < 20),
        Row("一个服务进程的常驻内存", f"{rss:.0f} MB", "< 800 MB", rss < 800),
    ]  # fmt: skip
