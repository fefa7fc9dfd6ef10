from __future__ import annotations

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from zhipai_tests_ranking import AS_OF, City, city_history, fit, quick

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from models.ranker import UnitRanker
from models.views import LABELS

#: Orders that the invented city sends to units by chance, so that no view is right alone.
NOISY = [f"半夜有人大声唱歌噪音扰民第{i}次" for i in range(60)]


@pytest.fixture(scope="module")
def noisy(history: City) -> tuple[UnitRanker, dict[str, str]]:
    """A ranker of an untidy history, and the unit of each order in it."""
    rng = random.Random(3)
    choice = sorted(set(history.units) - {"市工商局", "市热线专席"})
    units = [unit if rng.random() < 0.8 else rng.choice(choice) for unit in history.units]
    units += [rng.choice(choice) for _ in NOISY]
    ids = history.order_ids + [f"N{i}" for i in range(len(NOISY))]
    ranker = UnitRanker.fit(
        history.texts + NOISY,
        units,
        history.groups + [""] * len(NOISY),
        encoder=quick(),
        directory=history.directory,
        order_ids=ids,
    )
    return ranker, dict(zip(ids, units, strict=True))


def names(ranking) -> list[str]:
    return [ranked.unit for ranked in ranking.units]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("湖滨路水管爆裂，路面积水没人修", "市供水集团"),
        ("末班车提前发车没赶上", "市公交集团"),
        ("路口红绿灯坏了", "市公安局交通警察支队"),
        ("望峰家园门口烧烤摊占道经营", "西山区城市管理局"),
        ("听潮小区物业不修电梯", "南浦区住房和城乡建设局"),
    ],
)
def test_a_plain_order_goes_to_the_unit_that_such_orders_went_to(ranker: UnitRanker, text: str, unit: str) -> None:
    ranking = ranker.rank(text, as_of=AS_OF)
    assert names(ranking)[0] == unit
    assert unit in ranking.coverage_set


def test_probabilities_fall_and_sum_to_one_over_all_units_in_force(ranker: UnitRanker) -> None:
    ranking = ranker.rank("小区垃圾没人清运", as_of=AS_OF, top=1000)
    probabilities = [ranked.probability for ranked in ranking.units]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)


def test_the_district_of_the_order_decides_between_bureaus_of_one_function(ranker: UnitRanker) -> None:
    for district in ("东湖区", "西山区", "南浦区"):
        ranking = ranker.rank("门口有垃圾堆了三天没人清运", as_of=AS_OF, district=district)
        assert names(ranking)[0] == f"{district}城市管理局"
        assert any(one.kind == "field" and district in one.text for one in ranking.units[0].evidence)


@pytest.mark.parametrize(
    ("day", "expected", "absent"),
    [
        (date(2018, 12, 31), "市工商局", "市市场监督管理局"),
        (date(2019, 1, 1), "市市场监督管理局", "市工商局"),
        (date(2026, 5, 1), "市市场监督管理局", "市工商局"),
    ],
)
def test_only_units_in_force_are_named_and_a_successor_inherits(
    ranker: UnitRanker, day: date, expected: str, absent: str
) -> None:
    as_of = datetime(day.year, day.month, day.day, 8, tzinfo=timezone(timedelta(hours=8)))
    found = names(ranker.rank("商家卖过期食品不肯退钱", as_of=as_of, top=1000))
    assert found[0] == expected
    assert absent not in found


@pytest.mark.parametrize(("day", "named"), [(date(2019, 12, 31), True), (date(2020, 1, 1), False)])
def test_a_unit_that_ended_without_a_successor_drops_out(ranker: UnitRanker, day: date, named: bool) -> None:
    as_of = datetime(day.year, day.month, day.day, 8, tzinfo=timezone(timedelta(hours=8)))
    ranking = ranker.rank("热线电话打不通一直占线", as_of=as_of, top=1000)
    assert ("市热线专席" in names(ranking)) is named
    assert sum(ranked.probability for ranked in ranking.units) == pytest.approx(1)


def test_a_unit_with_a_single_order_survives_and_can_come_first(ranker: UnitRanker) -> None:
    assert names(ranker.rank("高架上有护栏倒了", as_of=AS_OF))[0] == "市公安局交通警察支队高架大队"


def test_a_unit_without_any_order_is_reached_through_its_function(history: City) -> None:
    rows = [i for i, unit in enumerate(history.units) if unit != "南浦区城市管理局"]
    ranker = UnitRanker.fit(
        [history.texts[i] for i in rows],
        [history.units[i] for i in rows],
        [history.groups[i] for i in rows],
        encoder=quick(),
        directory=history.directory,
        districts=[history.districts[i] for i in rows],
    )
    found = names(ranker.rank("流动摊贩堵住人行道", as_of=AS_OF, district="南浦区"))
    assert "南浦区城市管理局" in found[:2]


def test_no_unit_in_force_is_an_abstention_and_not_an_error(ranker: UnitRanker) -> None:
    ranking = ranker.rank("路灯坏了", as_of=datetime(1900, 1, 1, tzinfo=UTC))
    assert ranking.units == () and ranking.abstained and ranking.abstain_reason


@pytest.mark.parametrize("text", ["zxcv qwer 1234", "《》【】？！", "床前明月光疑是地上霜", "", "的"])
def test_a_text_unlike_any_order_is_answered_with_an_abstention(ranker: UnitRanker, text: str) -> None:
    ranking = ranker.rank(text, as_of=AS_OF)
    assert ranking.abstained and ranking.abstain_reason
    assert ranking.units


def test_units_that_share_a_kind_of_order_are_called_torn_by_name(history: City) -> None:
    """Sixty orders that say the same went to four units by chance: the first unit is right a quarter of the time."""
    sharing = ("市供水集团", "市公交集团", "东湖区城市管理局", "市公安局交通警察支队")
    noise = [f"半夜有人大声唱歌噪音扰民第{i}次" for i in range(60)]
    rng = random.Random(0)
    ranker = UnitRanker.fit(
        history.texts + noise,
        history.units + [rng.choice(sharing) for _ in noise],
        history.groups + [""] * len(noise),
        encoder=quick(),
        directory=history.directory,
    )
    ranking = ranker.rank("半夜有人大声唱歌噪音扰民", as_of=AS_OF)
    assert ranking.abstained
    assert all(f"“{unit}”" in ranking.abstain_reason for unit in names(ranking)[:2])
    assert set(sharing) <= set(ranking.coverage_set)
    assert not ranker.rank("家里停水两天了", as_of=AS_OF).abstained


def test_evidence_words_stand_in_the_text_and_orders_belong_to_the_unit(
    noisy: tuple[UnitRanker, dict[str, str]], history: City
) -> None:
    ranker, units = noisy
    kinds = set()
    for text in [*NOISY[:40], *history.texts[:20]]:
        for ranked in ranker.rank(text, as_of=AS_OF).units[:2]:
            weights = [one.weight for one in ranked.evidence]
            assert weights == sorted(weights, reverse=True) and all(weight > 0 for weight in weights)
            for one in ranked.evidence:
                kinds.add(one.kind)
                if one.kind == "word":
                    assert one.text in text
                if one.kind == "similar_order":
                    assert units[one.ref] == ranked.unit
                if one.kind == "duty":
                    assert one.ref == ranked.unit
    assert {"word", "similar_order", "duty"} <= kinds


def test_word_contributions_add_up_to_what_the_text_gave_the_score(ranker: UnitRanker) -> None:
    """Evidence is the score itself, taken apart: not something looked up afterwards."""
    scorer = ranker.scorer
    row = scorer.features.read("渡口路水管爆裂路面积水水压太低")
    products = row.values @ scorer.text.weights[row.columns].astype(np.float32)
    without = scorer.text.margins(np.zeros_like(products))
    weights = np.array([scorer.judgement.fusion[f"text_{label}"] for label in LABELS])
    for candidate in range(len(scorer.candidates)):
        whole = weights @ (scorer.text.margins(products) - without)[:, candidate]
        assert scorer.word_contributions(row, candidate).sum() == pytest.approx(whole, abs=1e-4)


def test_an_order_gets_the_same_bits_alone_in_a_batch_and_in_threads(ranker: UnitRanker, history: City) -> None:
    texts = history.texts[:40]
    vectors = quick().encode(texts)
    alone = [ranker.rank(text, as_of=AS_OF, vector=vector) for text, vector in zip(texts, vectors, strict=True)]
    assert ranker.rank_many(texts, vectors, as_of=AS_OF) == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: ranker.rank(text, as_of=AS_OF), texts)) == alone


def test_a_loaded_ranker_answers_as_the_one_that_was_saved(ranker: UnitRanker, saved: Path, history: City) -> None:
    loaded = UnitRanker.load(saved)
    assert loaded.model_id == ranker.model_id and loaded.model_id.startswith("model-")
    assert loaded.directory.id == ranker.directory.id
    vectors = quick().encode(history.texts[:30])
    before = ranker.rank_many(history.texts[:30], vectors, as_of=AS_OF, districts=history.districts[:30])
    assert loaded.rank_many(history.texts[:30], vectors, as_of=AS_OF, districts=history.districts[:30]) == before


def test_without_vector_and_encoder_the_error_says_so(saved: Path) -> None:
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(saved).rank("停水了", as_of=AS_OF)
    assert error.value.code == "E2102"


def test_another_encoder_is_refused(saved: Path) -> None:
    other = quick(dim=32)
    other.id = "encoder-other"
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(saved, encoder=other)
    assert error.value.code == "E2103" and "encoder-other" in error.value.message


def test_two_trainings_with_one_seed_give_the_same_bytes(history: City, saved: Path, tmp_path: Path) -> None:
    fit(history).save(tmp_path / "again")
    for path in saved.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_another_seed_gives_another_model(history: City, ranker: UnitRanker, tmp_path: Path) -> None:
    assert fit(history, seed=1).save(tmp_path / "other") != ranker.model_id


FILES = (
    "text_weights.npy",
    "text_index.npy",
    "text_bias.npy",
    "vector_weights.npy",
    "vector_index.npy",
    "vector_bias.npy",
    "idf.npy",
    "mean.npy",
    "scale.npy",
    "order_units.npy",
    "duty_vectors.npy",
    "duty_owners.npy",
    "field_counts.npy",
    "unit_orders.npy",
    "tree_features.npy",
    "tree_thresholds.npy",
    "tree_masks.npy",
    "tree_leaves.npy",
    "orders.faiss",
    "ranker.json",
    "orders.json",
    "duties.json",
    "vocabulary.json",
    "directory.json",
)


def test_the_list_of_files_below_is_whole(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {*FILES, "manifest.json"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["edited", "truncated", "missing"])
def test_a_damaged_file_is_refused_by_name(saved: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(folder)
    assert error.value.code == "E2202" and name in error.value.message


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ("{", "E2202"),
        ("[]", "E2202"),
        ('{"format": 3}', "E2202"),
        ('{"format": 9, "files": {}}', "E2203"),
        (None, "E2201"),
    ],
)
def test_a_bad_manifest_is_refused(saved: Path, tmp_path: Path, manifest: str | None, code: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    if manifest is None:
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text(manifest)
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(folder)
    assert error.value.code == code


def test_the_artifact_holds_no_pickle(saved: Path) -> None:
    for path in saved.iterdir():
        assert path.suffix in {".npy", ".json", ".faiss"}
        if path.suffix == ".npy":
            assert not np.load(path, allow_pickle=False).dtype.hasobject


def test_units_that_a_newer_directory_lacks_are_listed(saved: Path, history: City) -> None:
    kept = [unit for unit in history.directory.units if unit.name not in ("市供水集团", "市公交集团")]
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.load(saved, directory=UnitDirectory(kept))
    assert error.value.code == "E2101"
    assert "市供水集团" in error.value.message and "市公交集团" in error.value.message


def test_a_newer_directory_renames_a_unit_without_training(saved: Path, history: City) -> None:
    reform = date(2026, 1, 1)
    renamed = [
        Unit("市供水集团", function="供水集团", effective_to=reform, successor="市水务集团")
        if unit.name == "市供水集团"
        else unit
        for unit in history.directory.units
    ]
    newer = UnitDirectory([*renamed, Unit("市水务集团", function="供水集团", effective_from=reform)])
    found = names(UnitRanker.load(saved, directory=newer, encoder=quick()).rank("家里停水两天了", as_of=AS_OF))
    assert found[0] == "市水务集团" and "市供水集团" not in found


@pytest.mark.parametrize("change", ["few", "one unit", "unknown unit"])
def test_what_cannot_be_trained_is_refused(change: str) -> None:
    history = city_history()
    rows = slice(0, 10) if change == "few" else slice(None)
    units = history.units[rows]
    if change == "one unit":
        units = ["市供水集团"] * len(units)
    if change == "unknown unit":
        units[3] = "没有这个单位"
    with pytest.raises(ZhipaiError) as error:
        UnitRanker.fit(history.texts[rows], units, history.groups[rows], encoder=quick(), directory=history.directory)
    assert error.value.code == ("E2101" if change == "unknown unit" else "E2104")
