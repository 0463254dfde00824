"""Families of metrics: points that share a name, a kind and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Distribution:
    """The value of a histogram's point.

    Attributes:
        histogram: counts by bucket.
        total: sum of all values.
        minimum: the least value; None when there is none.
        maximum: the largest.
    """

    histogram: LatencyHistogram
    total: float
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class Point:
    """A value and what it is of."""

    labels: Mapping[str, str]
    value: float | Distribution


def flow_points(labels: Mapping[str, str], came: int | None, went: int | None) -> list[Point]:
    """Return a point for each direction whose count is known.

    Args:
        labels: of both points; `direction`, `in` or `out`, is added.
        came: records, bytes or tokens that came in.
        went: records, bytes or tokens that went out.
    """
    counts = (("in", came), ("out", went))
    return [Point({**labels, "direction": direction}, count) for direction, count in counts if count is not None]


@dataclass(frozen=True)
class Family:
    """Points that share a name.

    Attributes:
        name: with dots.
        kind: counters only grow while a process lives.
        unit: in UCUM; annotations in braces.
        help: one sentence.
        points: at most one for a set of labels.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    points: list[Point] = field(default_factory=list)


def seconds_since_epoch(moment: datetime | None) -> float | None:
    """Return a naive UTC time as Unix time; None for None."""
    return None if moment is None else moment.replace(tzinfo=UTC).timestamp()
