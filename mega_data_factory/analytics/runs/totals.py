"""Operators and stages of one run over all their workers: counts, seconds and histograms, added up."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mega_data_factory.formats import count, plural
from mega_data_factory.framework.metrics.rows.fields import add_numbers, least, most, per_second
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram, bucket_of
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics, bounded_quantile
from mega_data_factory.framework.metrics.rows.rollup import top_reason

_COUNTS = (
    "input_records",
    "output_records",
    "rejected_records",
    "error_count",
    "batches",
    "unmatched_records",
    "created_records",
)


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class WorkerTotals:
    """One worker of a stage.

    Attributes:
        worker: its id.
        records: records that it took in.
        busy: seconds that it was busy, over the operators of the stage.
        batches: batches that it measured.
        median: median of its seconds per record in the operator that is busiest in the stage; None where that is not
            known.
        size: Bytes that it took in; 0 where that was not measured.
        buckets, counts: Its histogram of seconds per record there: sorted bucket numbers and records, shape (b,).
    """

    worker: str
    records: int
    busy: float
    batches: int
    median: float | None = None
    size: int = 0
    buckets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def rate(self) -> float | None:
        """Records per second busy; None where it was never busy."""
        return self.records / self.busy if self.busy else None

    @cached_property
    def lower_quartile(self) -> float | None:
        """Seconds per record that a quarter of its records needed at most; None where that is not known."""
        pairs = zip(self.buckets.tolist(), self.counts.tolist(), strict=True)
        return LatencyHistogram.from_pairs(pairs).quantile(0.25)


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class OperatorTotals:
    """One operator instance over all its workers.

    Attributes:
        stage, name: which.
        stage_index, index: place of the stage in the plan, and of the operator in the stage.
        workers: distinct workers that reported.
        input, output, rejected, errors: records.
        busy: seconds, over all workers.
        batches: batches measured.
        reasons: records rejected, by reason, the most first.
        buckets, counts: histogram of seconds per record: sorted bucket numbers and records in each, shape (b,).
        unmatched: Records of the output that did not match the operator's condition.
        created: Records made beside those that came in.
        uncommitted_input, uncommitted_output, uncommitted_busy: records and seconds of batches that have passed all
            stages and are in no file yet; in no other number.
        least, most: Least and most seconds per record of any batch; None where that is not known.
        custom: What the operator reported: sums of numbers, of other values the last.
    """

    stage: str
    name: str
    stage_index: int
    index: int
    workers: int
    input: int
    output: int
    rejected: int
    errors: int
    busy: float
    batches: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    buckets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unmatched: int = 0
    uncommitted_input: int = 0
    uncommitted_output: int = 0
    uncommitted_busy: float = 0.0
    created: int = 0
    least: float | None = None
    most: float | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: OperatorMetrics, workers: int = 1) -> OperatorTotals:
        """Return the totals of a row that is added up over workers already.

        Args:
            row: as `rollup.over_workers` returns it.
            workers: distinct workers that reported.
        """
        pairs = np.array(sorted(row.weighed_histogram().to_pairs()), np.int64).reshape(-1, 2)
        return cls(
            stage=row.stage_name,
            name=row.operator_name,
            stage_index=row.stage_index,
            index=row.operator_index,
            workers=workers,
            input=row.input_records,
            output=row.output_records,
            rejected=row.rejected_records,
            errors=row.error_count,
            busy=row.total_time,
            batches=row.batches,
            reasons=_by_count(row.rejected_reasons),
            buckets=pairs[:, 0],
            counts=pairs[:, 1],
            unmatched=row.unmatched_records,
            uncommitted_input=row.uncommitted_input_records,
            uncommitted_output=row.uncommitted_output_records,
            uncommitted_busy=row.uncommitted_time,
            created=row.created_records,
            least=row.min_latency,
            most=row.max_latency,
            custom=row.custom_metrics,
        )

    @property
    def label(self) -> str:
        """`stage / operator`: distinct in the run."""
        return f"{self.stage} / {self.name}"

    @property
    def cost(self) -> float | None:
        """Seconds per record that came in; None where nothing did."""
        return self.busy / self.input if self.input else None

    @property
    def pass_share(self) -> float | None:
        """Output / input, over 1 where records are created; None where nothing came in."""
        return self.output / self.input if self.input else None

    @property
    def rate(self) -> float | None:
        """Records per second busy of one worker, in the mean; None where none was busy."""
        return per_second(self.input, self.busy)

    @property
    def top_reason(self) -> str:
        """Most frequent reason of its rejects, in words."""
        return top_reason(self.reasons, self.rejected)

    def latency(self, q: float) -> float | None:
        """Return the quantile `q` of seconds per record, within those of any batch; None without any."""
        return bounded_quantile(self.histogram, q, self.least, self.most)

    @cached_property
    def histogram(self) -> LatencyHistogram:
        """Seconds per record, weighted by records."""
        return LatencyHistogram.from_pairs(zip(self.buckets.tolist(), self.counts.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class StageTotals:
    """One stage over all its workers.

    Attributes:
        name, index: which, and its place in the plan.
        operators: in order; one at least.
        workers: those that reported, by id; empty where single workers are not known.
        pool: size of its pool: as configured where it is fixed, else the workers that were seen.
        num_workers: distinct workers that reported.
    """

    name: str
    index: int
    operators: tuple[OperatorTotals, ...]
    workers: tuple[WorkerTotals, ...]
    pool: int
    num_workers: int

    @property
    def workers_text(self) -> str:
        """How many workers reported, and of how many where that is not all: `2 of 4 workers`."""
        if self.num_workers < self.pool:
            return f"{count(self.num_workers)} of {plural(self.pool, 'worker')}"
        return plural(self.num_workers, "worker")

    @property
    def input(self) -> int:
        """Records that came in to its first operator."""
        return self.operators[0].input

    @property
    def output(self) -> int:
        """Records that its last operator passed on."""
        return self.operators[-1].output

    @property
    def rejected(self) -> int:
        """Records rejected, over all operators."""
        return sum(operator.rejected for operator in self.operators)

    @property
    def errors(self) -> int:
        """Records that raised and were set aside, over all operators."""
        return sum(operator.errors for operator in self.operators)

    @property
    def created(self) -> int:
        """Records made beside those that came in, over all operators."""
        return sum(operator.created for operator in self.operators)

    @property
    def pass_share(self) -> float | None:
        """Output / input, over 1 where records are created; None where nothing came in."""
        return self.output / self.input if self.input else None

    @property
    def busy(self) -> float:
        """Seconds busy, over all operators and workers."""
        return sum(operator.busy for operator in self.operators)

    @property
    def rate(self) -> float | None:
        """Records per second busy of one worker, in the mean; None where none was busy."""
        return per_second(self.input, self.busy)


def stages_of(operators: pa.Table, pools: Mapping[str, int] | None = None) -> tuple[StageTotals, ...]:
    """Add up the operator rows of one run.

    Args:
        operators: rows of the table `operators`, one for each worker.
        pools: stage → workers, where the size of its pool is known.

    Returns:
        The stages in plan order; rows of old files that know no order keep the order in which they come.
    """
    instances: dict[tuple[str, str], list[int]] = {}
    plain = operators.drop_columns([name for name in ("latency_histogram",) if name in operators.column_names])
    rows = plain.to_pylist()
    for at, row in enumerate(rows):
        instances.setdefault((row["stage_name"], row["operator_name"]), []).append(at)
    histograms = _Histograms(operators)
    merged: dict[str, list[OperatorTotals]] = {}
    for (stage, _), places in instances.items():
        merged.setdefault(stage, []).append(_merged([rows[at] for at in places], *histograms.added(places)))
    found = []
    for appearance, (name, own) in enumerate(merged.items()):
        own.sort(key=lambda operator: operator.index)
        busiest = max(own, key=lambda operator: operator.busy).name
        mine = [(at, row) for at, row in enumerate(rows) if row["stage_name"] == name]
        workers = _workers(mine, own[0].name, busiest, histograms)
        pool = (pools or {}).get(name, 0) or len(workers)
        index = own[0].stage_index if own[0].stage_index >= 0 else appearance
        found.append(StageTotals(name, index, tuple(own), workers, pool, len(workers)))
    return tuple(sorted(found, key=lambda stage: stage.index))


def _merged(
    rows: list[dict[str, Any]], buckets: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> OperatorTotals:
    first = rows[0]
    reasons: Counter[str] = Counter()
    custom: dict[str, Any] = {}
    for row in rows:
        reasons.update(json.loads(row["rejected_reasons"] or "{}"))
        if row["custom_metrics"]:
            add_numbers(custom, json.loads(row["custom_metrics"]))
    total = {name: sum(row.get(name) or 0 for row in rows) for name in _COUNTS}
    return OperatorTotals(
        stage=first["stage_name"],
        name=first["operator_name"],
        stage_index=-1 if first["stage_index"] is None else first["stage_index"],
        index=first["operator_index"] or 0,
        workers=len({row["worker_id"] for row in rows}),
        input=total["input_records"],
        output=total["output_records"],
        rejected=total["rejected_records"],
        errors=total["error_count"],
        busy=sum(row["total_time"] or 0.0 for row in rows),
        batches=total["batches"],
        reasons=_by_count(reasons),
        buckets=buckets,
        counts=counts,
        unmatched=total["unmatched_records"],
        uncommitted_input=sum(row["uncommitted_input_records"] or 0 for row in rows),
        uncommitted_output=sum(row["uncommitted_output_records"] or 0 for row in rows),
        uncommitted_busy=sum(row["uncommitted_time"] or 0.0 for row in rows),
        created=total["created_records"],
        least=functools.reduce(least, (row["min_latency"] for row in rows)),
        most=functools.reduce(most, (row["max_latency"] for row in rows)),
        custom=custom,
    )


def _by_count(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return reasons, the most frequent first; of equals the first by name."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def _workers(
    rows: list[tuple[int, dict[str, Any]]], first_operator: str, busiest: str, histograms: _Histograms
) -> tuple[WorkerTotals, ...]:
    own: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for at, row in rows:
        own.setdefault(row["worker_id"], []).append((at, row))
    found = []
    for worker, placed in sorted(own.items()):
        mine = [row for _, row in placed]
        first = [row for row in mine if row["operator_name"] == first_operator]
        median = next((row["p50_latency"] for row in mine if row["operator_name"] == busiest), None)
        buckets, counts = histograms.added([at for at, row in placed if row["operator_name"] == busiest])
        found.append(
            WorkerTotals(
                worker,
                sum(row["input_records"] or 0 for row in first),
                sum(row["total_time"] or 0.0 for row in mine),
                max((row["batches"] or 0) for row in mine),
                median,
                sum(row.get("input_bytes") or 0 for row in first),
                buckets,
                counts,
            )
        )
    return tuple(found)


class _Histograms:
    """The histograms of all rows as flat arrays, so that those of an operator add up without a loop over buckets."""

    def __init__(self, operators: pa.Table) -> None:
        column = operators["latency_histogram"].combine_chunks().fill_null([])
        if isinstance(column, pa.ChunkedArray):  # no chunk at all
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        self._ends = np.concatenate([[0], np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))]).astype(int)
        pairs = column.flatten()
        self._buckets = pairs.field("bucket").to_numpy(zero_copy_only=False).astype(np.int64)
        self._counts = pairs.field("count").to_numpy(zero_copy_only=False).astype(np.int64)
        self._at_mean = self._without(operators)

    def _without(self, operators: pa.Table) -> dict[int, tuple[int, int]]:
        """Return bucket and records of rows made by hand, without a histogram: all records at their mean."""
        found = {}
        for at in np.flatnonzero(np.diff(self._ends) == 0).tolist():
            records, mean = operators["input_records"][at].as_py(), operators["avg_latency"][at].as_py()
            if records:
                found[at] = bucket_of(mean or 0.0), records
        return found

    def added(self, rows: list[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Sorted buckets and their counts, over some rows."""
        chosen = [slice(self._ends[row], self._ends[row + 1]) for row in rows]
        at_mean = [self._at_mean[row] for row in rows if row in self._at_mean]
        given = [*(self._buckets[part] for part in chosen), np.array([bucket for bucket, _ in at_mean], np.int64)]
        weights = [*(self._counts[part] for part in chosen), np.array([records for _, records in at_mean], np.int64)]
        buckets, inverse = np.unique(np.concatenate(given), return_inverse=True)
        counts = np.zeros(len(buckets), np.int64)
        np.add.at(counts, inverse, np.concatenate(weights))
        return buckets, counts
