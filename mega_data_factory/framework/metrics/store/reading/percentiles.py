"""Percentiles over any grouping of rows that have a latency histogram."""

# ruff: noqa: S608 - the macro is made of constants
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics.rows.histogram import BUCKETS_PER_DOUBLING, RELATIVE_ERROR, ZERO_BUCKET

QUANTILES = (0.50, 0.95, 0.99)

PERCENTILES_MACRO = f"""
CREATE OR REPLACE MACRO latency_percentiles(source, grouping) AS TABLE
WITH entries AS (
    SELECT grouping AS grouping_key, unnest(latency_histogram) AS entry FROM query('FROM ' || source)
), buckets AS (
    SELECT grouping_key, entry.bucket AS bucket, sum(entry.count) AS count FROM entries GROUP BY ALL
), ranked AS (
    SELECT grouping_key, power(2, (bucket + 1) / {BUCKETS_PER_DOUBLING}.0) * {1 - RELATIVE_ERROR!r} AS latency,
        sum(count) OVER (PARTITION BY grouping_key ORDER BY bucket) AS seen,
        sum(count) OVER (PARTITION BY grouping_key) AS total
    FROM buckets
)
SELECT grouping_key AS "grouping", max(total)::BIGINT AS records,
    min(latency) FILTER (seen >= ceil(0.50 * total - 1e-9)) AS p50_latency,
    min(latency) FILTER (seen >= ceil(0.95 * total - 1e-9)) AS p95_latency,
    min(latency) FILTER (seen >= ceil(0.99 * total - 1e-9)) AS p99_latency
FROM ranked GROUP BY grouping_key
"""
"""A DuckDB table macro: `latency_percentiles(source, grouping)`.

- `source`: the text behind FROM, with a column `latency_histogram`: the name of a view or of a common table
  expression, `'operators WHERE stage_name = ''clean'''`, or a query in parentheses.
- `grouping`: an expression over its columns; several as a struct, `{{operator: operator_name, week: date_trunc('week',
  timestamp)}}`, of which `SELECT grouping.*` makes columns again; `true` for everything as one.
- Columns of the answer: `grouping`, `records`, `p50_latency`, `p95_latency`, `p99_latency` (seconds per record). Their
  relative error is at most 0.54 %, however the rows were split. Groups without any histogram are left out.
"""


def latency_percentiles(rows: pa.Table, by: Sequence[str] = (), quantiles: Sequence[float] = QUANTILES) -> pa.Table:
    """Return percentiles of seconds per record over any grouping of operator rows or samples.

    Their relative error is at most 0.54 % for any distribution and any split of the rows: the histograms
    of a group are added, and the value of the rank `ceil(q · records)` is answered by its bucket. Rows without a
    histogram (of files of version 0) count for nothing.

    Args:
        rows: has the columns `by` and `latency_histogram`.
        by: columns that make a group; none for everything as one group.
        quantiles: between 0 and 1.

    Returns:
        A row per group that has a histogram, ordered by group, nulls last: the columns `by`, `records`, and a column
        `p{{100 · q}}_latency` for each quantile, in seconds.

    Raises:
        ValueError: a quantile is outside of 0 to 1.
    """
    if wrong := [q for q in quantiles if not 0 <= q <= 1]:
        raise ValueError(f"quantile {wrong[0]} is not between 0 and 1")
    buckets = _buckets(rows, by)
    names = [f"p{100 * q:g}_latency" for q in quantiles]
    if not buckets.num_rows:
        return _answer(rows, by, buckets.select(list(by)), np.zeros(0, np.int64), {name: np.zeros(0) for name in names})
    starts = _starts(buckets, by)
    counts = buckets.column("_count").to_numpy()
    seen = counts.cumsum()
    before = seen[starts] - counts[starts]
    totals = np.add.reduceat(counts, starts)
    bucket = buckets.column("_bucket").to_numpy()
    latency = np.where(
        bucket == ZERO_BUCKET, 0.0, 2.0 ** ((bucket.astype(float) + 1) / BUCKETS_PER_DOUBLING) * (1 - RELATIVE_ERROR)
    )
    ranks = {name: np.maximum(np.ceil(q * totals - 1e-9), 1) for name, q in zip(names, quantiles, strict=True)}
    answers = {name: latency[np.searchsorted(seen, before + rank)] for name, rank in ranks.items()}
    return _answer(rows, by, buckets.select(list(by)).take(starts), totals, answers)


def _buckets(rows: pa.Table, by: Sequence[str]) -> pa.Table:
    """Return records by group and bucket, `_count`, ordered by group and `_bucket`."""
    histograms = rows.column("latency_histogram").combine_chunks()
    entries = pc.list_flatten(histograms)
    row = pc.list_parent_indices(histograms)
    groups = {name: rows.column(name).take(row) for name in by}
    counts = {"_bucket": pc.struct_field(entries, "bucket"), "_count": pc.struct_field(entries, "count")}
    summed = pa.table(groups | counts).group_by([*by, "_bucket"]).aggregate([("_count", "sum")])
    summed = summed.select([*by, "_bucket", "_count_sum"]).rename_columns([*by, "_bucket", "_count"])
    return summed.sort_by([(name, "ascending") for name in [*by, "_bucket"]])


def _starts(ordered: pa.Table, by: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the first row of each group."""
    changed = np.zeros(ordered.num_rows, dtype=bool)
    changed[0] = True
    for name in by:
        column = ordered.column(name)
        left, right = column.slice(0, len(column) - 1), column.slice(1)
        other = pc.fill_null(pc.not_equal(left, right), False).to_numpy()
        changed[1:] |= other | (left.is_null().to_numpy() != right.is_null().to_numpy())
    return np.flatnonzero(changed)


def _answer(
    rows: pa.Table,
    by: Sequence[str],
    groups: pa.Table,
    records: npt.NDArray[np.int64],
    latencies: Mapping[str, npt.NDArray[np.float64]],
) -> pa.Table:
    columns = {name: groups.column(name) for name in by} | {"records": records, **latencies}
    fields = [rows.schema.field(name).remove_metadata() for name in by]
    fields += [pa.field("records", pa.int64()), *(pa.field(name, pa.float64()) for name in latencies)]
    return pa.table(columns, schema=pa.schema(fields))
