"""Add up the operator rows of one run over workers: to operators, workers and stages."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mega_data_factory.analytics.runs.totals import CHANGED, UNITS, OperatorTotals, StageTotals, WorkerTotals, by_count
from mega_data_factory.framework.metrics.rows.fields import add_numbers, known_sum, least, most
from mega_data_factory.framework.metrics.rows.histogram import bucket_of

_COUNTS = (
    "input_records",
    "output_records",
    "rejected_records",
    "error_count",
    "batches",
    "unmatched_records",
    "created_records",
)


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
        reasons=by_count(reasons),
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
        **{unit: functools.reduce(known_sum, (row.get(unit) for row in rows)) for unit in (*UNITS, CHANGED)},
        cpu=sum(row.get("cpu_time") or 0.0 for row in rows),
    )


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
                sum(row.get("input_bytes") or row.get("input_text_bytes") or 0 for row in first),
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
        """Return sorted buckets and their counts, over some rows."""
        chosen = [slice(self._ends[row], self._ends[row + 1]) for row in rows]
        at_mean = [self._at_mean[row] for row in rows if row in self._at_mean]
        given = [*(self._buckets[part] for part in chosen), np.array([bucket for bucket, _ in at_mean], np.int64)]
        weights = [*(self._counts[part] for part in chosen), np.array([records for _, records in at_mean], np.int64)]
        buckets, inverse = np.unique(np.concatenate(given), return_inverse=True)
        counts = np.zeros(len(buckets), np.int64)
        np.add.at(counts, inverse, np.concatenate(weights))
        return buckets, counts
