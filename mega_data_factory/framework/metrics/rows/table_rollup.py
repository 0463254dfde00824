"""Operator rows of a table added up over workers, column by column: what `rollup.over_workers` does with objects.

A run on a thousand workers has tens of thousands of rows, and a view shows a few dozen operators.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.rows.fields import add_numbers
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram, bucket_of
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.rollup import over_workers

_COUNTS = (
    "input_records",
    "output_records",
    "error_count",
    "unmatched_records",
    "created_records",
    "batches",
    "input_bytes",
)
_UNITS = ("input_text_bytes", "output_text_bytes", "input_tokens", "output_tokens", "changed_records")
_SECONDS = ("total_time", "cpu_time")
_UNCOMMITTED = ("uncommitted_input_records", "uncommitted_output_records")
_EPOCH = datetime(1970, 1, 1)

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def table_over_workers(operators: pa.Table) -> list[OperatorMetrics]:
    """Return one row for each operator instance, added up over its workers and named `*`, in plan order.

    Args:
        operators: rows of the table `operators`, of one run; of several runs the result says the first.
    """
    names = zip(operators["stage_name"].to_pylist(), operators["operator_name"].to_pylist(), strict=True)
    instances: dict[tuple[str, str], int] = {}
    group = np.array([instances.setdefault(name, len(instances)) for name in names], np.int64)
    first = np.unique(group, return_index=True)[1]
    several = np.bincount(group, minlength=len(instances)) > 1
    alone = [OperatorMetrics.from_dict(_known(row)) for row in schema.to_rows(operators.take(first[~several]))]
    rest = operators.filter(pa.array(several[group])) if len(instances) else operators
    added = _Sums(rest, np.unique(group[several[group]], return_inverse=True)[1]).rows() if several.any() else []
    rows = dict(zip([*np.flatnonzero(~several), *np.flatnonzero(several)], [*alone, *added], strict=True))
    return over_workers(rows[number] for number in range(len(instances)))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


class _Sums:
    """Sums over groups of rows.

    Args:
        operators: the rows, at least one.
        group: number of the group of each row, from 0 in order of appearance, shape (rows,).
    """

    def __init__(self, operators: pa.Table, group: Integers) -> None:
        self._table = operators.combine_chunks()
        self._group = group
        self._size = int(group.max()) + 1
        self._first = np.unique(group, return_index=True)[1]

    def rows(self) -> list[OperatorMetrics]:
        """Return a row for each group, by its number."""
        whole = {name: self._integers(name) for name in (*_COUNTS, *_UNCOMMITTED)}
        least, most, at_mean = self._latencies(whole["input_records"])
        columns: dict[str, Sequence[Any]] = {
            **{name: self._texts(name, self._first) for name in ("run_id", "stage_name", "operator_name")},
            **{name: self._integers(name)[self._first].tolist() for name in ("stage_index", "operator_index")},
            **{name: self._added(values) for name, values in whole.items()},
            **{name: self._added(self._reals(name)) for name in (*_SECONDS, "uncommitted_time")},
            **{name: self._known_sums(name) for name in _UNITS},
            "rejected_records": self._added(self._rejected(whole)),
            "min_latency": self._extremes(np.fmin, least),
            "max_latency": self._extremes(np.fmax, most),
            "timestamp": self._latest(),
            "rejected_reasons": self._reasons(),
            "custom_metrics": self._custom(),
            "latency_histogram": self._histograms(whole["input_records"], at_mean),
        }
        for name in (*_UNCOMMITTED, "uncommitted_time"):
            columns[name] = [value or None for value in columns[name]]
        rows = ({name: values[number] for name, values in columns.items()} for number in range(self._size))
        return [OperatorMetrics(worker_id="*", **_known(row)) for row in rows]

    def _column(self, name: str) -> pa.ChunkedArray:
        if name in self._table.column_names:
            return self._table[name]
        return pa.chunked_array([pa.nulls(len(self._table), schema.OPERATORS.field(name).type)])

    def _integers(self, name: str) -> Integers:
        values: Integers = pc.fill_null(self._column(name), 0).to_numpy().astype(np.int64)
        return values

    def _reals(self, name: str, absent: float = 0.0) -> Reals:
        values: Reals = pc.fill_null(self._column(name), absent).to_numpy().astype(np.float64)
        return values

    def _texts(self, name: str, rows: Integers) -> list[Any]:
        texts: list[Any] = self._column(name).take(pa.array(rows)).to_pylist()
        return texts

    def _added(self, values: Integers | Reals) -> list[Any]:
        """Add up one after the other, as a loop would: sums of floats are the same to the last bit."""
        sums = np.zeros(self._size, values.dtype)
        np.add.at(sums, self._group, values)
        return sums.tolist()

    def _known_sums(self, name: str) -> list[int | None]:
        known = self._column(name).is_valid().to_numpy().astype(np.int64)
        sums = zip(self._added(self._integers(name)), self._added(known), strict=True)
        return [value if count else None for value, count in sums]

    def _rejected(self, whole: dict[str, Integers]) -> Integers:
        missing = (
            whole["input_records"] + whole["created_records"] - whole["output_records"] - whole["error_count"]
        ).clip(0)
        known = self._column("rejected_records").is_valid().to_numpy()
        return np.where(known, self._integers("rejected_records"), missing)

    def _latencies(self, records: Integers) -> tuple[Reals, Reals, Reals]:
        """Return least, most and mean seconds per record of each row; NaN if unknown."""
        mean = self._reals("avg_latency", math.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(np.isnan(mean), np.where(records > 0, self._reals("total_time") / records, math.nan), mean)
        least, most = self._reals("min_latency", math.nan), self._reals("max_latency", math.nan)
        return np.where(np.isnan(least), mean, least), np.where(np.isnan(most), mean, most), mean

    def _extremes(self, extreme: np.ufunc, values: Reals) -> list[float | None]:
        found = np.full(self._size, math.nan)
        extreme.at(found, self._group, values)
        return [None if math.isnan(value) else value for value in found.tolist()]

    def _latest(self) -> list[datetime]:
        moments = pc.fill_null(self._column("timestamp"), utc_now()).cast(pa.int64()).to_numpy()
        latest = np.full(self._size, np.iinfo(np.int64).min)
        np.maximum.at(latest, self._group, moments)
        return [_EPOCH + timedelta(microseconds=moment) for moment in latest.tolist()]

    def _reasons(self) -> list[dict[str, int]]:
        """Add up counts by reason; what many workers say alike is parsed once."""
        sums: list[dict[str, int]] = [{} for _ in range(self._size)]
        for (number, text), times in Counter(self._texts_of_groups("rejected_reasons")).items():
            for reason, count in json.loads(text).items():
                sums[number][reason] = sums[number].get(reason, 0) + times * count
        return sums

    def _custom(self) -> list[dict[str, Any]]:
        sums: list[dict[str, Any]] = [{} for _ in range(self._size)]
        for number, text in self._texts_of_groups("custom_metrics"):
            add_numbers(sums[number], json.loads(text))
        return sums

    def _texts_of_groups(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield group and JSON object of every row that has one, row by row."""
        return (pair for pair in zip(self._group.tolist(), self._column(name).to_pylist(), strict=True) if pair[1])

    def _histograms(self, records: Integers, mean: Reals) -> list[LatencyHistogram]:
        """Return the histogram of each group; of rows made by hand, without one, all records at their mean."""
        lists = self._column("latency_histogram").combine_chunks()
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
        pairs = pc.list_flatten(lists)
        bare = np.flatnonzero((lengths == 0) & (records > 0))
        at_mean = [bucket_of(0.0 if math.isnan(seconds) else seconds) for seconds in mean[bare].tolist()]
        group = np.concatenate([np.repeat(self._group, lengths), self._group[bare]])
        buckets = np.concatenate([_numbers(pairs, "bucket"), np.array(at_mean, np.int64)])
        counts = np.concatenate([_numbers(pairs, "count"), records[bare]])
        order = np.lexsort((buckets, group))
        group, buckets, counts = group[order], buckets[order], counts[order]
        starts = np.flatnonzero(np.r_[True, (np.diff(group) != 0) | (np.diff(buckets) != 0)]) if len(group) else order
        sums = np.add.reduceat(counts, starts) if len(starts) else counts
        ends = np.searchsorted(group[starts], np.arange(self._size + 1))
        places = [slice(ends[number], ends[number + 1]) for number in range(self._size)]
        keys = buckets[starts]
        return [LatencyHistogram.from_pairs(zip(keys[at].tolist(), sums[at].tolist(), strict=True)) for at in places]


def _numbers(pairs: pa.StructArray, name: str) -> Integers:
    numbers: Integers = pairs.field(name).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers
