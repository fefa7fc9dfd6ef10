"""Canonical JSON: the bytes of the library, whatever the value."""

import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from intake.canonical import canonical_json

NUMBERS = st.one_of(
    st.integers(),
    st.integers(-(2**53) - 2, 2**53 + 2),
    st.floats(),
    st.floats(-2, 2),
    st.integers(-(10**17), 10**17).map(float),
    st.integers(0, 10_000).map(lambda n: round(n / 10_000, 4)),
    st.sampled_from([0.0, -0.0, 1.0, 1e-4, 9.9e-5, 1e16, 1e21, 5e-324, 2.0**53, 2.0**53 - 1]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def _of(write, value):
    """What is written, or that it has no canonical form."""
    try:
        return write(value)
    except rfc8785.CanonicalizationError as error:
        return type(error)


@given(VALUES)
def test_as_the_library_writes_it(value):
    assert _of(canonical_json, value) == _of(rfc8785.dumps, value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1.0, "a": [0.5, True, None]}, b'{"a":[0.5,true,null],"b":1}'),
        # RFC 8785, 3.2.3: keys by UTF-16 units, where U+1F600 (D83D DE00) goes before U+FB33.
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'.encode()),
        ({"键": "油烟\n\u0007\u007f\\"}, '{"键":"油烟\\n\\u0007\u007f\\\\"}'.encode()),
        (1e-7, b"1e-7"),
        (-0.0, b"0"),
    ],
)
def test_examples(value, written):
    assert canonical_json(value) == written


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, "\ud83d", {"x": object()}])
def test_what_has_no_canonical_form(value):
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)
