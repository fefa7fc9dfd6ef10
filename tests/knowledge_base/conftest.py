"""A small base and two encoders: one that costs nothing, and the real one where it is built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from knowledge_base import KnowledgeEntry, KnowledgeIndex
from models.encoder import Encoder

CHINA = timezone(timedelta(hours=8))


class CharacterEncoder:
    """Vectors by the characters and pairs in a text: near when texts share them. Remembers what it encoded."""

    id = "characters"
    dim = 64

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], *, kind: str) -> np.ndarray:
        self.encoded.extend(texts)
        vectors = np.full((len(texts), self.dim), 0.05, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for term in [*text, *map("".join, pairwise(text))]:
                row[crc32(term.encode()) % self.dim] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def encoder() -> CharacterEncoder:
    return CharacterEncoder()


@pytest.fixture(scope="session")
def as_of() -> datetime:
    return datetime(2026, 5, 1, 9, 30, tzinfo=CHINA)


@pytest.fixture(scope="session")
def entries() -> tuple[KnowledgeEntry, ...]:
    """Near twins, one of a district, one that ends on the day of ``as_of``, one that begins after it, one draft."""
    fund = "市住房公积金管理中心"
    return (
        KnowledgeEntry("a1", "购买住房提取住房公积金", ("买房能把公积金取出来吗",), "凭购房合同到窗口提取。", fund),
        KnowledgeEntry("a2", "住房公积金个人住房贷款", ("用公积金能贷多少钱",), "连续缴存满六个月可以申请贷款。", fund),
        KnowledgeEntry("a3", "居民医保缴费期", ("居民医保啥时候交钱",), "每年九月至十二月缴费。", "市医疗保障局"),
        KnowledgeEntry("b1", "老年人优待证换发", (), "到临江区便民中心换发。", "临江区民政局", district="临江区"),
        KnowledgeEntry("b2", "老年人优待证换发", (), "到槐安区便民中心换发。", "槐安区民政局", district="槐安区"),
        KnowledgeEntry(
            "c1", "犬只登记", ("养狗要办证吗",), "到派出所登记。", "市公安局", effective_to=date(2026, 5, 1)
        ),
        KnowledgeEntry("c2", "电动三轮车备案", (), "到车管所备案。", "市公安局", effective_from=date(2026, 5, 2)),
        KnowledgeEntry("c3", "烟花爆竹燃放区域", (), "城区禁止燃放烟花爆竹。", "市公安局", state="草稿"),
    )


@pytest.fixture
def index(entries: tuple[KnowledgeEntry, ...], encoder: CharacterEncoder) -> KnowledgeIndex:
    return KnowledgeIndex.build(entries, encoder)


@pytest.fixture(scope="session")
def real_encoder(root: Path) -> Encoder:
    """The encoder that ``zhipai setup`` builds; tests that need it skip where it has not been built."""
    folder = Path(os.environ.get("ZHIPAI_HOME", root / "var")) / "encoder"
    if not folder.is_dir():
        pytest.skip("编码器还没有构建（运行 zhipai setup），跳过这项测量")
    return Encoder.load(folder, threads=2)
