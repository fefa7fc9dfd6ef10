from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from models.ranking import RankedUnit, Ranking
from training.drift import Observed, alarms, cusum, drift, psi, shifts, vector_shift, windows
from training.drift_page import drift_page, learned_says

CHINA = timezone(timedelta(hours=8))
FIRST = datetime(2026, 3, 2, 8, tzinfo=CHINA)


def observed(
    first: list[str], truth: list[str] | None = None, *, texts: list[str] | None = None, shift: float = 0.0
) -> Observed:
    """Orders an hour apart; ``first`` is what the model puts first."""
    count = len(first)
    vectors = np.random.default_rng(count).standard_normal((count, 8)).astype(np.float32) + np.float32(shift)
    return Observed(
        texts=texts or ["小区停水两天没人修"] * count,
        order_ids=[f"N{i}" for i in range(count)],
        received_at=[FIRST + timedelta(hours=i) for i in range(count)],
        vectors=vectors,
        rankings=[Ranking((RankedUnit(unit, 0.8, ()),), False, "", (unit,)) for unit in first],
        truth=truth or [""] * count,
    )


def drawn(shares: dict[str, float], count: int, seed: int) -> list[str]:
    return np.random.default_rng(seed).choice(list(shares), count, p=list(shares.values())).tolist()


USUAL = {"甲": 0.5, "乙": 0.3, "丙": 0.15, "丁": 0.05}


def test_psi_is_about_its_noise_when_nothing_changed_and_far_above_when_it_did() -> None:
    a, b = Counter(drawn(USUAL, 2000, 0)), Counter(drawn(USUAL, 2000, 1))
    same, noise = psi(a, b)
    assert same < 5 * noise
    moved, noise = psi(a, Counter(drawn(USUAL | {"甲": 0.05, "丁": 0.5}, 2000, 2)))
    assert moved > 0.25 + noise


def test_no_alarm_without_a_change() -> None:
    """The threshold allows a false alarm in one run of twenty; these are twenty runs."""
    raised = [bool(alarms(observed(drawn(USUAL, 800, s)), observed(drawn(USUAL, 800, 100 + s)))[0]) for s in range(20)]
    assert sum(raised) <= 3


def test_the_first_order_of_a_change_is_found() -> None:
    changed = drawn(USUAL, 300, 5) + drawn({"甲": 0.2, "乙": 0.2, "丙": 0.1, "丁": 0.5}, 300, 6)
    found, _ = alarms(observed(drawn(USUAL, 1000, 4)), observed(changed))
    more = next(one for one in found if one.what == "more" and one.unit == "丁")
    began = int(more.began[1:])
    assert 280 <= began <= 320 and int(more.found[1:]) >= began
    assert more.before == pytest.approx(0.05, abs=0.02) and more.after > 0.4
    assert more.began_at.startswith((FIRST + timedelta(hours=began)).date().isoformat())
    assert {(one.what, one.unit) for one in found} >= {("fewer", "甲")}


def test_errors_are_told_for_the_unit_that_makes_them() -> None:
    first = drawn(USUAL, 800, 7)
    before = observed(first, [unit if i % 10 else "别处" for i, unit in enumerate(first)])
    now = observed(first, ["别处" if i > 400 and unit == "乙" else unit for i, unit in enumerate(first)])
    found, _ = alarms(before, now)
    errors = {one.unit: one for one in found if one.what == "errors"}
    assert set(errors) == {"乙"} and 380 <= int(errors["乙"].began[1:]) <= 430


def test_orders_of_training_say_nothing_of_errors() -> None:
    """On what it was trained on the model is never wrong; half of what came after is."""
    reference = observed(["甲局"] * 300, truth=["甲局"] * 300)
    now = observed(["甲局"] * 300, truth=["甲局", "乙局"] * 150)
    assert drift(reference, now)["alarms"][0]["what"] == "all_errors"
    found = drift(replace(reference, learned=[True] * 300), now)
    assert found["alarms"] == [] and not found["errors_compared"]
    assert "疑难比例" not in {one["name"] for one in found["shifts"]}
    assert "300 条" in learned_says(found) and "没有比较" in learned_says(found)
    # A reference of which half was not learned: that half is compared.
    mixed = observed(["甲局"] * 300, truth=["甲局"] * 150 + ["甲局", "乙局"] * 75)
    found = drift(replace(mixed, learned=[True] * 150 + [False] * 150), now)
    assert found["errors_compared"] and found["alarms"] == [], "没训练过的那一半里也错一半"


def test_cusum_is_silent_on_the_reference_rate() -> None:
    hits = (np.random.default_rng(0).random(2000) < 0.1).astype(int)
    assert cusum(hits, 0.1, times=2, threshold=np.log(2000 / 0.01)) is None
    assert cusum(np.ones(50, int), 0.1, times=2, threshold=10.0) == (0, 14)


def test_longer_texts_and_moved_vectors_are_seen() -> None:
    before = observed(["甲"] * 300)
    after = observed(
        ["甲"] * 299, texts=["投诉物业乱收停车费，已经反映很多次没有人处理，要求尽快答复"] * 299, shift=1.0
    )
    says = {one.name: one.says for one in shifts(before, after)}
    assert says["文字长短"] == "明显" and says["文字（常见的两字组合）"] == "明显" and says["首选单位的分布"] == "无"
    assert vector_shift(before.vectors, after.vectors)["p"] < 0.01
    assert vector_shift(before.vectors[:150], before.vectors[150:])["p"] > 0.01


def test_windows_count_what_has_an_answer() -> None:
    first = ["甲"] * 200
    found = windows(observed(first, ["甲"] * 100 + [""] * 100), days=3)
    assert sum(one["orders"] for one in found) == 200 and sum(one["labelled"] for one in found) == 100
    assert found[0]["from"] == "2026-03-02" and found[0]["top1"] == 1.0 and found[-1]["top1"] is None


def test_the_page_stands_alone_and_shows_no_text() -> None:
    changed = observed(drawn(USUAL, 200, 5) + ["丁"] * 200, ["甲"] * 400)
    found = drift(observed(drawn(USUAL, 500, 4), ["甲"] * 500), changed)
    html = drift_page(found, at=FIRST, model="model-1")
    assert "丁" in html and "<svg" in html and "N" in html
    assert "小区停水" not in html
    assert not re.search(r"(src|href)=\"https?:", html) and "<script" not in html
    quiet = drift_page(drift(observed(["甲"] * 60), observed(["甲"] * 60)), at=FIRST, model="<b>")
    assert "没有单位的占比" in quiet and "&lt;b&gt;" in quiet
