"""What a search promises."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry, KnowledgeIndex


def ids(hits: tuple) -> list[str]:
    return [hit.entry.id for hit in hits]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("买房能把公积金取出来吗", "a1"),
        ("用公积金能贷多少钱", "a2"),
        ("公積金能貸多少錢", "a2"),
        ("居民医保啥时候交钱", "a3"),
        ("公积金\u200b能贷多少钱", "a2"),
        ("公积金<script>alert(1)</script>贷款", "a2"),
    ],
)
def test_right_entry_comes_first(index: KnowledgeIndex, as_of: datetime, text: str, first: str) -> None:
    hits = index.search(text, as_of=as_of)
    assert ids(hits)[0] == first
    assert all(0 <= hit.score <= 1 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert set(hits[0].parts) == {"dense", "bm25", "tfidf", "fused"}


@pytest.mark.parametrize("text", ["", "   ", "的了吗", "请问一下", "！？", "😀😀", "啊啊啊啊", "\x00", "你好" * 2500])
def test_text_that_asks_nothing_finds_nothing(index: KnowledgeIndex, as_of: datetime, text: str) -> None:
    assert index.search(text, as_of=as_of) == ()


@pytest.mark.parametrize("text", ["金", "公" * 5000, "公积金贷款" * 1000, "\ud800公积金贷款", "a" * 9000])
def test_odd_text_is_no_error(index: KnowledgeIndex, as_of: datetime, text: str) -> None:
    assert len(index.search(text, as_of=as_of)) <= 5


def test_text_of_another_world_scores_low(index: KnowledgeIndex, as_of: datetime) -> None:
    assert all(hit.score < 0.1 for hit in index.search("zygote quantum flux", as_of=as_of))


@pytest.mark.parametrize(
    ("text", "day", "found"),
    [
        ("养狗要办证吗", date(2026, 4, 30), True),
        ("养狗要办证吗", date(2026, 5, 1), False),
        ("电动三轮车备案", date(2026, 5, 1), False),
        ("电动三轮车备案", date(2026, 5, 2), True),
        ("烟花爆竹燃放区域", date(2026, 5, 1), False),
    ],
)
def test_only_entries_in_force_are_found(index: KnowledgeIndex, text: str, day: date, found: bool) -> None:
    for hour in (0, 23):
        instant = datetime(day.year, day.month, day.day, hour, 59, tzinfo=timezone(timedelta(hours=8)))
        hits = index.search(text, as_of=instant)
        assert all(hit.entry.in_force(instant) for hit in hits)
        assert bool(hits and hits[0].entry.title[:2] in ("犬只", "电动", "烟花")) is found


@pytest.mark.parametrize(
    ("district", "expected"),
    [("临江区", {"b1"}), ("槐安区", {"b2"}), ("白鹭区", set()), ("市级", set()), ("", {"b1", "b2"})],
)
def test_entries_of_another_district_are_not_found(
    index: KnowledgeIndex, as_of: datetime, district: str, expected: set[str]
) -> None:
    hits = index.search("老年人优待证换发", as_of=as_of, district=district)
    assert set(ids(hits)) & {"b1", "b2"} == expected


def test_entries_that_may_not_be_found_do_not_crowd_out_those_that_may(encoder: object, as_of: datetime) -> None:
    """Candidates are cut after the filter: 300 expired twins stand before the one in force."""
    twin = KnowledgeEntry("z", "居民医保缴费期", (), "每年九月至十二月缴费。", "市医疗保障局")
    expired = [replace(twin, id=f"a{i:03d}", effective_to=date(2025, 1, 1)) for i in range(300)]
    assert ids(KnowledgeIndex.build([*expired, twin], encoder).search("居民医保缴费期", as_of=as_of)) == ["z"]


def test_city_wide_entries_are_found_from_every_district(index: KnowledgeIndex, as_of: datetime) -> None:
    assert ids(index.search("用公积金能贷多少钱", as_of=as_of, district="临江区"))[0] == "a2"


def test_instant_without_a_zone_is_refused(index: KnowledgeIndex) -> None:
    with pytest.raises(ZhipaiError) as caught:
        index.search("公积金", as_of=datetime(2026, 5, 1))
    assert caught.value.code == "E1004"


def test_given_vector_saves_the_encoding(index: KnowledgeIndex, encoder: object, as_of: datetime) -> None:
    text = "用公积金能贷多少钱"
    vector = encoder.encode([text], kind="query")[0]
    encoder.encoded.clear()
    assert index.search(text, as_of=as_of, vector=vector) == index.search(text, as_of=as_of)
    assert encoder.encoded == [text]


def test_twins_do_not_hide_one_another(encoder: object, as_of: datetime) -> None:
    """Forty entries that answer alike: none stands out, and still they are found."""
    entry = KnowledgeEntry("x", "居民医保缴费期", (), "每年九月至十二月缴费。", "市医疗保障局")
    twins = [replace(entry, id=f"{i:02d}") for i in range(40)]
    hits = KnowledgeIndex.build(twins, encoder).search("居民医保缴费期", as_of=as_of)
    assert ids(hits) == ["00", "01", "02", "03", "04"]


@pytest.mark.parametrize("top", [0, 1, 2])
def test_no_more_than_asked(index: KnowledgeIndex, as_of: datetime, top: int) -> None:
    assert len(index.search("公积金", as_of=as_of, top=top)) == top


def test_equal_entries_come_in_the_order_of_their_ids(encoder: object, as_of: datetime) -> None:
    entry = KnowledgeEntry("x", "居民医保缴费期", (), "每年九月至十二月缴费。", "市医疗保障局")
    twins = [replace(entry, id=name) for name in ("m", "b", "z", "a")]
    assert ids(KnowledgeIndex.build(twins, encoder).search("居民医保缴费期", as_of=as_of)) == ["a", "b", "m", "z"]


def test_order_of_the_entries_does_not_matter(
    entries: tuple[KnowledgeEntry, ...], encoder: object, index: KnowledgeIndex, as_of: datetime
) -> None:
    other = KnowledgeIndex.build(reversed(entries), encoder)
    assert other.id == index.id
    for text in ("公积金", "老年人优待证", "医保缴费"):
        assert other.search(text, as_of=as_of) == index.search(text, as_of=as_of)


@pytest.mark.parametrize("change", [lambda e: replace(e, answer="改过的答复"), lambda e: replace(e, state="失效")])
def test_id_follows_the_content(
    entries: tuple[KnowledgeEntry, ...], encoder: object, index: KnowledgeIndex, change: Callable
) -> None:
    changed = KnowledgeIndex.build([change(entries[0]), *entries[1:]], encoder)
    assert index.id.startswith("kb-") and len(index.id) == 19
    assert changed.id != index.id
    assert KnowledgeIndex.build(entries, encoder).id == index.id


def test_rebuild_encodes_only_what_changed(
    entries: tuple[KnowledgeEntry, ...], encoder: object, index: KnowledgeIndex, as_of: datetime
) -> None:
    changed = [replace(entries[0], answer="改过的答复"), *entries[1:]]
    encoder.encoded.clear()
    steps: list[tuple[int, int]] = []
    rebuilt = KnowledgeIndex.build(
        changed, encoder, cached=index.vectors, progress=lambda step, done, total: steps.append((done, total))
    )
    assert encoder.encoded == ["购买住房提取住房公积金\n改过的答复", "买房能把公积金取出来吗"]
    assert steps == [(2, 2)]
    fresh = KnowledgeIndex.build(changed, encoder)
    assert rebuilt.search("公积金", as_of=as_of) == fresh.search("公积金", as_of=as_of)


def test_two_entries_may_not_share_an_id(entries: tuple[KnowledgeEntry, ...], encoder: object) -> None:
    with pytest.raises(ZhipaiError) as caught:
        KnowledgeIndex.build([*entries, replace(entries[0], title="别的")], encoder)
    assert caught.value.code == "E4015"
    assert "a1" in str(caught.value)


def test_empty_base_finds_nothing(encoder: object, as_of: datetime) -> None:
    index = KnowledgeIndex.build([], encoder)
    assert index.search("公积金", as_of=as_of) == ()
    assert index.vectors.keys() and index.id.startswith("kb-")


def test_day_is_read_in_the_zone_of_the_instant(index: KnowledgeIndex) -> None:
    """17:00 UTC on 30 April is already 1 May in China: the caller's zone decides, as for units and rules."""
    instant = datetime(2026, 4, 30, 17, tzinfo=UTC)
    assert ids(index.search("养狗要办证吗", as_of=instant))[0] == "c1"
    assert "c1" not in ids(index.search("养狗要办证吗", as_of=instant.astimezone(timezone(timedelta(hours=8)))))


def test_search_is_the_same_from_many_threads(index: KnowledgeIndex, as_of: datetime) -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = ["公积金贷款", "医保缴费", "老年人优待证"] * 20
    vectors = {text: index.encoder.encode([text], kind="query")[0] for text in texts}
    expected = [index.search(text, as_of=as_of, vector=vectors[text]) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: index.search(text, as_of=as_of, vector=vectors[text]), texts))
    assert found == expected


def test_entries_of_thousands_are_searched_like_few(encoder: object, as_of: datetime) -> None:
    """More entries than candidates: the pool still holds the best by meaning and by words."""
    rng = np.random.default_rng(0)
    characters = [chr(0x4E00 + i) for i in range(300)]
    many = [KnowledgeEntry(f"{i:04d}", "".join(rng.choice(characters, 20)), (), "答", "单位") for i in range(1500)]
    wanted = KnowledgeEntry("wanted", "居民医保缴费期", (), "每年九月至十二月缴费。", "市医疗保障局")
    assert ids(KnowledgeIndex.build([*many, wanted], encoder).search("居民医保缴费期", as_of=as_of))[0] == "wanted"


def test_unit_and_state_are_filtered_before_ranking(index: KnowledgeIndex, as_of: datetime) -> None:
    assert ids(index.search("老年人优待证换发", as_of=as_of, unit="槐安区民政局")) == ["b2"]
    assert index.search("公积金", as_of=as_of, unit="没有这个单位") == ()
    assert ids(index.search("烟花爆竹燃放区域", as_of=as_of, state="草稿")) == ["c3"]


def test_entry_whose_update_is_asked_for_still_answers(
    entries: tuple[KnowledgeEntry, ...], encoder: object, as_of: datetime
) -> None:
    index = KnowledgeIndex.build([replace(entries[0], state="待更新"), *entries[1:]], encoder)
    assert ids(index.search("买房能把公积金取出来吗", as_of=as_of))[0] == "a1"


@pytest.mark.parametrize(
    ("text", "answered", "word"),
    [
        ("用公积金能贷多少钱", True, "找到"),
        ("的了吗", False, "没有可查"),
        ("wo xiang ti qu gong ji jin", False, "拼音"),
        ("外星飞碟降落手续", False, ""),
    ],
)
def test_it_is_said_whether_an_entry_answers(
    index: KnowledgeIndex, as_of: datetime, text: str, answered: bool, word: str
) -> None:
    found = index.ask(text, as_of=as_of)
    assert found.answered is answered
    assert word in found.reason
    assert found.hits == index.search(text, as_of=as_of)


def test_it_is_said_when_nothing_is_in_force(index: KnowledgeIndex, as_of: datetime) -> None:
    found = index.ask("公积金", as_of=as_of, unit="没有这个单位")
    assert (found.answered, found.hits) == (False, ())
    assert "没有可用" in found.reason


def test_changed_index_finds_like_a_new_one(
    entries: tuple[KnowledgeEntry, ...], encoder: object, index: KnowledgeIndex, as_of: datetime
) -> None:
    """One entry rewritten, one added before all others, one gone: the same hits as from the beginning."""
    rewritten = replace(entries[2], answer="每年八月至十一月缴费。")
    added = KnowledgeEntry("a0", "住房公积金账户封存", (), "单位每月二十日前申报封存。", entries[0].unit)
    encoder.encoded.clear()
    changed = index.changed([rewritten, added], removed=["b2", "unknown"])
    assert len(encoder.encoded) == 3
    wanted = [entry for entry in entries if entry.id not in ("a3", "b2")] + [rewritten, added]
    fresh = KnowledgeIndex.build(wanted, encoder)
    assert (changed.id, changed.entries) == (fresh.id, fresh.entries)
    for text in ("公积金账户封存", "居民医保啥时候交钱", "老年人优待证换发", "用公积金能贷多少钱"):
        assert changed.search(text, as_of=as_of) == fresh.search(text, as_of=as_of) != ()
    assert len(index.entries) == len(entries)
    assert ids(index.search("居民医保啥时候交钱", as_of=as_of))[0] == "a3"


def test_index_without_changes_is_the_same(index: KnowledgeIndex, as_of: datetime) -> None:
    same = index.changed([])
    assert same.id == index.id
    assert same.search("公积金", as_of=as_of) == index.search("公积金", as_of=as_of)


@pytest.mark.parametrize("seed", range(2))
def test_many_changes_leave_the_index_that_is_built_from_nothing(
    entries: tuple[KnowledgeEntry, ...], encoder: object, as_of: datetime, tmp_path: Path, seed: int
) -> None:
    """Scores and order to the bit, twins at the cut included, whole and from the disk, on both widths of vectors."""
    chance = random.Random(seed)
    parts = [part for entry in entries for part in (entry.title, *entry.questions, entry.answer)]

    def some(number: int) -> KnowledgeEntry:
        base = chance.choice(entries)
        return replace(base, id=f"x{number:03d}", title=chance.choice(parts), answer="".join(chance.sample(parts, 3)))

    now = {entry.id: entry for entry in [*entries, *(some(number) for number in range(150))]}
    index = KnowledgeIndex.build(now.values(), encoder)
    for step in range(16):
        new = [some(chance.randrange(400)) for _ in range(chance.randrange(6))]
        removed = chance.sample(sorted(now), chance.randrange(4))
        now = {name: entry for name, entry in now.items() if name not in removed} | {entry.id: entry for entry in new}
        index = index.changed(new, removed=removed)
        if step % 6 == 5:
            index = index.compact()
        fresh = KnowledgeIndex.build(now.values(), encoder)
        assert (index.id, index.entries) == (fresh.id, fresh.entries)
        for text in parts:
            assert index.search(text, as_of=as_of, top=20) == fresh.search(text, as_of=as_of, top=20)
            assert index.ask(text, as_of=as_of, district="临江区") == fresh.ask(text, as_of=as_of, district="临江区")
    index.save(tmp_path / "index")
    loaded = KnowledgeIndex.load(tmp_path / "index", encoder)
    for text in parts:
        assert loaded.search(text, as_of=as_of, top=20) == index.search(text, as_of=as_of, top=20)


def test_large_base_keeps_its_vectors_at_half_precision(
    entries: tuple[KnowledgeEntry, ...],
    encoder: object,
    index: KnowledgeIndex,
    as_of: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("knowledge_base.vectors.WIDE", 2)
    half = KnowledgeIndex.build(entries, encoder)
    for text in ("用公积金能贷多少钱", "居民医保啥时候交钱"):
        assert ids(half.search(text, as_of=as_of)) == ids(index.search(text, as_of=as_of))
