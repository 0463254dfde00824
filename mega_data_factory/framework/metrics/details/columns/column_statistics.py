"""Statistics of one column of the output: nulls, distinct values, quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from mega_data_factory.framework.metrics.details.columns.distinct_count import STANDARD_ERROR, DistinctCount
from mega_data_factory.framework.metrics.details.columns.value_histogram import ValueHistogram
from mega_data_factory.framework.metrics.details.detail import Detail

QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
"""Column of the table → share of the values that it does not exceed."""


@dataclass(eq=False)
class ColumnStatistics(Detail):
    """Statistics of one column. The same rows give the same statistics, in whatever parts and order they came.

    Attributes:
        column: Name of the column; of a field of a struct `struct.field`.
        type: Arrow's name of its type; columns of one name and two types have two statistics.
        kind: What the numbers are: `number` (values), `time` (seconds since 1970), `text` (characters), `binary`
            (bytes), `list` (items), `boolean` or `other` (none).
        position: Place of the column in the output, from 0.
        records: Records.
        nulls: Records without a value.
        not_finite: Values that are NaN or infinite; they are in no other number.
        true_values: Of a boolean column, the values that are true.
        minimum: Least number; None if there is none.
        maximum: Largest number.
        values: Histogram of the numbers.
        distinct: Count of distinct values; None if they are not counted (`list`, `other`).
    """

    column: str
    type: str
    kind: str
    position: int
    records: int = 0
    nulls: int = 0
    not_finite: int = 0
    true_values: int = 0
    minimum: float | None = None
    maximum: float | None = None
    values: ValueHistogram = field(default_factory=ValueHistogram)
    distinct: DistinctCount | None = None

    table: ClassVar[str] = "columns"
    most_keys: ClassVar[int | None] = 1000  # objects with keys of their own in every file make ever more columns

    @property
    def key(self) -> tuple[str, ...]:
        """Name and type of the column."""
        return self.column, self.type

    def add(self, other: Self) -> None:
        """Add the statistics of other records of the same column."""
        self.position = min(self.position, other.position)
        self.records += other.records
        self.nulls += other.nulls
        self.not_finite += other.not_finite
        self.true_values += other.true_values
        self.minimum = min((v for v in (self.minimum, other.minimum) if v is not None), default=None)
        self.maximum = max((v for v in (self.maximum, other.maximum) if v is not None), default=None)
        self.values.add(other.values)
        if other.distinct is not None:
            self.distinct = self.distinct or DistinctCount()
            self.distinct.add(other.distinct)

    def to_wire(self) -> list[Any]:
        """Return JSON values."""
        distinct = None if self.distinct is None else self.distinct.to_wire()
        counts = [self.records, self.nulls, self.not_finite, self.true_values]
        names = [self.column, self.type, self.kind, self.position]
        return [names, counts, [self.minimum, self.maximum], self.values.to_wire(), distinct]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the statistics of which `to_wire` made `values`."""
        (column, kind_of_arrow, kind, position), counts, (minimum, maximum), histogram, distinct = values
        found = cls(column, kind_of_arrow, kind, position)
        found.records, found.nulls, found.not_finite, found.true_values = counts
        found.minimum, found.maximum = minimum, maximum
        found.values = ValueHistogram.from_wire(histogram)
        found.distinct = None if distinct is None else DistinctCount.from_wire(distinct)
        return found

    def rows(self, run_id: str, timestamp: datetime) -> Iterator[Mapping[str, object]]:
        """Yield the one row of the column."""
        known = self.records - self.nulls
        distinct = None if self.distinct is None else min(self.distinct.estimate, known)
        yield {
            "run_id": run_id,
            "timestamp": timestamp,
            "column_name": self.column,
            "column_type": self.type,
            "column_index": self.position,
            "kind": self.kind,
            "records": self.records,
            "nulls": self.nulls,
            "not_finite": self.not_finite,
            "true_values": self.true_values if self.kind == "boolean" else None,
            "distinct_values": distinct,
            "distinct_error": None if distinct is None else STANDARD_ERROR,
            "minimum": self.minimum,
            "maximum": self.maximum,
            **{name: self._quantile(share) for name, share in QUANTILES.items()},
            "quantile_error": self.values.relative_width if self.values.total else None,
            "dropped_bits": self.values.dropped_bits,
            "value_histogram": [
                {"bucket": bucket, "count": count}
                for bucket, count in zip(self.values.buckets.tolist(), self.values.counts.tolist(), strict=True)
            ],
        }

    def _quantile(self, share: float) -> float | None:
        """Return a quantile; none is below the least or above the largest number."""
        found = self.values.quantile(share)
        if found is None or self.minimum is None or self.maximum is None:
            return None
        return min(max(found, self.minimum), self.maximum)
