"""The training configuration: one YAML file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from intake.errors import ZhipaiError, register
from models.recipe import Recipe

register("E5004", "训练配置有误", "训练配置“{path}”有误：{problem}。写法见 training/default.yaml。")

DEFAULT = Path(__file__).with_name("default.yaml")
_TOP = {"seed", "holdout", "bootstrap", "recipe"}
#: Values outside these bounds cannot have been meant.
_BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "holdout": (0.05, 0.5),
    "bootstrap": (100, 100_000),
    "min_df": (1, 100),
    "max_chars": (1000, 1_000_000),
    "max_words": (0, 1_000_000),
    "svm_c": (1e-4, 1e4),
    "softmax_c": (1e-4, 1e4),
    "folds": (2, 20),
    "calibration_rows": (100, 1_000_000),
    "neighbours": (1, 1000),
    "sharpness": (0, 1000),
    "coverage": (0.5, 0.999),
    "far": (0, 0.5),
    "torn_accuracy": (0, 1),
    "trees_from": (100, 2**31 - 1),
    "shortlist": (2, 1000),
    "tree_parts": (2, 20),
    "tree_rounds": (1, 2000),
    "tree_leaves": (2, 16),
    "tree_leaf_rows": (1, 100_000),
    "tree_rate": (1e-3, 1),
    "tree_l2": (0, 1e6),
    "tree_share": (0.01, 1),
    "tail": (0, 1),
    "cold": (0, 1),
}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Seed, held-out share, bootstrap rounds and the ranker's recipe."""

    seed: int = 0
    holdout: float = 0.2
    bootstrap: int = 1000
    recipe: Recipe = field(default_factory=Recipe)

    @classmethod
    def default(cls) -> TrainConfig:
        return cls.from_file(DEFAULT)

    @classmethod
    def from_file(cls, path: Path) -> TrainConfig:
        """Read a YAML file; what it does not name keeps its default. E5004 says what is wrong."""
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ZhipaiError("E5004", {"path": path.name, "problem": f"读不出来（{type(error).__name__}）"}) from error
        recipe = data.get("recipe") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(recipe or {}, dict):
            raise ZhipaiError("E5004", {"path": path.name, "problem": "应是“键: 值”，recipe 下面也是"})
        recipe = recipe or {}
        unknown = sorted((set(data) - _TOP) | (set(recipe) - {one.name for one in fields(Recipe)}))
        if unknown:
            raise ZhipaiError("E5004", {"path": path.name, "problem": f"不认识的键“{'、'.join(map(str, unknown))}”"})
        top = {name: value for name, value in data.items() if name != "recipe"}
        for name, value in (top | recipe).items():
            _check(name, value, path)
        return cls(**top, recipe=Recipe(**recipe))

    def as_params(self) -> dict[str, Any]:
        """Flat, for the registry."""
        return {"seed": self.seed, "holdout": self.holdout, **asdict(self.recipe)}


def _check(name: str, value: object, path: Path) -> None:
    low, high = _BOUNDS[name]
    default = getattr(Recipe(), name, getattr(TrainConfig(), name, None))
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ZhipaiError("E5004", {"path": path.name, "problem": f"{name} 应是{'整数' if whole else '数'}"})
    if not low <= value <= high:
        raise ZhipaiError("E5004", {"path": path.name, "problem": f"{name} 应在 {low:g} 到 {high:g} 之间"})
