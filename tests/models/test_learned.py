"""The ranker with trees, fields and reasons to abstain, on an invented city that is untidy enough to need them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zhipai_tests_ranking import AS_OF, City, city_history, quick

from intake.unit import Unit, UnitDirectory
from models.doubt import between
from models.ranker import UnitRanker
from models.recipe import Recipe
from models.views import VIEWS

RECIPE = Recipe(
    neighbours=10, trees_from=100, shortlist=8, tree_rounds=30, tree_rate=0.2, tree_leaf_rows=5, tree_leaves=8
)
TEXT = [place for place, view in enumerate(VIEWS) if view.startswith("text_")]
#: What 12345 desks note beside the text, by the function that gets it in the end.
CATEGORIES = {"城市管理局": "城乡建设/市容环境", "教育局": "科教文体/教育", "供水集团": "公用事业/供水"}


def untidy(seed: int = 0) -> tuple[City, list[dict[str, str]]]:
    """600 orders with a category on most: one in six went astray, one in four says next to nothing, half name a duty."""
    history, rng = city_history(600, seed=seed), random.Random(seed)
    directory = {unit.name: unit for unit in history.directory.units}
    texts, units, fields = [], [], []
    for number, (text, unit) in enumerate(zip(history.texts, history.units, strict=True)):
        category = CATEGORIES.get(directory[unit].function, "其他")
        if directory[unit].duties and rng.random() < 0.5:
            text += f"，{rng.choice(directory[unit].duties)}"
        fields.append({"category": category} if rng.random() < 0.8 else {})
        texts.append(f"来电反映问题{number}" if rng.random() < 0.25 else text)
        units.append(rng.choice(history.units[:500]) if rng.random() < 1 / 6 else unit)
    return replace(history, texts=texts, units=units), fields


def fit(history: City, fields: list[dict[str, str]], **changes: object) -> UnitRanker:
    return UnitRanker.fit(
        history.texts,
        history.units,
        history.groups,
        encoder=quick(),
        directory=history.directory,
        recipe=replace(RECIPE, **changes),
        order_ids=history.order_ids,
        districts=history.districts,
        fields=fields,
    )


@pytest.fixture(scope="module")
def city() -> tuple[City, list[dict[str, str]]]:
    return untidy()


@pytest.fixture(scope="module")
def learned(city: tuple[City, list[dict[str, str]]]) -> UnitRanker:
    return fit(*city)


def test_trees_grow_from_the_stated_number_of_orders_on(learned: UnitRanker) -> None:
    assert len(learned.scorer.judgement.trees) == RECIPE.tree_rounds
    history, fields = untidy()
    few = replace(history, **{name: getattr(history, name)[:90] for name in ("texts", "units", "groups", "order_ids")})
    small = fit(replace(few, districts=few.districts[:90]), fields[:90])
    assert len(small.scorer.judgement.trees) == 0
    assert small.rank("家里停水两天了", as_of=AS_OF).units[0].unit == "市供水集团"


def test_saving_twice_gives_the_same_bytes_and_loading_the_same_answers(
    learned: UnitRanker, city: tuple[City, list[dict[str, str]]], tmp_path: Path
) -> None:
    learned.save(tmp_path / "one")
    fit(*city).save(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes(), path.name
    loaded = UnitRanker.load(tmp_path / "one")
    history, fields = city
    texts, vectors = history.texts[:30], quick().encode(history.texts[:30])
    for given in ([], fields[:30]):
        assert loaded.rank_many(texts, vectors, as_of=AS_OF, fields=given) == learned.rank_many(
            texts, vectors, as_of=AS_OF, fields=given
        )


def test_a_bare_text_is_answered_as_by_a_model_that_was_trained_without_fields(
    learned: UnitRanker, city: tuple[City, list[dict[str, str]]]
) -> None:
    history, _ = city
    bare = fit(history, [])
    assert bare.scorer.judgement.fields is None
    for text in history.texts[:30]:
        plain = learned.rank(text, as_of=AS_OF)
        assert plain == bare.rank(text, as_of=AS_OF)
        assert plain == learned.rank(text, as_of=AS_OF, fields={"category": "", "channel": "没见过"})
        assert plain == bare.rank(text, as_of=AS_OF, fields={"category": "公用事业/供水"})


def test_a_category_decides_where_the_text_says_nothing_and_is_shown(learned: UnitRanker) -> None:
    for function, unit in (("供水集团", "市供水集团"), ("教育局", "教育局")):
        ranking = learned.rank("来电反映问题", as_of=AS_OF, fields={"category": CATEGORIES[function]})
        first = ranking.units[0]
        assert unit in first.unit
        assert [one.text for one in first.evidence if one.kind == "field"] == [f"行业分类为“{CATEGORIES[function]}”"]


def test_probabilities_are_calibrated_over_all_units(learned: UnitRanker) -> None:
    units = learned.rank("小区垃圾没人清运", as_of=AS_OF, top=1000).units
    assert sum(unit.probability for unit in units) == pytest.approx(1)
    new, _ = untidy(seed=7)
    rankings = [
        learned.rank(text, as_of=AS_OF, district=district)
        for text, district in zip(new.texts, new.districts, strict=True)
    ]
    right = np.array([one.units[0].unit == unit for one, unit in zip(rankings, new.units, strict=True)])
    sure = np.array([one.units[0].probability for one in rankings])
    assert sure.mean() == pytest.approx(right.mean(), abs=0.08)
    covered = np.mean([unit in one.coverage_set for one, unit in zip(rankings, new.units, strict=True)])
    assert covered > 0.82


def test_a_unit_that_had_no_order_is_found_by_its_duties() -> None:
    """The function is new too: nothing but the duty lines leads there."""
    history, fields = untidy()
    new = Unit("市殡葬服务中心", function="殡葬服务中心", duties=("殡仪馆火化遗体", "公墓墓位管理", "殡葬服务收费"))
    directory = UnitDirectory([*history.directory.units, new])
    ranker = fit(replace(history, directory=directory), fields)
    found = ranker.rank("殡仪馆火化遗体收费太高，公墓墓位管理混乱", as_of=AS_OF)
    assert new.name in [one.unit for one in found.units]


def test_contradictory_duplicates_are_kept_and_trained_on() -> None:
    history, fields = untidy()
    texts = [*history.texts, *["广场舞音乐太吵"] * 12]
    units = [*history.units, *["市供水集团", "市公交集团", "东湖区教育局"] * 4]
    more = replace(
        history,
        texts=texts,
        units=units,
        groups=[*history.groups, *["同文"] * 12],
        order_ids=[*history.order_ids, *map(str, range(12))],
        districts=[*history.districts, *[""] * 12],
    )
    ranking = fit(more, [*fields, *[{}] * 12]).rank("广场舞音乐太吵", as_of=AS_OF)
    assert ranking.units[0].probability < 0.7


def test_taking_the_evidence_away_lowers_the_unit(learned: UnitRanker, city: tuple[City, list[dict[str, str]]]) -> None:
    """Words are cut from the text, neighbours and duty lines from the model; measured on the fused log-odds."""
    history, _ = city
    fell: dict[str, list[bool]] = {"word": [], "similar_order": [], "duty": []}
    scorer = learned.scorer
    weights = np.array([scorer.judgement.fusion[view] for view in VIEWS])
    names = list(scorer.candidates.names)
    for text in history.texts[::6]:
        ranking = learned.rank(text, as_of=AS_OF)
        vector = quick().encode([text])[0]
        reading = scorer.read(text, vector, district="", street="", fields={})
        first = ranking.units[0]
        if first.unit not in names:
            continue
        mine = names.index(first.unit)

        def odds(margins: np.ndarray, mine: int = mine) -> float:
            fused = margins @ weights
            return float(fused[mine] - np.delete(fused, mine).mean())

        whole = odds(reading.margins)
        for one in first.evidence:
            if one.kind == "word":
                cut = text.replace(one.text, "")
                margins = reading.margins.copy()
                margins[:, TEXT] = scorer.read(cut, vector, district="", street="", fields={}).margins[:, TEXT]
                fell["word"].append(odds(margins) < whole)
            if one.kind == "similar_order":
                row = history.order_ids.index(one.ref)
                votes = np.where(reading.orders == row, 0, reading.votes)[None]
                margins = reading.margins.copy()
                margins[:, VIEWS.index("neighbours")] = scorer.neighbours.margins(
                    votes, reading.orders[None], len(names)
                )[0]
                fell["similar_order"].append(odds(margins) < whole)
            if one.kind == "duty":
                line = np.flatnonzero(scorer.duties.owners == mine)
                near = reading.duty_near.copy()
                near[line[reading.duty_near[line].argmax()]] = reading.duty_near.min()
                margins = reading.margins.copy()
                margins[:, VIEWS.index("duty")] = scorer.duties.margins(near[None])[0]
                fell["duty"].append(odds(margins) < whole)
    assert len(fell["word"]) > 50
    # A text that is cut gives its other words more weight, and some of them speak for the unit too.
    assert np.mean(fell["word"]) >= 0.8
    # A unit's second line can come near to the text as well, and the spread over the units moves with the line.
    for kind in ("similar_order", "duty"):
        assert not fell[kind] or np.mean(fell[kind]) >= 0.9, kind


PARENTS = {"甲区城管局": "甲区政府", "甲区住建局": "甲区政府", "甲区政府": "市政府", "市政府": "", "市水务局": "市政府"}


def _unit(name: str, function: str, district: str = "市级", parent: str = "") -> Unit:
    return Unit(name, function=function, district=district, parent=parent, level="区" if district != "市级" else "市")


@pytest.mark.parametrize(
    ("units", "district", "kind", "backoff"),
    [
        ([_unit("甲区城管局", "城管局", "甲区"), _unit("乙区城管局", "城管局", "乙区")], "", "place", None),
        ([_unit("甲区城管局", "城管局", "甲区"), _unit("乙区城管局", "城管局", "乙区")], "甲区", "torn", None),
        (
            [_unit("甲区城管局", "城管局", "甲区", "甲区政府"), _unit("甲区住建局", "住建局", "甲区", "甲区政府")],
            "",
            "torn",
            ("parent", "甲区政府"),
        ),
        (
            [_unit("甲区城管局", "城管局", "甲区"), _unit("甲区住建局", "住建局", "甲区")],
            "",
            "torn",
            ("district", "甲区"),
        ),
        # What stands under the city itself has nothing in common that helps.
        (
            [_unit("市水务局", "水务局", parent="市政府"), _unit("市教育局", "教育局", parent="市政府")],
            "",
            "torn",
            None,
        ),
    ],
)
def test_two_units_too_close_give_a_kind_a_sentence_and_who_is_above_them(
    units: list[Unit], district: str, kind: str, backoff: tuple[str, str] | None
) -> None:
    doubt = between(
        [*units, _unit("别的局", "别的局")], np.array([0.4, 0.38, 0.22]), district=district, parents=PARENTS
    )
    assert doubt.kind == kind
    assert doubt.reason.endswith("。") and units[0].function[-2:] in doubt.reason
    if backoff is None:
        assert doubt.backoff is None
    else:
        assert doubt.backoff is not None
        assert (doubt.backoff.kind, doubt.backoff.name) == backoff
        assert doubt.backoff.probability == pytest.approx(0.78)
        assert doubt.backoff.name in doubt.reason
