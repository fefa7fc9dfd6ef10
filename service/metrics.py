"""What ``/metrics`` shows. With several workers the counts are summed over them (Prometheus' multiprocess mode)."""

from __future__ import annotations

import os

from prometheus_client import REGISTRY as DEFAULT_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

REQUESTS = Counter("zhipai_requests_total", "HTTP 请求数", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "zhipai_request_seconds",
    "HTTP 请求用时（秒）",
    ["route"],
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
PROPOSALS = Counter("zhipai_proposals_total", "给出的建议数", ["abstained"])
DECISIONS = Counter("zhipai_decisions_total", "记录的决定数", ["action"])
ENGINE_DISAGREEMENTS = Counter("zhipai_engine_disagreements_total", "两个规则引擎结论不一致的次数")
SHADOW_ORDERS = Counter("zhipai_shadow_orders_total", "影子规则包比较过的工单", ["outcome"])
SHADOW_DIFFERENCES = Counter(
    "zhipai_shadow_differences_total", "影子规则包与现行规则说法不同", ["rule", "clause", "live", "shadow"]
)
SHADOW_FAILURES = Counter("zhipai_shadow_failures_total", "影子规则包出错", ["kind"])
#: Every process sees the same orders: the largest count of the living ones, not their sum.
SIGNALS = Gauge("zhipai_signals", "近期工单里的突发信号数", multiprocess_mode="livemax")
MODEL_SHADOW_ORDERS = Counter("zhipai_model_shadow_orders_total", "影子模型比较过的工单", ["outcome"])
MODEL_SHADOW_FAILURES = Counter("zhipai_model_shadow_failures_total", "影子模型出错", ["kind"])
CHECKPOINTS = Counter("zhipai_checkpoints_total", "定时写出的日志检查点", ["outcome"])
OUTBOX_ATTEMPTS = Counter("zhipai_outbox_attempts_total", "对外通知的发送次数", ["target", "outcome"])
#: From the database, by whichever process answers: the newest value is the right one.
OUTBOX_WAITING = Gauge("zhipai_outbox_waiting", "没有送达的通知", ["target"], multiprocess_mode="mostrecent")
OUTBOX_DEAD = Gauge("zhipai_outbox_dead", "死信", ["target"], multiprocess_mode="mostrecent")
OUTBOX_LAG = Gauge(
    "zhipai_outbox_lag_seconds", "最早一条没有送达的通知等了几秒", ["target"], multiprocess_mode="mostrecent"
)
RELOADS = Counter("zhipai_reloads_total", "模型或知识的热更新次数", ["outcome"])


def render() -> bytes:
    """The text exposition of all workers."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(DEFAULT_REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)
