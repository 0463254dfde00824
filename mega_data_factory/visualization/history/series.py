"""One metric of one node over time, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
"""Microseconds since 1970-01-01 UTC, shape (n,)."""

Floats = npt.NDArray[np.float64]
"""Values, shape (n,); NaN where nothing was measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows in order of time, each at a time of its own: measured points and, further back, buckets of many points.

    Attributes:
        timestamps: int64 (n,), microseconds since epoch UTC, strictly increasing; of a bucket, where it begins.
        values: float64 (n,): the value of a point, the mean of a bucket. NaN: nothing was measured.
        minimum: float64 (n,): least value of the bucket; of points the same array as `values`.
        maximum: float64 (n,): greatest value of the bucket; of points the same array as `values`.
        interval: int64 (n,): width of the bucket in microseconds, 0 for a measured point.
        points: float64 (n,): measured values in the row; the weight of its mean. 0 where the value is NaN.
    """

    timestamps: Times
    values: Floats
    minimum: Floats
    maximum: Floats
    interval: Times
    points: Floats

    @classmethod
    def of_points(cls, timestamps: Times, values: Floats) -> Series:
        """The series of measured points that are sorted already; takes no memory beyond the two arrays and weights."""
        weights = (~np.isnan(values)).astype(np.float64)
        return cls(timestamps, values, values, values, np.broadcast_to(np.int64(0), timestamps.shape), weights)

    @classmethod
    def empty(cls) -> Series:
        """The series of nothing."""
        return cls.of_points(np.empty(0, np.int64), np.empty(0, np.float64))

    def __len__(self) -> int:
        return len(self.timestamps)

    def __getitem__(self, rows: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Series:
        """The series of these rows, which must be in increasing order."""
        return Series(*(getattr(self, field.name)[rows] for field in fields(self)))

    def known(self) -> Series:
        """Without the rows in which nothing was measured."""
        return self[self.points > 0]
