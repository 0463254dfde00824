"""Add up the operator rows of one run over workers: to operators, workers and stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals, WorkerTotals
from mega_data_factory.framework.metrics.rows.histogram import bucket_of
from mega_data_factory.framework.metrics.rows.table_rollup import table_over_workers


def stages_of(operators: pa.Table, pools: Mapping[str, int] | None = None) -> tuple[StageTotals, ...]:
    """Add up the operator rows of one run.

    Args:
        operators: rows of the table `operators`, one for each worker.
        pools: stage → workers, where the size of its pool is known.

    Returns:
        The stages in plan order; rows of old files that know no order keep the order in which they come.
    """
    rows = _WorkerRows(operators)
    merged: dict[str, list[OperatorTotals]] = {}
    for row in table_over_workers(operators):
        instance = OperatorTotals.from_row(row, rows.workers[row.stage_name, row.operator_name])
        known = rows.knows_order[row.stage_name]
        merged.setdefault(row.stage_name, []).append(instance if known else replace(instance, stage_index=-1))
    found = []
    for appearance, (name, own) in enumerate(merged.items()):
        busiest = max(own, key=lambda operator: operator.busy).name
        workers = tuple(rows.of_stage(name, own[0].name, busiest))
        pool = (pools or {}).get(name, 0) or len(workers)
        index = own[0].stage_index if own[0].stage_index >= 0 else appearance
        found.append(StageTotals(name, index, tuple(own), workers, pool, len(workers)))
    return tuple(sorted(found, key=lambda stage: stage.index))


class _WorkerRows:
    """The operator rows of one run by stage and worker.

    Args:
        operators: rows of the table `operators`.

    Attributes:
        workers: distinct workers of each operator instance.
        knows_order: whether the first row of a stage says where the stage is in the plan.
    """

    def __init__(self, operators: pa.Table) -> None:
        self._histograms = _Histograms(operators)
        self._operator = operators["operator_name"].to_pylist()
        self._records = _numbers(operators, "input_records")
        self._busy = _numbers(operators, "total_time")
        self._batches = _numbers(operators, "batches")
        self._median = operators["p50_latency"].to_pylist()
        sizes = (_numbers(operators, name) for name in ("input_bytes", "input_text_bytes"))
        self._size = [memory or text for memory, text in zip(*sizes, strict=True)]
        self._places: dict[str, dict[str, list[int]]] = {}
        self.knows_order: dict[str, bool] = {}
        stages, ids = operators["stage_name"].to_pylist(), operators["worker_id"].to_pylist()
        ordered = operators["stage_index"].is_valid().to_pylist()
        distinct: dict[tuple[str, str], set[str]] = {}
        for at, (stage, operator, worker) in enumerate(zip(stages, self._operator, ids, strict=True)):
            self._places.setdefault(stage, {}).setdefault(worker, []).append(at)
            self.knows_order.setdefault(stage, ordered[at])
            distinct.setdefault((stage, operator), set()).add(worker)
        self.workers = {instance: len(workers) for instance, workers in distinct.items()}

    def of_stage(self, stage: str, first_operator: str, busiest: str) -> Iterator[WorkerTotals]:
        """Yield the workers of a stage, by id.

        Args:
            stage: the stage.
            first_operator: the operator whose input is that of the stage.
            busiest: the operator whose latencies are compared.
        """
        for worker, places in sorted(self._places[stage].items()):
            first = [at for at in places if self._operator[at] == first_operator]
            compared = [at for at in places if self._operator[at] == busiest]
            yield WorkerTotals(
                worker,
                sum(self._records[at] for at in first),
                sum(self._busy[at] for at in places),
                max(self._batches[at] for at in places),
                self._median[compared[0]] if compared else None,
                sum(self._size[at] for at in first),
                *self._histograms.added(compared),
            )


def _numbers(operators: pa.Table, name: str) -> list[Any]:
    """Return a column with 0 if it is null, or where the table lacks it."""
    if name not in operators.column_names:
        return [0] * len(operators)
    numbers: list[Any] = pc.fill_null(operators[name], 0).to_pylist()
    return numbers


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
        """Return sorted buckets and their counts, over some rows."""
        chosen = [slice(self._ends[row], self._ends[row + 1]) for row in rows]
        if len(rows) == 1 and rows[0] not in self._at_mean and (np.diff(self._buckets[chosen[0]]) > 0).all():
            return self._buckets[chosen[0]], self._counts[chosen[0]]  # as nearly always: nothing to add
        at_mean = [self._at_mean[row] for row in rows if row in self._at_mean]
        given = [*(self._buckets[part] for part in chosen), np.array([bucket for bucket, _ in at_mean], np.int64)]
        weights = [*(self._counts[part] for part in chosen), np.array([records for _, records in at_mean], np.int64)]
        buckets, inverse = np.unique(np.concatenate(given), return_inverse=True)
        counts = np.zeros(len(buckets), np.int64)
        np.add.at(counts, inverse, np.concatenate(weights))
        return buckets, counts
