"""What a version must show before it is put in force, line by line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np

from intake.errors import ZhipaiError
from models.candidates import SHOWN
from models.encoder import Encoder
from models.ranker import UnitRanker
from training.compare import NAMES, Comparison, compare
from training.frozen import KeyedAnswers
from training.metrics import bootstrap, ece

#: Fact of a ranker that was made of duties alone: there is nothing to compare and nothing to calibrate.
COLD = "cold_start"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Parameters
    ----------
    ece : float
        The low end of the calibration error's 95% interval may not lie above it: with few held-out orders the error
        itself is mostly noise.
    slower : float
        CPU time of a ranking, as a multiple of the champion's in the same run.
    orders, rounds : int
        Texts that are ranked for that, and how often.
    """

    ece: float = 0.05
    slower: float = 1.5
    orders: int = 60
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a review; ``passed`` is None where it could not be made and does not stand in the way."""

    name: str
    passed: bool | None
    says: str


@dataclass(frozen=True)
class Side:
    """A version under review: its ranker (None and the error if it does not load) and its answers to a frozen test."""

    version: str
    ranker: UnitRanker | None
    answers: KeyedAnswers | None
    error: str = ""


@dataclass(frozen=True)
class Review:
    """All lines, and the comparison with the champion where there was one."""

    checks: tuple[Check, ...]
    comparison: Comparison | None = None

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(check.says for check in self.checks if check.passed is False)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what a decision record keeps."""
        return {
            "checks": [asdict(check) for check in self.checks],
            "comparison": self.comparison.as_dict() if self.comparison else None,
        }


def review(
    candidate: Side, champion: Side | None, *, encoder: Encoder, as_of: datetime, bounds: Bounds | None = None
) -> Review:
    """Check a version against the directory of the day, the champion, the latency budget and its calibration.

    Parameters
    ----------
    candidate : Side
    champion : Side or None
        The version in force, None when there is none.
    encoder : Encoder
        The one that serves.
    as_of : datetime
        The day of promotion.
    """
    bounds = bounds or Bounds()
    if candidate.ranker is None:
        return Review((Check("files", False, f"模型打不开：{candidate.error}"),))
    checks = [Check("files", True, "文件与保存时一致，编码器相同"), _in_force(candidate.ranker, as_of)]
    comparison = None
    if champion is None:
        checks.append(Check("frozen_test", None, "现在没有上线的版本，不作比较"))
    else:
        comparison, lines = _against(candidate, champion)
        checks += [*lines, _latency(candidate.ranker, champion, encoder, as_of, bounds)]
    checks.append(_calibration(candidate, bounds))
    return Review(tuple(checks), comparison)


def _in_force(ranker: UnitRanker, as_of: datetime) -> Check:
    """Every unit it was trained to name is in force, or has a successor that is."""
    gone = [name for name in ranker.units if ranker.directory.forward(name, as_of) is None]
    if gone:
        shown = "、".join(gone[:SHOWN]) + ("等" if len(gone) > SHOWN else "")
        return Check("units", False, f"{len(gone)} 个单位在 {as_of:%Y-%m-%d} 已不在册，也没有承接的单位：{shown}")
    return Check("units", True, f"{len(ranker.units)} 个单位（含更名、合并后的）在 {as_of:%Y-%m-%d} 都在册")


def _against(candidate: Side, champion: Side) -> tuple[Comparison | None, list[Check]]:
    """The measures on the frozen test, each with the interval of its difference."""
    if champion.ranker is None:
        return None, [Check("frozen_test", None, f"现行版本 {champion.version} 打不开（{champion.error}），不作比较")]
    if candidate.ranker is not None and candidate.ranker.facts.get(COLD):
        says = f"冷启动模型没有用工单训练，无从与现行版本 {champion.version} 比较；确要换上请用 --force 并写明理由"
        return None, [Check("frozen_test", False, says)]
    if candidate.answers is None:
        says = f"版本 {candidate.version} 没有留下冻结测试的答案，无法比较，请用当前版本的软件重新训练"
        return None, [Check("frozen_test", False, says)]
    if champion.answers is None:
        says = f"现行版本 {champion.version} 没有留下冻结测试的答案，无法比较；确需上线请用 --force 并写明理由"
        return None, [Check("frozen_test", False, says)]
    try:
        found = compare(champion.answers, candidate.answers)
    except ZhipaiError as error:
        return None, [Check("frozen_test", False, str(error))]
    lines = []
    for one in found.differences:
        verb = "差于" if one.worse else "不差于"
        says = (
            f"{NAMES[one.measure]} {one.b:.3f}，现行 {one.a:.3f}，相差 {one.difference:+.3f}"
            f"（95% 区间 {one.low:+.3f} 至 {one.high:+.3f}，n={found.n}）：{verb}现行版本"
        )
        lines.append(Check(one.measure, not one.worse, says))
    return found, lines


def _latency(ranker: UnitRanker, champion: Side, encoder: Encoder, as_of: datetime, bounds: Bounds) -> Check:
    if champion.ranker is None:
        return Check("latency", None, "现行版本打不开，不比较用时")
    texts = list(ranker.history.texts)[: bounds.orders]
    vectors = encoder.encode(texts)
    mine, theirs = _seconds((ranker, champion.ranker), texts, vectors, as_of, bounds.rounds)
    ratio = mine / theirs
    says = (
        f"推荐一条用 CPU {mine / len(texts) * 1000:.2f} 毫秒，是现行版本的 {ratio:.2f} 倍（上限 {bounds.slower:g} 倍）"
    )
    return Check("latency", ratio <= bounds.slower, says)


def _seconds(
    rankers: Sequence[UnitRanker], texts: Sequence[str], vectors: np.ndarray, as_of: datetime, rounds: int
) -> list[float]:
    """CPU seconds of ranking all texts, the median of some rounds; taken in turns, so that both meet the same machine."""

    def once(ranker: UnitRanker) -> float:
        start = time.process_time()
        ranker.rank_many(texts, vectors, as_of=as_of)
        return time.process_time() - start

    def turns() -> Iterator[list[float]]:
        for _ in range(rounds):
            yield [once(ranker) for ranker in rankers]

    for ranker in rankers:
        once(ranker)
    return [max(median(times), 1e-9) for times in zip(*turns(), strict=True)]


def _calibration(candidate: Side, bounds: Bounds) -> Check:
    if candidate.ranker is not None and candidate.ranker.facts.get(COLD):
        return Check("calibration", None, "冷启动模型，没有工单可以核对校准")
    if candidate.answers is None:
        return Check("calibration", False, f"版本 {candidate.version} 没有留下冻结测试的答案，校准误差不明")
    answers = candidate.answers.answers
    error = ece(answers)
    low, high = bootstrap(answers, {"ece": ece}, rounds=500, seed=0)["ece"]
    says = f"校准误差 {error:.3f}（95% 区间 {low:.3f}–{high:.3f}，n={len(answers)}），区间下端不得高于 {bounds.ece:g}"
    return Check("calibration", low <= bounds.ece, says)
