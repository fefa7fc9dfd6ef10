"""The measurements behind docs/quality.md: each has a name, data it needs, and a result that is kept until code or data change."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.readers import read_orders
from intake.unit import UnitDirectory
from models.encoder import Encoder
from models.files import sha256
from models.folds import grouped_folds
from models.progress import Progress
from models.recipe import Recipe
from training.config import TrainConfig
from training.crossval import cold_start, five_fold
from training.dataset import TrainingSet, training_set
from training.evaluate import measure
from training.learning_curve import learning_curve
from training.train import fit_ranker

register("E5110", "没有这项测量", "没有名为“{name}”的测量。可用的有：{names}。")

ROOT = Path(__file__).resolve().parent.parent
MAPPINGS = ROOT / "datasets" / "mappings"
#: The code that a figure depends on.
CODE = (
    "intake/*.py",
    "models/*.py",
    "training/default.yaml",
    *(f"training/{name}.py" for name in ("config", "crossval", "dataset", "errors", "evaluate", "labels")),
    *(f"training/{name}.py" for name in ("learning_curve", "metrics", "quality", "split", "train")),
)
#: No data have so many held-out orders: the trees are never grown.
NO_TREES = 2**31 - 1


@dataclass(frozen=True)
class Place:
    """Where data, results and the encoder are, and the day on which directories are read."""

    data: Path
    cache: Path
    encoder: Encoder
    as_of: datetime
    config: TrainConfig


@dataclass(frozen=True)
class Measurement:
    """One row or table of the page. ``file`` is below the data folder, ``mapping`` below datasets/mappings."""

    name: str
    title: str
    file: str
    mapping: str
    run: Callable[[TrainingSet, Place, Progress], dict[str, Any]]
    drop_largest: bool = False


def _folds(dataset: TrainingSet, place: Place, progress: Progress) -> dict[str, Any]:
    found = five_fold(
        dataset,
        encoder=place.encoder,
        directory=dataset.directory,
        config=place.config,
        as_of=place.as_of,
        progress=progress,
    )
    return found | {"worst": worst_with_reasons(dataset, found["units"])}


def _cold(dataset: TrainingSet, place: Place, progress: Progress) -> dict[str, Any]:
    return cold_start(
        dataset,
        encoder=place.encoder,
        directory=dataset.directory,
        config=place.config,
        as_of=place.as_of,
        progress=progress,
    )


def _curve(dataset: TrainingSet, place: Place, progress: Progress) -> dict[str, Any]:
    encoded = replace(dataset, vectors=place.encoder.encode(dataset.texts, progress=progress))
    return learning_curve(encoded, progress=progress)


def _ablation(dataset: TrainingSet, place: Place, progress: Progress) -> dict[str, Any]:
    """The first of five folds, each time with one part of the ranker made blind. A part is blind when its input is."""
    vectors = place.encoder.encode(dataset.texts, progress=progress)
    dataset = replace(dataset, vectors=vectors)
    fold = grouped_folds(dataset.groups, dataset.units, folds=5, seed=place.config.seed)
    noise = np.random.default_rng(0).standard_normal(vectors.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    bare = UnitDirectory(replace(unit, duties=()) for unit in dataset.directory.units)
    nowhere = ("",) * len(dataset)
    recipe = place.config.recipe
    without: dict[str, tuple[TrainingSet, Recipe]] = {
        "全部": (dataset, recipe),
        "去掉提升树（只用融合）": (dataset, replace(recipe, trees_from=NO_TREES)),
        "去掉字词 n 元": (dataset, replace(recipe, max_chars=1, max_words=0)),
        "去掉编码器（换成随机向量）": (replace(dataset, vectors=noise), recipe),
        "去掉职责": (replace(dataset, directory=bare), recipe),
        "去掉区和街道": (replace(dataset, districts=nowhere, streets=nowhere), recipe),
    }
    rows = []
    for name, (changed, chosen) in without.items():
        config = replace(place.config, recipe=chosen)
        ranker = fit_ranker(changed.take(np.flatnonzero(fold != 0)), place.encoder, changed.directory, config, progress)
        found = measure(
            ranker,
            changed.take(np.flatnonzero(fold == 0)),
            as_of=place.as_of,
            progress=progress,
            rounds=config.bootstrap,
        ).evaluation
        rows.append(
            {"name": name, "n": found.n, "intervals": found.intervals}
            | {key: getattr(found, key) for key in ("top1", "top3", "top5", "macro_f1", "ece")}
        )
        if name == "全部" and found.with_fields:
            extra = {key: found.with_fields[key] for key in ("top1", "top3", "top5", "macro_f1", "ece", "intervals")}
            rows.append({"name": "全部，加受理时字段", "n": found.n} | extra)
    return {"rows": rows}


def _transfer(dataset: TrainingSet, place: Place, progress: Progress) -> dict[str, Any]:
    """Train on the bundled corpus alone and ask for orders of another province, of which none was seen."""
    source = ROOT / "datasets" / "city" / "orders.jsonl"
    mapping = Mapping.from_file(MAPPINGS / "city_civic7.yaml")
    known = training_set(read_orders(source, mapping), gazetteer=Gazetteer.empty(), directory=None)
    ranker = fit_ranker(known, place.encoder, known.directory, place.config, progress)
    found = measure(
        ranker,
        replace(dataset, directory=known.directory),
        as_of=place.as_of,
        encoder=place.encoder,
        progress=progress,
        rounds=place.config.bootstrap,
    )
    return found.evaluation.as_dict()


HAIKOU = "haikou_12345_orders/orders.csv"
MEASUREMENTS = (
    Measurement("haikou", "海口 12345 工单", HAIKOU, "haikou.yaml", _folds),
    Measurement("teddy", "省级留言七个一级类（分词连写）", "teddy2020_smartgov/a2_labelled.csv", "teddy.yaml", _folds),
    Measurement(
        "teddy_raw", "省级留言七个一级类（原文）", "teddy2020_smartgov/a2_labelled.csv", "teddy_raw.yaml", _folds
    ),
    Measurement(
        "letters", "首都之窗来信，去掉最大的单位", "beijing_letters/letters.csv", "beijing_letters.yaml", _folds, True
    ),
    Measurement(
        "pingshan", "坪山民生诉求（没有正文，只有字段）", "pingshan_minsheng/events.csv", "pingshan.yaml", _folds
    ),
    Measurement(
        "transfer",
        "只用随附语料训练，去分省级留言（原文）的七个一级类",
        "teddy2020_smartgov/a2_labelled.csv",
        "teddy_raw.yaml",
        _transfer,
    ),
    Measurement("cold_start", "海口，整个单位留出后靠职责找回", HAIKOU, "haikou.yaml", _cold),
    Measurement("ablation", "海口，各部分的作用", HAIKOU, "haikou.yaml", _ablation),
    Measurement("learning_curve", "海口，多标注换来什么", HAIKOU, "haikou.yaml", _curve),
)
BY_NAME = {one.name: one for one in MEASUREMENTS}


def chosen(names: Sequence[str]) -> tuple[Measurement, ...]:
    """The measurements of these names, all without any; E5110."""
    for name in names:
        if name not in BY_NAME:
            raise ZhipaiError("E5110", {"name": name[:40], "names": "、".join(BY_NAME)})
    return tuple(BY_NAME[name] for name in names) or MEASUREMENTS


def run(measurement: Measurement, place: Place, *, progress: Progress, again: bool = False) -> dict[str, Any] | None:
    """The result of a measurement, from the cache where neither code nor data changed; None where the data are absent."""
    source = place.data / measurement.file
    if not source.is_file():
        return None
    key = fingerprint(measurement, place, source)
    kept = cached(measurement, place.cache)
    if kept is not None and kept["key"] == key and not again:
        return kept
    mapping = Mapping.from_file(MAPPINGS / measurement.mapping)
    dataset = training_set(
        read_orders(source, mapping), gazetteer=Gazetteer.empty(), directory=mapping.directory_for(source)
    )
    if measurement.drop_largest:
        largest = Counter(dataset.units).most_common(1)[0][0]
        dataset = dataset.take([row for row, unit in enumerate(dataset.units) if unit != largest])
    found = {
        "name": measurement.name,
        "key": key,
        "encoder": place.encoder.id,
        "orders": len(dataset),
        "unit_count": len(set(dataset.units)),
        "result": measurement.run(dataset, place, progress),
    }
    place.cache.mkdir(parents=True, exist_ok=True)
    target = place.cache / f"{measurement.name}.json"
    part = target.with_suffix(".part")
    part.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(target)
    return found


def cached(measurement: Measurement, cache: Path) -> dict[str, Any] | None:
    """What was measured last, whatever has changed since; None if nothing was, or it cannot be read."""
    try:
        found: dict[str, Any] = json.loads((cache / f"{measurement.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def fingerprint(measurement: Measurement, place: Place, source: Path) -> str:
    """A hash over the code that measures, the recipe, the encoder, the mapping and the data."""
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    digest.update(repr(sorted(place.config.as_params().items())).encode() + place.encoder.id.encode())
    digest.update((MAPPINGS / measurement.mapping).read_bytes())
    digest.update("".join(sha256(path) for path in sorted(source.parent.glob("*.csv"))).encode())
    digest.update((ROOT / "datasets" / "functions" / "duties.yaml").read_bytes())
    return digest.hexdigest()[:16]


#: Orders that a unit needs to be called one of the worst, and how many are.
LEAST, WORST = 20, 10
#: A unit with fewer orders than this has few to learn from.
FEW = 30
#: Share of its mistakes that go to one other unit, from which on that is the reason.
MOSTLY = 0.4


def worst_with_reasons(dataset: TrainingSet, units: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The units of lowest recall over all folds, with what the numbers say of the cause."""
    sizes = Counter(dataset.units)
    members: dict[str, list[str]] = defaultdict(list)
    for group, unit in zip(dataset.groups, dataset.units, strict=True):
        members[group].append(unit)
    torn = Counter(unit for found in members.values() if len(set(found)) > 1 for unit in found)
    shared = Counter(unit for found in members.values() if len(found) > 1 for unit in found)
    worst = sorted(
        ((unit, row) for unit, row in units.items() if row["n"] >= LEAST),
        key=lambda one: (one[1]["recall"], -one[1]["n"], one[0]),
    )[:WORST]
    rows = []
    for unit, row in worst:
        reasons = []
        wrong = row["n"] - round(row["n"] * row["recall"])
        if sizes[unit] < FEW:
            reasons.append(f"历史只有 {sizes[unit]} 条")
        if shared[unit] and torn[unit]:
            reasons.append(f"有重复来电的 {shared[unit]} 条里，{torn[unit]} 条的同组工单派给了别的单位（标签不一致）")
        for other, count in row["mistaken_for"].items():
            if count >= MOSTLY * wrong:
                reasons.append(f"多与“{other}”混（{wrong} 条排错的里 {count} 条）")
        if not reasons:
            where = "、".join(f"{other}（{count}）" for other, count in row["mistaken_for"].items())
            reasons.append(f"排错的散在多处：{where}")
        rows.append({"unit": unit, "n": row["n"], "recall": row["recall"], "reason": "；".join(reasons)})
    return rows
