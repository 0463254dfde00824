"""Statistics of columns: right within the error that they state, and the same for the same rows however split."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.metrics.details.columns.column_statistics import QUANTILES, ColumnStatistics
from mega_data_factory.framework.metrics.details.columns.distinct_count import STANDARD_ERROR, DistinctCount, mixed
from mega_data_factory.framework.metrics.details.columns.value_histogram import MOST_BUCKETS, ValueHistogram
from mega_data_factory.framework.metrics.details.totals import DetailTotals

Array = np.ndarray[Any, np.dtype[np.float64]]

SHAPES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda random, n: random.normal(size=n),
    "far from zero": lambda random, n: random.normal(1e6, 1.0, n),
    "lengths": lambda random, n: np.exp(random.normal(6, 1, n)).round(),
    "shares": lambda random, n: random.beta(2, 5, n),
    "times of a day": lambda random, n: 1.76e9 + random.uniform(0, 86_400, n),
    "few values": lambda random, n: random.integers(-3, 4, n).astype(float),
    "one value": lambda random, n: np.full(n, -17.25),
    "mostly zero": lambda random, n: np.where(random.uniform(size=n) < 0.9, 0.0, random.normal(size=n)),
    "many magnitudes": lambda random, n: 10.0 ** random.uniform(-300, 300, n) * random.choice([-1, 1], n),
    "the largest": lambda random, n: random.choice([-1.7e308, 1.7e308, 5e-324], n),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_numbers_make_the_same_histogram(shape: str) -> None:
    """However numbers are split, ordered and nested, the histogram is that of the whole, to the last bucket."""
    random = np.random.default_rng(7)
    numbers = SHAPES[shape](random, 20_000)
    whole = ValueHistogram.from_values(numbers)
    mixed_up = random.permutation(numbers)
    parts = [ValueHistogram.from_values(part) for part in np.array_split(mixed_up, 37)]
    flat, left, right = ValueHistogram(), ValueHistogram(), ValueHistogram()
    for place, part in enumerate(parts):
        flat.add(part)
        (left if place % 3 else right).add(part)
    right.add(left)
    assert flat == whole == right
    assert ValueHistogram.from_wire(whole.to_wire()) == whole
    assert whole.total == 20_000
    assert len(whole.buckets) <= MOST_BUCKETS


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_are_within_the_stated_error(shape: str) -> None:
    """A quantile is at most a bucket off the exact one; with few distinct numbers it is exact."""
    numbers = np.sort(SHAPES[shape](np.random.default_rng(8), 20_000))
    histogram = ValueHistogram.from_values(numbers)
    error = histogram.relative_width
    for q in (0.0, *QUANTILES.values(), 1.0):
        exact = float(numbers[int(q * (len(numbers) - 1))])
        found = histogram.quantile(q)
        assert found is not None
        nearby = numbers[max(int(q * (len(numbers) - 1)) - 1, 0) : int(q * (len(numbers) - 1)) + 3]
        slack = error * max(abs(nearby).max(), abs(exact))
        assert nearby.min() - slack <= found <= nearby.max() + slack
        if not error:
            assert found in numbers


def test_a_histogram_of_nothing_has_no_quantile() -> None:
    """No numbers, no quantile; adding nothing changes nothing."""
    empty = ValueHistogram()
    assert empty.quantile(0.5) is None
    some = ValueHistogram.from_values(np.array([1.0, 2.0]))
    some.add(empty)
    assert some == ValueHistogram.from_values(np.array([2.0, 1.0]))
    assert ValueHistogram.from_wire(empty.to_wire()) == empty


@pytest.mark.parametrize("number", [0, 1, 10, 300, 5_000, 200_000])
def test_distinct_values_are_within_the_stated_error(number: int) -> None:
    """Over 20 sets the root mean square of the relative error is at most 1.3 times the stated one."""
    errors = []
    for turn in range(20):
        count = DistinctCount()
        hashes = mixed(np.arange(number, dtype=np.int64) + turn * 10**9)
        for part in np.array_split(np.concatenate([hashes, hashes[::-1]]), 7):
            count.add(DistinctCount.from_hashes(part))
        assert count.to_wire() == DistinctCount.from_hashes(hashes).to_wire(), "doubles and order do not matter"
        errors.append(count.estimate / number - 1 if number else count.estimate)
    assert np.sqrt(np.mean(np.square(errors))) <= 1.3 * STANDARD_ERROR


def table(rows: int, seed: int = 0) -> pa.Table:
    """Columns of several kinds, with nulls."""
    random = np.random.default_rng(seed)
    texts = ["wört " * int(n) for n in random.integers(0, 30, rows)]
    return pa.table(
        {
            "text": pa.array(texts, mask=random.uniform(size=rows) < 0.1),
            "score": pa.array(random.normal(size=rows), mask=random.uniform(size=rows) < 0.2),
            "good": random.uniform(size=rows) < 0.3,
            "tags": [["x"] * int(n) for n in random.integers(0, 4, rows)],
            "place": pa.array([{"host": f"h{n}"} for n in random.integers(0, 40, rows)]),
        }
    )


def test_parts_of_a_table_add_up_to_the_whole() -> None:
    """The statistics of a table are the sum of those of its parts, in any order, also through the wire form."""
    whole = table(3_000)
    expected = measure_columns(whole)
    cuts = [0, 1, 1, 700, 2_999, 3_000]
    parts = [measure_columns(whole.slice(a, b - a)) for a, b in itertools.pairwise(cuts) if b > a]
    sums = {statistics.key: statistics for statistics in map(copied, parts[-1])}
    for part in parts[-2::-1]:
        for statistics in part:
            sums[statistics.key].add(copied(statistics))
    assert list(sums.values()) == expected


def copied(statistics: ColumnStatistics) -> ColumnStatistics:
    """Return the statistics after a journey as JSON values."""
    return ColumnStatistics.from_wire(statistics.to_wire())


def test_rows_say_what_is_in_the_columns() -> None:
    """Nulls, lengths, shares and quantiles are those that Python counts."""
    data = table(3_000)
    rows = {row["column_name"]: row for c in measure_columns(data) for row in c.rows("run_1", datetime(2026, 1, 1))}
    assert list(rows) == ["text", "score", "good", "tags", "place", "place.host"]
    texts = [text for text in data["text"].to_pylist() if text is not None]
    assert rows["text"]["nulls"] == 3_000 - len(texts)
    assert rows["text"]["maximum"] == max(map(len, texts))
    assert rows["text"]["p50"] == pytest.approx(np.median([len(text) for text in texts]), abs=5)
    assert rows["text"]["distinct_values"] == len(set(texts))
    assert rows["good"]["true_values"] == sum(data["good"].to_pylist())
    assert rows["good"]["p50"] is None
    assert rows["tags"]["p95"] == 3
    assert rows["tags"]["distinct_values"] is None
    assert rows["place.host"]["distinct_values"] == pytest.approx(40, abs=2)
    scores = [score for score in data["score"].to_pylist() if score is not None]
    assert rows["score"]["minimum"] == min(scores)
    assert rows["score"]["p95"] == pytest.approx(np.quantile(scores, 0.95), rel=0.05)


def test_columns_of_a_run_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Where every file has columns of its own, the first thousand are kept and grow on; the log says it once."""
    totals = DetailTotals()
    for number in range(12):
        totals.add(measure_columns(pa.table({"same": [number], **{f"k{number}.{n}": [n] for n in range(99)}})))
    rows = totals.rows("columns", "run_1", datetime(2026, 1, 1))
    assert len(rows) == ColumnStatistics.most_keys
    assert {row["records"] for row in rows if row["column_name"] == "same"} == {12}
    assert [record.getMessage() for record in caplog.records] == [
        "the table columns has 1000 rows, further ones are left out: the first is k10.9 int64"
    ]
