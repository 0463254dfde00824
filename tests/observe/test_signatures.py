"""Signatures recognise the same records in any order and any batches, and tell others apart."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.observe.counting.forms.signatures import Content, signature_of

MASK = (1 << 64) - 1
COLUMNS = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(0, 255),
    "real": st.floats(allow_nan=False),
    "truth": st.booleans(),
    "text": st.text(max_size=40),
    "bytes": st.binary(max_size=40),
    "day": st.dates(dt.date(1970, 1, 1), dt.date(2100, 1, 1)),
    "numbers": st.lists(st.integers(0, 9), max_size=4),
    "words": st.lists(st.text(max_size=9), max_size=4),
    "pair": st.fixed_dictionaries({"a": st.integers(0, 99), "b": st.text(max_size=9)}),
}
TYPES = {
    "whole": pa.int64(),
    "small": pa.uint8(),
    "real": pa.float64(),
    "truth": pa.bool_(),
    "text": pa.string(),
    "bytes": pa.large_binary(),
    "day": pa.date32(),
    "numbers": pa.list_(pa.int32()),
    "words": pa.large_list(pa.large_string()),
    "pair": pa.struct({"a": pa.int16(), "b": pa.string()}),
}
SCHEMA = pa.schema(TYPES)
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | kind for name, kind in COLUMNS.items()}), max_size=30)


@given(ROWS, st.integers(0, 2**32), st.integers(1, 7))
def test_order_and_batches_do_not_matter(rows: list[dict[str, Any]], seed: int, size: int) -> None:
    """Shuffled, cut in batches, sliced out of a longer table: the sum is the same."""
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    shuffled = random.Random(seed).sample(rows, len(rows))
    padded = pa.Table.from_pylist([*rows[:3], *shuffled, *rows[-2:]], schema=SCHEMA).combine_chunks()
    cut = padded.slice(len(rows[:3]), len(rows)).to_batches(max_chunksize=size)
    assert sum(map(signature_of, cut)) & MASK == signature_of(table)


@given(ROWS.filter(bool), st.data())
def test_a_changed_value_changes_the_signature(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """A value of any type that becomes another one is told."""
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    place = data.draw(st.integers(0, len(rows) - 1))
    before = pa.Table.from_pylist(rows, schema=SCHEMA)
    changed: Any = data.draw(COLUMNS[name].filter(lambda value: value != rows[place][name]))
    after = pa.Table.from_pylist([*rows[:place], rows[place] | {name: changed}, *rows[place + 1 :]], schema=SCHEMA)
    if not before.equals(after) and not (name in ("text", "bytes") and len(changed) > 24):
        assert signature_of(before) != signature_of(after)


@pytest.mark.parametrize(
    ("kind", "value", "other"),
    [
        (pa.int64(), 1, None),
        (pa.int64(), 0, None),
        (pa.string(), "", None),
        (pa.list_(pa.int8()), [1, 2], [2, 1]),
        (pa.list_(pa.string()), [], None),
        (pa.list_(pa.list_(pa.string())), [["a"], ["b"]], [["a", "b"]]),
        (pa.map_(pa.string(), pa.int8()), [("a", 1)], [("a", 2)]),
        (pa.bool_(), False, None),
    ],
)
def test_close_values_are_told_apart(kind: pa.DataType, value: Any, other: Any) -> None:
    """Null is no value, lists have an order, and nested lists have a shape."""
    assert signature_of(pa.array([value, value], kind)) != signature_of(pa.array([value, other], kind))


def test_a_dictionary_is_its_values() -> None:
    """A column that is encoded by a dictionary is that of its values."""
    texts = pa.array(["a", "b", "a", None])
    assert signature_of(texts.dictionary_encode()) == signature_of(texts)


def test_values_stay_in_their_rows() -> None:
    """Two columns of which one is sorted otherwise are other records."""
    one = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    other = pa.table({"a": [1, 2, 3], "b": ["y", "x", "z"]})
    assert signature_of(one) != signature_of(other)


def test_values_of_long_texts_are_told_by_their_ends_and_middle() -> None:
    """A text of another length, start, middle or end is another text."""
    text = "abcdefgh" * 100
    known = {
        signature_of(pa.array([changed]))
        for changed in (text, text + "a", "X" + text[1:], text[:400] + "X" + text[401:], text[:-1] + "X")
    }
    assert len(known) == 5


@pytest.mark.parametrize("values", [[1, 2, 3], ["a", None, "ccc"], [1.5, None, 2.5], [True, False, True]])
def test_pandas_as_arrow(values: list[Any]) -> None:
    """A data frame in any order, and a series, have signatures that do not depend on the index."""
    frame = pd.DataFrame({"v": values, "n": range(3)})
    assert signature_of(frame) == signature_of(frame.iloc[[2, 0, 1]])
    assert signature_of(frame) != signature_of(frame.iloc[[0, 0, 1]])
    assert signature_of(frame["v"]) == signature_of(frame["v"].iloc[[1, 2, 0]].reset_index(drop=True))


def test_records_by_their_text() -> None:
    """Records that are no batch: equal records are equal, others are not."""
    assert signature_of({"a": 1, "b": "x"}) == signature_of({"a": 1, "b": "x"})
    assert signature_of(("a", 1)) != signature_of(("a", 2))
    assert signature_of(np.array([1, 2])) == signature_of(np.array([2, 1]))
    assert signature_of(pd.DataFrame({"v": [object(), object()]})) == 2


def _content(*parts: int) -> Content:
    content = Content()
    for part in parts:
        content.add(part)
    return content


@given(st.lists(st.integers(0, MASK), unique=True, min_size=1, max_size=40), st.integers(1, 40))
def test_a_beginning_is_recognised(parts: list[int], length: int) -> None:
    """The first parts of a sequence begin like it; after a change of the first part they do not."""
    whole, beginning = _content(*parts), _content(*parts[:length])
    assert beginning.begins_like(whole)
    assert not _content((parts[0] + 1) & MASK, *parts[1:length]).begins_like(whole)
    assert not (length < len(parts) and whole.begins_like(beginning))
    assert _content(*reversed(parts)).begins_like(whole), "the order within the whole does not matter"
    assert Content.from_list(whole.to_list()) == whole


def test_nothing_begins_like_everything() -> None:
    """A part of a plan that was given no record does not count as other work."""
    assert Content().begins_like(_content(1, 2))
    assert Content.from_list(Content().to_list()) == Content()
