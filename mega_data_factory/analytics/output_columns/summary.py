"""Statistics of the columns of a run's output, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics.details.columns.value_histogram import ValueHistogram
from mega_data_factory.framework.metrics.reader import MetricsReader

QUANTILES = ("p01", "p05", "p25", "p50", "p75", "p95", "p99")


@dataclass(frozen=True)
class ColumnSummary:
    """Statistics of one column of the output of a run.

    Attributes:
        name: column, or `struct.field`.
        type: Arrow's name of its type.
        kind: what the numbers are: `number`, `time`, `text`, `binary`, `list`, `boolean` or `other`.
        records: records written.
        nulls: of these, records without a value.
        not_finite: values that are NaN or infinite.
        true_values: of a boolean column, values that are true; None for others.
        distinct: distinct values, estimated; None if they are not counted.
        distinct_error: relative standard error of the estimate.
        minimum, maximum: least and largest number; None if there is none.
        quantiles: numbers by `p01` … `p99`; None if there are none.
        quantile_error: relative width of a bucket, which bounds the error of a quantile; 0 if they are exact.
        values: histogram of the numbers.
    """

    name: str
    type: str
    kind: str
    records: int
    nulls: int
    not_finite: int
    true_values: int | None
    distinct: int | None
    distinct_error: float | None
    minimum: float | None
    maximum: float | None
    quantiles: Mapping[str, float | None]
    quantile_error: float | None
    values: ValueHistogram

    @property
    def known(self) -> int:
        """Records with a value."""
        return self.records - self.nulls

    @property
    def null_share(self) -> float:
        """Share of the records without a value, 0 to 1; 0 of no records."""
        return self.nulls / self.records if self.records else 0.0

    @property
    def true_share(self) -> float | None:
        """Share of the values of a boolean column that are true, 0 to 1; None for other columns and without values."""
        return None if self.true_values is None or not self.known else self.true_values / self.known

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON, without the histogram."""
        return {
            "name": self.name,
            "type": self.type,
            "kind": self.kind,
            "records": self.records,
            "nulls": self.nulls,
            "null_share": self.null_share,
            "not_finite": self.not_finite,
            "true_share": self.true_share,
            "distinct": self.distinct,
            "distinct_error": self.distinct_error,
            "minimum": self.minimum,
            **self.quantiles,
            "maximum": self.maximum,
            "quantile_error": self.quantile_error,
        }


def column_statistics(reader: MetricsReader, run_id: str) -> list[ColumnSummary]:
    """Return the statistics of the columns of a run's output, in the order of the output; none if not measured.

    A file in which all values of a column are null may have no type for it: its records are part of the column of that
    name which has a type.

    Args:
        reader: the metrics.
        run_id: the whole id.

    Raises:
        MetricsError: the metrics cannot be read.
    """
    table = reader.details("columns", run_id)
    table = table.filter(pc.is_valid(table["column_name"]))  # a row of no column says nothing
    rows = table.drop_columns(["value_histogram"]).to_pylist()
    found = _with_untyped(
        [summary_of(row, _histogram(row, table["value_histogram"][place])) for place, row in enumerate(rows)]
    )
    order = {row["column_name"]: (row["column_index"] or 0, row["column_name"].count(".")) for row in rows}
    return sorted(found, key=lambda column: (*order[column.name], column.name))


def _with_untyped(columns: Sequence[ColumnSummary]) -> list[ColumnSummary]:
    """Return columns with the records of those without a type in the ones of their name; of several in the fullest."""
    typed = sorted((column for column in columns if column.type != "null"), key=lambda column: -column.known)
    fullest = {column.name: column for column in reversed(typed)}
    found = {(column.name, column.type): column for column in columns}
    for column in columns:
        if column.type == "null" and (full := fullest.get(column.name)) is not None:
            del found[column.name, column.type]
            found[full.name, full.type] = replace(
                full, records=full.records + column.records, nulls=full.nulls + column.nulls
            )
    return list(found.values())


def _histogram(row: Mapping[str, Any], entries: pa.ListScalar) -> ValueHistogram:
    if entries.values is None:
        return ValueHistogram()
    buckets, counts = (entries.values.field(name).to_numpy() for name in ("bucket", "count"))
    return ValueHistogram(row["dropped_bits"] or 0, buckets, counts)


def summary_of(row: Mapping[str, Any], values: ValueHistogram) -> ColumnSummary:
    """Return the statistics that a row of the table `columns` holds.

    Args:
        row: the row; its histogram is not looked at.
        values: the histogram.
    """
    return ColumnSummary(
        name=row["column_name"],
        type=row["column_type"],
        kind=row["kind"],
        records=row["records"],
        nulls=row["nulls"],
        not_finite=row["not_finite"],
        true_values=row["true_values"],
        distinct=row["distinct_values"],
        distinct_error=row["distinct_error"],
        minimum=row["minimum"],
        maximum=row["maximum"],
        quantiles={name: row[name] for name in QUANTILES},
        quantile_error=row["quantile_error"],
        values=values,
    )
