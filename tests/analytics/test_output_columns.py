"""Drift of the output's columns: found where it is real and matters, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mega_data_factory.analytics import Recording, column_drift, column_statistics
from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.output_columns import ColumnSummary
from mega_data_factory.analytics.output_columns.summary import summary_of
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.reports.output_columns import column_rows

START = datetime(2026, 1, 1)


def store(folder: Path, number: int, table: pa.Table, config: Mapping[str, Any] | None = None) -> str:
    """Store a completed run of the pipeline `nightly` that wrote a table; returns its id."""
    run_id = f"run_{number}"
    writer = MetricsWriter(folder)
    rows = [row for column in measure_columns(table) for row in column.rows(run_id, START)]
    writer.write_details("columns", rows, run_id)
    begun = START.replace(hour=number)
    run = RunMetrics(run_id, begun, begun.replace(minute=5), pipeline="nightly", config=dict(config or {}))
    writer.write_all(run, [], [])
    return run_id


def summaries(table: pa.Table) -> list[ColumnSummary]:
    """The statistics of a table."""
    return [summary_of(row, c.values) for c in measure_columns(table) for row in c.rows("run_1", START)]


def sample(random: np.random.Generator, rows: int, shift: float = 0.0) -> pa.Table:
    """Columns of several shapes; `shift` moves four of them by so many standard deviations."""
    texts = ["x" * int(length) for length in np.exp(random.normal(4 + shift, 1, rows))]
    return pa.table(
        {
            "record_id": [f"{random.integers(10**9)}-{n}" for n in range(rows)],
            "score": random.normal(shift, 1, rows),
            "words": np.round(random.normal(10 + 3 * shift, 3, rows)).astype(int),
            "far": random.normal(1e6 + shift, 1, rows),
            "text": texts,
            "share": pa.array(random.beta(2, 5, rows), mask=random.uniform(size=rows) < 0.1),
            "good": random.uniform(size=rows) < 0.3,
            "language": random.choice(["en", "de", "fr"], rows, p=[0.8, 0.15, 0.05]),
            "host": random.integers(0, 300, rows).astype(str),
        }
    )


MOVED = {"score", "words", "far", "text"}


def test_runs_on_the_same_distribution_are_not_reported() -> None:
    """Of 40 pairs of samples of one distribution, of 9 columns each, at most one is reported; sizes may differ."""
    random = np.random.default_rng(11)
    sizes = [(200, 200), (1_000, 1_000), (2_000, 500), (4_000, 4_000)]
    alarms = 0
    for pair in range(40):
        before, after = sizes[pair % len(sizes)]
        old = summaries(sample(random, before))
        new = summaries(sample(random, after))
        alarms += bool(column_drift(old, new))
    assert alarms <= 1


def test_a_shift_by_a_fifth_of_a_standard_deviation_is_found() -> None:
    """Of 10 pairs of 5,000 records, each of the four moved columns is found in each, and no other column."""
    random = np.random.default_rng(12)
    for _ in range(10):
        old = summaries(sample(random, 5_000))
        new = summaries(sample(random, 5_000, shift=0.2))
        found = column_drift(old, new)
        assert {drift.column for drift in found if drift.what == "shift"} == MOVED
        assert all(drift.level == "moderate" for drift in found)


def test_a_million_records_do_not_make_everything_a_finding() -> None:
    """A shift by a fiftieth of a standard deviation is significant among 200,000 records, and not reported."""
    random = np.random.default_rng(13)
    old, new = (summaries(pa.table({"score": random.normal(shift, 1, 200_000)})) for shift in (0.0, 0.02))
    assert column_drift(old, new) == []


CHANGES: dict[str, tuple[Callable[[pa.Table], pa.Table], set[tuple[str, str, str]]]] = {
    "a new column": (lambda t: t.append_column("extra", pa.nulls(len(t))), {("extra", "new", "moderate")}),
    "a column that is gone": (lambda t: t.drop_columns(["host"]), {("host", "vanished", "large")}),
    "a wider type": (
        lambda t: t.set_column(2, "words", t["words"].cast(pa.float64())),
        {("words", "type", "moderate")},
    ),
    "numbers that became texts": (
        lambda t: t.set_column(2, "words", t["words"].cast(pa.string())),
        {("words", "type", "large")},
    ),
    "nulls": (
        lambda t: t.set_column(1, "score", pa.array(t["score"].to_pylist(), mask=np.arange(len(t)) % 30 == 0)),
        {("score", "nulls", "moderate")},
    ),
    "only nulls": (lambda t: t.set_column(1, "score", pa.nulls(len(t))), {("score", "nulls", "large")}),
    "another share of true": (
        lambda t: t.set_column(6, "good", pa.array(np.arange(len(t)) % 2 == 0)),
        {("good", "shift", "large")},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_named(change: str) -> None:
    """New, vanished and retyped columns, nulls and shares are each a difference of their own."""
    table = sample(np.random.default_rng(14), 3_000)
    make, expected = CHANGES[change]
    found = column_drift(summaries(table), summaries(make(table)))
    assert {(drift.column, drift.what, drift.level) for drift in found} == expected
    assert all(drift.text.startswith(drift.column) for drift in found)


def test_distinct_values_are_compared() -> None:
    """Names that begin to repeat, and a number of hosts that halves, are found though lengths are the same."""

    def table(names: int, hosts: int) -> pa.Table:
        return pa.table(
            {
                "name": [f"{n % names:012d}" for n in range(3_000)],
                "host": [f"{n % hosts:05d}" for n in range(3_000)],
            }
        )

    old = summaries(table(3_000, 400))
    found = column_drift(old, summaries(table(900, 200)))
    assert [(drift.column, drift.what) for drift in found] == [("name", "distinct"), ("host", "distinct")]
    assert column_drift(old, summaries(table(2_900, 390))) == []


def test_times_and_record_ids_are_not_compared() -> None:
    """Time goes by, and ids are of the source: neither is drift; a time that is missing is."""
    stamps = pa.array(range(3_000), pa.timestamp("s"))
    later = pa.array(range(10**6, 10**6 + 3_000), pa.timestamp("s"))
    old = summaries(pa.table({"record_id": ["a"] * 3_000, "fetched": stamps}))
    new = summaries(pa.table({"record_id": ["longer name"] * 3_000, "fetched": later}))
    assert column_drift(old, new) == []
    none = summaries(pa.table({"fetched": pa.nulls(3_000, pa.timestamp("s"))}))
    assert [drift.what for drift in column_drift(old, none)] == ["nulls"]


def test_where_nothing_was_measured_nothing_is_said() -> None:
    """A run without columns, or without records, is not compared."""
    some = summaries(pa.table({"x": [1, 2, 3]}))
    assert column_drift([], some) == column_drift(some, []) == []
    assert column_drift(some, summaries(pa.table({"x": pa.array([], pa.int64())}))) == []


def test_the_store_gives_back_what_was_measured(tmp_path: Path) -> None:
    """`column_statistics` reads every number and histogram as it was, in the order of the output."""
    table = sample(np.random.default_rng(16), 2_000)
    run_id = store(tmp_path, 1, table)
    assert column_statistics(MetricsReader(tmp_path), run_id) == summaries(table)
    assert column_statistics(MetricsReader(tmp_path), "run_2") == []


def test_drift_is_a_finding_of_the_run(tmp_path: Path) -> None:
    """The run says what differs from the run before; as advice where its configuration was changed."""
    random = np.random.default_rng(15)
    config = {"stages": [{"name": "clean"}]}
    store(tmp_path, 1, sample(random, 3_000), config)
    store(tmp_path, 2, sample(random, 3_000), config)
    store(tmp_path, 3, sample(random, 3_000, shift=1.0), config)
    store(tmp_path, 4, sample(random, 3_000), {"stages": [{"name": "judge"}]})
    reader = MetricsReader(tmp_path)
    found = {}
    for run_id in ("run_1", "run_2", "run_3", "run_4"):
        recording = Recording.read(reader, run_id)
        findings = find(recording, EarlierRuns.read(reader, recording))
        found[run_id] = [finding for finding in findings if finding.kind == "output-drift"]
    assert found["run_1"] == found["run_2"] == []
    (warning,), (advice,) = found["run_3"], found["run_4"]
    assert warning.severity == "warning"
    assert warning.title == "4 columns of the output differ from the run before: score, words, far, text"
    assert "PSI" in warning.detail
    assert advice.severity == "advice"
    assert advice.suggestion == "The configuration was changed."


def test_the_table_has_a_row_for_every_column() -> None:
    """Shares, dates and numbers are in words, differences beside their column, vanished columns at the end."""
    now = pa.table(
        {
            "n": pa.array([1, None, 3]),
            "good": [True, False, False],
            "day": pa.array([0, 86_400, None], pa.timestamp("s")),
            "tags": [["a"], [], None],
        }
    )
    columns = summaries(now)
    drift = column_drift(summaries(now.append_column("old", pa.array([1, 2, 3]))), columns)
    rows = {row[0]: row[1:] for row in column_rows(columns, drift)}
    assert list(rows) == ["n", "good", "day", "tags", "old"]
    assert rows["n"][:4] == ("int64", "33.3 %", "2", "1")
    assert rows["good"][5] == "33.3 % true"
    assert "1970-01-01" in rows["day"][3]
    assert rows["old"][-1] == "(int64): not in the output any more"


def test_a_file_of_nulls_alone_belongs_to_the_column_that_has_a_type(tmp_path: Path) -> None:
    """Else the share of nulls of the column would be that of its other files, and that of the file 100 %."""
    totals = DetailTotals()
    for values in (pa.array(["x", None, "y"]), pa.nulls(5), pa.array([1])):
        totals.add(measure_columns(pa.table({"lang": values, "empty": pa.nulls(len(values))})))
    MetricsWriter(tmp_path).write_details("columns", totals.rows("columns", "run_1", START), "run_1")
    found = column_statistics(MetricsReader(tmp_path), "run_1")
    assert [(c.name, c.type, c.records, c.nulls, c.known) for c in found] == [
        ("lang", "int64", 1, 0, 1),
        ("lang", "string", 8, 6, 2),
        ("empty", "null", 9, 9, 0),
    ]


@pytest.mark.parametrize(
    ("values", "records", "expected"), [(1, 5, []), (1, 5000, ["vanished"]), (100, 5, ["vanished"])]
)
def test_a_column_of_few_values_is_not_missed_among_few_records(values: int, records: int, expected: list[str]) -> None:
    """Of 5 records none may have the key that 1 % have; of 5,000 some would, and a full column is missed at once."""
    sparse = pa.table({"n": [1] * 100, "note": ["x"] * values + [None] * (100 - values)})
    without = pa.table({"n": [1] * records})
    assert [d.what for d in column_drift(summaries(sparse), summaries(without))] == expected
    assert [d.what for d in column_drift(summaries(without), summaries(sparse))] == ["new"] * len(expected)
