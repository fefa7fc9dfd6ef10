"""Find two models by alias, version or folder, and compare them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from service.model_life import own_answers
from service.settings import Settings
from service.training import load_encoder
from service.training_sources import read_test_set
from training.compare import Comparison, answer, compare, unseen
from training.frozen import KeyedAnswers
from training.registry import Registry

register(
    "E7703",
    "没有冻结测试的答案",
    "“{wanted}”没有留下冻结测试的答案（文件夹，或由旧版软件登记）。请用 --orders 和 --mapping 给出一份工单来比较。",
)

register(
    "E7706",
    "模型不是一个文件夹",
    "“{name}”是一个文件，没有加载。本软件的模型是一个文件夹；pickle、joblib、pt 之类的文件里可能夹带程序，从不打开。请给出文件夹、别名或版本号。",
)


def model_folder(settings: Settings, wanted: str) -> Path:
    """The artifact of an alias, a version or a folder; E5102, and E7706 for a file, which is never opened."""
    if Path(wanted).is_file():
        raise ZhipaiError("E7706", {"name": Path(wanted).name})
    if Path(wanted).is_dir():
        return Path(wanted)
    return Registry(settings.mlruns).get(wanted).path


def load_model(settings: Settings, wanted: str, encoder: Encoder) -> UnitRanker:
    """The ranker of an alias, a version or a folder, ready for this encoder."""
    return UnitRanker.load(model_folder(settings, wanted), encoder=encoder)


def compare_stored(settings: Settings, a: str, b: str) -> Comparison:
    """By the answers that both runs kept of their frozen test; E7703 where one kept none, E5106 for other orders."""
    return compare(_answers(settings, a), _answers(settings, b))


def _answers(settings: Settings, wanted: str) -> KeyedAnswers:
    found = None
    if not Path(wanted).is_dir():
        registry = Registry(settings.mlruns)
        found = own_answers(registry, registry.get(wanted))
    if found is None:
        raise ZhipaiError("E7703", {"wanted": wanted[:40]})
    return found


def compare_on_file(
    settings: Settings, a: str, b: str, orders: Path, mapping: Mapping, *, at: datetime, progress: Progress
) -> Comparison:
    """Both rank the orders of a file that neither was trained on; E5106 when there are none."""
    encoder = load_encoder(settings)
    left, right = load_model(settings, a, encoder), load_model(settings, b, encoder)
    part = unseen(read_test_set(orders, mapping, left.directory), left, right)
    part = replace(part, vectors=encoder.encode(part.texts, progress=progress))
    return compare(*(answer(ranker, part, as_of=at, progress=progress) for ranker in (left, right)))
