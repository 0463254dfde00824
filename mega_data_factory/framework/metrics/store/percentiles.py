"""Percentiles over any grouping of rows that have a latency histogram."""

# ruff: noqa: S608 - the macro is made of constants
from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

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

- `source`: what stands behind FROM, with a column `latency_histogram`, as text: the name of a view or of a common table
  expression, `'operators WHERE stage_name = ''clean'''`, or a query in parentheses.
- `grouping`: an expression over its columns; several as a struct, `{{operator: operator_name, week: date_trunc('week',
  timestamp)}}`, of which `SELECT grouping.*` makes columns again; `true` for everything as one.
- Columns of the answer: `grouping`, `records`, `p50_latency`, `p95_latency`, `p99_latency` (seconds per record). Their
  relative error is at most 0.54 %, however the rows were split. Groups without any histogram are left out.
"""


def latency_percentiles(rows: pa.Table, by: Sequence[str] = (), quantiles: Sequence[float] = QUANTILES) -> pa.Table:
    """Percentiles of seconds per record over any grouping of operator rows or samples.

    Their relative error is at most 0.54 % for any distribution and any split of the rows: the histograms
    of a group are added, and the value of the rank `ceil(q · records)` is answered by its bucket. Rows without a
    histogram (of files of version 0) count for nothing.

    Args:
        rows: has the columns `by` and `latency_histogram`.
        by: columns that make a group; none for everything as one group.
        quantiles: between 0 and 1.

    Returns:
        A row per group that has a histogram, ordered by group: the columns `by`, `records`, and a column
        `p{{100 · q}}_latency` for each quantile, in seconds.

    Raises:
        ValueError: a quantile is outside of 0 to 1.
    """
    if wrong := [q for q in quantiles if not 0 <= q <= 1]:
        raise ValueError(f"quantile {wrong[0]} is not between 0 and 1")
    names = [f"p{100 * q:g}_latency" for q in quantiles]
    keys = list(by) or ["_all"]
    frame = pl.DataFrame(pl.from_arrow(rows.select([*by, "latency_histogram"])))
    if not by:
        frame = frame.with_columns(pl.lit(0).alias("_all"))
    buckets = (
        frame.explode("latency_histogram")
        .with_columns(
            pl.col("latency_histogram").struct.field("bucket").alias("_bucket"),
            pl.col("latency_histogram").struct.field("count").alias("_count"),
        )
        .drop_nulls("_count")
        .group_by([*keys, "_bucket"])
        .agg(pl.col("_count").sum())
        .sort("_bucket")
    )
    exponent = (pl.col("_bucket").cast(pl.Float64) + 1) / BUCKETS_PER_DOUBLING
    latency = pl.when(pl.col("_bucket") == ZERO_BUCKET).then(0.0).otherwise(2.0**exponent * (1 - RELATIVE_ERROR))
    seen, total = pl.col("_count").cum_sum(), pl.col("_count").sum()
    answers = [
        latency.filter(seen >= (q * total - 1e-9).ceil()).first().alias(name)
        for q, name in zip(quantiles, names, strict=True)
    ]
    result = buckets.group_by(keys, maintain_order=True).agg(total.alias("records"), *answers).sort(keys)
    columns = pa.schema(
        [
            *(rows.schema.field(name).remove_metadata() for name in by),
            ("records", pa.int64()),
            *((name, pa.float64()) for name in names),
        ]
    )
    return result.select([*by, "records", *names]).to_arrow().cast(columns)
