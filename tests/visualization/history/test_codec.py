"""Blocks as Parquet: bit for bit, small, and readable by others."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.block import Block
from mega_data_factory.history.series import Series
from mega_data_factory.history.storage.codec import Codec, decode, facts_of
from tests.visualization.history.kit import MANY


def block(interval: int = 0, **columns: Any) -> Block:
    times = np.arange(len(next(iter(columns.values()))), dtype=np.int64) * 1_000_003
    points = {name: Series.of_points(times, np.asarray(values, float)) for name, values in columns.items()}
    raw = Block(0, times, points)
    return raw.thinned(interval) if interval else raw


def restored(original: Block) -> Block:
    payload, facts = Codec().encode(original, {"sequence": 0})
    assert facts_of(payload, "here") == facts
    return decode(payload, facts)


def bits(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The bits of each value; any NaN is the same NaN."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


@MANY
@given(arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(width=64)))
def test_any_values_are_restored_bit_for_bit(values: npt.NDArray[Any]) -> None:
    """Infinities, negative zero, the smallest and the largest numbers; what is not a number stays so."""
    np.testing.assert_array_equal(bits(restored(block(x=values)).columns["x"].values), bits(values))


@MANY
@given(st.integers(0, 12), st.lists(st.one_of(st.none(), st.integers(-(10**14), 10**14)), min_size=1, max_size=40))
def test_rounded_values_are_restored_to_their_decimals(decimals: int, integers: Sequence[int | None]) -> None:
    """57.9 comes back as 57.9, for any number of decimals, between values that are missing."""
    values = np.array([np.nan if one is None else float(f"{one}e-{decimals}") for one in integers])
    np.testing.assert_array_equal(bits(restored(block(x=values)).columns["x"].values), bits(values))


@MANY
@given(arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6)), st.integers(1, 10**8))
def test_buckets_are_restored_bit_for_bit(values: npt.NDArray[Any], interval: int) -> None:
    """Mean, minimum, maximum and points of a thinned block."""
    original = block(interval, x=values)
    back = restored(original)
    assert back.interval == interval
    for name in ("timestamps", "values", "minimum", "maximum", "points", "interval"):
        np.testing.assert_array_equal(getattr(back.columns["x"], name), getattr(original.columns["x"], name))


def test_the_form_that_was_best_before_never_harms_exactness() -> None:
    """A column of decimals that stops being one is stored exactly all the same."""
    codec = Codec()
    rounded, free = np.round(np.linspace(0, 1, 5000), 2), np.random.default_rng(0).random(5000)
    for values in (rounded, free, rounded, rounded * 1e12, free):
        payload, facts = codec.encode(block(x=values), {})
        np.testing.assert_array_equal(decode(payload, facts).columns["x"].values, values)


def test_decimals_are_stored_as_decimals_and_take_little_room(tmp_path: Path) -> None:
    """Any reader sees 57.9, not 579; and it takes less than half of what Parquet takes by default."""
    values = np.round(50 + np.cumsum(np.random.default_rng(1).normal(0, 30, 20_000)), 1)
    payload, _ = Codec().encode(block(cpu_usage=values), {})
    path = tmp_path / "chunk.parquet"
    path.write_bytes(payload)
    answer = duckdb.connect().execute(f"SELECT sum(cpu_usage) FROM '{path}'").fetchall()
    assert float(answer[0][0]) == pytest.approx(values.sum())
    assert str(pq.read_schema(path).field("cpu_usage").type).startswith("decimal128")
    usual = io.BytesIO()
    pq.write_table(pa.table({"timestamp": block(x=values).timestamps, "cpu_usage": values}), usual)
    assert len(payload) < len(usual.getvalue()) / 2


def test_metrics_may_have_any_name() -> None:
    """`timestamp`, names that look like those of buckets, dots, spaces and the empty name."""
    names = ["timestamp", "x", "x_min", "x_min_", "x_points", "a.b", "a b", "", "zeta/é"]
    for interval in (0, 10**7):
        original = block(interval, **{name: np.arange(20.0) + at for at, name in enumerate(names)})
        back = restored(original)
        for name in names:
            np.testing.assert_array_equal(back.columns[name].values, original.columns[name].values)


def test_some_metrics_can_be_read_alone() -> None:
    """Only the columns that are asked for are decoded; one that the chunk does not have is not there."""
    payload, facts = Codec().encode(block(x=[1.0], y=[2.0]), {})
    assert list(decode(payload, facts, ["y", "z"]).columns) == ["y"]


def test_what_is_no_chunk_is_refused(tmp_path: Path) -> None:
    """Damaged files, Parquet of others and files of a newer version: one clear error each."""
    with pytest.raises(HistoryError, match="not a readable chunk"):
        facts_of(b"PAR1 no", "here")
    other = io.BytesIO()
    pq.write_table(pa.table({"timestamp": [1]}), other)
    with pytest.raises(HistoryError, match="not a chunk of a history"):
        facts_of(other.getvalue(), "here")
    newer = Codec().encode(block(x=[1.0]), {})[0].replace(b'"version": 1', b'"version": 9')
    with pytest.raises(HistoryError, match="newer version"):
        facts_of(newer, "here")
