"""Encoders, an invented city and its history, shared by the tests of models and of training.

Loaded by the conftest.py of both; pytest does not take plugins named below its root.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from intake.unit import Unit, UnitDirectory
from models.encoder import Encoder
from models.encoder_build import build_encoder, is_current
from models.progress import silent
from models.ranker import UnitRanker
from models.recipe import Recipe

CHINA = timezone(timedelta(hours=8))
AS_OF = datetime(2026, 5, 1, 9, 30, tzinfo=CHINA)
DISTRICTS = ("东湖区", "西山区", "南浦区")
PLACES = {
    "东湖区": ("湖滨路", "映月小区", "荷叶巷"),
    "西山区": ("松岭路", "望峰家园", "石门巷"),
    "南浦区": ("渡口路", "听潮小区", "芦花巷"),
}
#: Function -> (what people say, duties). The first three have a bureau in each district.
MATTERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "城市管理局": (
        ("烧烤摊占道经营油烟大", "垃圾堆了三天没人清运", "广告牌快掉下来了", "流动摊贩堵住人行道"),
        ("查处占道经营", "清运生活垃圾", "管理户外广告"),
    ),
    "教育局": (
        ("孩子入学报名材料不清楚", "学校午餐涨价家长不同意", "补课班收费不退", "老师布置作业太多"),
        ("中小学入学", "规范学校收费", "校外培训管理"),
    ),
    "住房和城乡建设局": (
        ("物业不修电梯", "楼顶漏水开发商不管", "小区车位物业乱收费", "工地没有围挡"),
        ("物业管理监督", "房屋质量投诉", "建筑工地管理"),
    ),
    "供水集团": (
        ("家里停水两天了", "水管爆裂路面积水", "水压太低上不了五楼", "水费突然翻倍"),
        ("供水抢修", "水费查询"),
    ),
    "公交集团": (
        ("公交司机甩站不停", "末班车提前发车", "公交卡刷两次扣钱", "公交车空调不开"),
        ("公交线路运营", "公交卡业务"),
    ),
    "公安局交通警察支队": (
        ("路口红绿灯坏了", "违章停车堵住消防通道", "罚单开错了车", "电动车逆行撞人"),
        ("交通信号灯维护", "违章停车查处"),
    ),
}
DISTRICT_FUNCTIONS = tuple(MATTERS)[:3]
OPENINGS = ("", "来电人反映", "请问", "麻烦问下", "投诉", "我要反映", "建议")
ENDINGS = ("", "，希望尽快处理", "，没人管", "，打了几次电话都没用", "，怎么办", "，要求答复")


@dataclass(frozen=True)
class City:
    """Invented orders in columns."""

    texts: list[str]
    units: list[str]
    groups: list[str]
    order_ids: list[str]
    districts: list[str]
    directory: UnitDirectory


def city_directory() -> UnitDirectory:
    """Twelve bureaus and enterprises; 工商局 became 市场监督管理局 in 2019; 热线专席 ended with no successor."""
    units = [
        Unit(f"{district}{function}", level="区", function=function, district=district, duties=MATTERS[function][1])
        for function in DISTRICT_FUNCTIONS
        for district in DISTRICTS
    ]
    units += [
        Unit(f"市{function}", function=function, duties=duties)
        for function, (_, duties) in MATTERS.items()
        if function not in DISTRICT_FUNCTIONS
    ]
    reform = date(2019, 1, 1)
    units += [
        Unit("市工商局", function="工商局", effective_to=reform, successor="市市场监督管理局"),
        Unit("市市场监督管理局", function="市场监督管理局", effective_from=reform, duties=("消费维权", "食品安全")),
        Unit("市热线专席", function="热线专席", effective_to=date(2020, 1, 1)),
        Unit("市公安局交通警察支队高架大队", function="公安局交通警察支队"),
    ]
    return UnitDirectory(units)


def city_history(count: int = 200, *, seed: int = 0) -> City:
    """``count`` orders; every tenth repeats the one before it, in a group with it; two units have one order only."""
    rng = random.Random(seed)
    rows: list[tuple[str, str, str, str]] = []
    for number in range(count - 6):
        function = rng.choice(tuple(MATTERS))
        district = rng.choice(DISTRICTS)
        place = rng.choice(PLACES[district])
        text = f"{rng.choice(OPENINGS)}{place}{rng.choice(MATTERS[function][0])}{rng.choice(ENDINGS)}{number}"
        unit = f"{district if function in DISTRICT_FUNCTIONS else '市'}{function}"
        if number % 10 == 9:
            text, unit, _, district = rows[-1]
            rows[-1] = (text, unit, f"g{number}", district)
            rows.append((text + "，再次来电", unit, f"g{number}", district))
        else:
            rows.append((text, unit, "", district))
    rows += [(f"商家卖过期食品不肯退钱，第{i}次", "市工商局", "", "") for i in range(4)]
    rows += [
        ("热线电话打不通一直占线", "市热线专席", "", ""),
        ("高架上有护栏倒了", "市公安局交通警察支队高架大队", "", ""),
    ]
    return City(
        texts=[row[0] for row in rows],
        units=[row[1] for row in rows],
        groups=[row[2] for row in rows],
        order_ids=[f"G{number:04d}" for number in range(len(rows))],
        districts=[row[3] for row in rows],
        directory=city_directory(),
    )


def quick(dim: int = 48) -> Encoder:
    """A real :class:`Encoder` with a backend that costs nothing: characters and pairs of a text, counted by hash."""

    def backend(texts: Sequence[str], kind: str) -> Iterator[np.ndarray]:
        for text in texts:
            vector = np.full(dim, 0.05, np.float32)
            for term in [*text, *map("".join, pairwise(text))]:
                vector[crc32(term.encode()) % dim] += 1
            yield vector / np.linalg.norm(vector)

    return Encoder(identity="encoder-quick", dim=dim, backend=backend)


@pytest.fixture(scope="session")
def encoder_folder(root: Path) -> Path:
    """The built encoder of this checkout; built here when it is missing or damaged (20 seconds, once)."""
    folder = Path(os.environ.get("ZHIPAI_HOME", root / "var")) / "encoder"
    if not is_current(folder):
        build_encoder(folder, progress=silent)
    return folder


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Encoder:
    return Encoder.load(encoder_folder, threads=2)


@pytest.fixture(scope="session")
def quick_encoder() -> Encoder:
    return quick()


@pytest.fixture(scope="session")
def history() -> City:
    return city_history()


@pytest.fixture(scope="session")
def as_of() -> datetime:
    return AS_OF


def fit(history: City, **changes: object) -> UnitRanker:
    """A ranker of the invented city; ``changes`` replace arguments of :meth:`UnitRanker.fit`."""
    arguments: dict = {
        "encoder": quick(),
        "directory": history.directory,
        "recipe": Recipe(neighbours=10),
        "order_ids": history.order_ids,
        "districts": history.districts,
    }
    return UnitRanker.fit(history.texts, history.units, history.groups, **(arguments | changes))


@pytest.fixture(scope="session")
def ranker(history: City) -> UnitRanker:
    return fit(history)


@pytest.fixture(scope="session")
def saved(ranker: UnitRanker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of ``ranker``; tests that spoil it copy it first."""
    folder = tmp_path_factory.mktemp("model") / "ranker"
    ranker.save(folder)
    return folder
