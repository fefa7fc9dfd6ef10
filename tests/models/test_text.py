from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from models.text import TextFeatures, word_spans

TEXTS = (
    "小区停水三天了没人管",
    "小区门口路灯坏了，晚上很黑",
    "请问公积金怎么提取？需要什么材料",
    "路灯坏了没人管，请问找谁",
    "WiFi 装不上，宽带Wifi押金500",
    "停水停水停水",
)


@pytest.fixture(scope="module")
def features() -> TextFeatures:
    return TextFeatures.fit(TEXTS, min_df=1, max_chars=10_000, max_words=10_000)


def test_character_block_is_what_scikit_learn_computes(features: TextFeatures) -> None:
    """A second opinion: the library's own TF-IDF."""
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    expected = theirs.fit_transform(TEXTS).toarray()
    ours = features.matrix(TEXTS).toarray()
    assert set(features.chars) == set(theirs.get_feature_names_out())
    for gram, column in features.chars.items():
        np.testing.assert_allclose(ours[:, column], expected[:, theirs.vocabulary_[gram]], atol=1e-6)


def test_word_block_is_what_scikit_learn_computes(features: TextFeatures) -> None:
    theirs = TfidfVectorizer(analyzer=lambda text: [gram for gram, _, _ in word_spans(text)], sublinear_tf=True)
    expected = theirs.fit_transform(TEXTS).toarray()
    ours = features.matrix(TEXTS).toarray()
    assert set(features.words) == set(theirs.get_feature_names_out())
    for gram, column in features.words.items():
        np.testing.assert_allclose(ours[:, column], expected[:, theirs.vocabulary_[gram]], atol=1e-6)


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_one_text_reads_exactly_as_its_row_among_many(text: str) -> None:
    features = TextFeatures.fit([*TEXTS, text, text], min_df=2, max_chars=500, max_words=500)
    row = features.read(text)
    matrix = features.matrix([TEXTS[0], text, TEXTS[1]])
    assert matrix[1].indices.tolist() == row.columns.tolist()
    assert matrix[1].data.tobytes() == row.values.tobytes()
    assert (np.diff(row.columns) > 0).all()


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_places_point_into_the_text(text: str) -> None:
    """Also where lower case is longer than upper case (İ)."""
    features = TextFeatures.fit([text, text], min_df=1, max_chars=1000, max_words=1000)
    row = features.read(text)
    grams = {column: gram for gram, column in features.chars.items()}
    for which, (start, end) in zip(row.which, row.places, strict=True):
        assert 0 <= start < end <= len(text)
        gram = grams.get(int(row.columns[which]))
        if gram is not None:
            assert text[start:end].lower() == gram or len(gram.lower()) != len(gram) or "İ" in text[start:end]
    assert np.bincount(row.which, minlength=len(row.columns)).tolist() == row.times.tolist()


def test_the_commonest_are_kept_and_ties_go_by_the_gram() -> None:
    features = TextFeatures.fit(["甲乙", "甲丙", "甲丁"], min_df=1, max_chars=2, max_words=0)
    assert list(features.chars) == ["丁", "甲"]
    assert TextFeatures.fit(["甲乙", "甲丙"], min_df=2, max_chars=9, max_words=9).chars.keys() == {"甲"}


def test_punctuation_parts_words_and_is_no_word() -> None:
    grams = [gram for gram, _, _ in word_spans("停水，路灯")]
    assert grams == ["停水", "路灯"]


@pytest.mark.parametrize("text", ["", "   ", "\x00", "😀"])
def test_a_text_without_known_ngrams_is_an_empty_row(features: TextFeatures, text: str) -> None:
    row = features.read(text.strip())
    assert len(row.columns) == len(row.values) == 0 and row.places.shape == (0, 2)


def test_the_vocabulary_survives_saving(features: TextFeatures) -> None:
    again = TextFeatures.from_json(features.to_json(), features.idf)
    assert again.chars == features.chars and again.words == features.words


def test_jieba_says_nothing_and_writes_no_cache(tmp_path: Path) -> None:
    code = "from models.text import word_spans; assert word_spans('小区停水三天')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "" and "jieba" not in done.stderr and "dict" not in done.stderr
    assert list(tmp_path.iterdir()) == []
