"""State of an operator row, in slots: a run has thousands of rows, and each may take a kilobyte."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from operator import add, attrgetter
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from mega_data_factory.framework.metrics.rows.fields import Derived, add_numbers, as_columns, known_sum
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.reasons import bounded

T = TypeVar("T")

Pairs: TypeAlias = tuple[Any, ...]
"""A small dict as a tuple: key, value, key, value. It takes less than half, and copies may share it."""


class Measured(Derived[T]):
    """A derived field that is also state: if measured, it is kept in the slot `_name`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def _given(self, row: Any) -> T | None:
        given: T | None = getattr(row, self._slot)
        return given

    def __set__(self, row: object, value: T | None) -> None:
        setattr(row, self._slot, value)


class Packed(Generic[T]):
    """A field that holds a small dict, kept as `Pairs` in the slot `_name`.

    Reading makes a dict, which is the reader's own: to change the field, set it.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    @overload
    def __get__(self, row: None, owner: type) -> None: ...

    @overload
    def __get__(self, row: object, owner: type) -> dict[str, T]: ...

    def __get__(self, row: object | None, owner: type) -> dict[str, T] | None:
        return None if row is None else unpacked(getattr(row, self._slot))

    def __set__(self, row: object, value: Mapping[str, T] | None) -> None:
        setattr(row, self._slot, packed(value) if value else ())


UnitCounts: TypeAlias = tuple[int | None, ...]
"""Bytes in memory of the input; bytes of text in and out; tokens in and out; changed records. None for what was not
counted; or `()`."""


class Unit(Generic[T]):
    """A field that holds a count of some unit, kept with the others as `UnitCounts` in the slot `_units`.

    Args:
        at: its place there.
        unknown: its value where it was not counted.
    """

    def __init__(self, at: int, unknown: T) -> None:
        self._at = at
        self._unknown = unknown

    @overload
    def __get__(self, row: None, owner: type) -> None: ...

    @overload
    def __get__(self, row: object, owner: type) -> T: ...

    def __get__(self, row: Any | None, owner: type) -> T | None:
        if row is None:
            return None  # what `dataclass` takes as the default
        value: T | None = row._units[self._at] if row._units else None
        return self._unknown if value is None else value

    def __set__(self, row: Any, value: T | None) -> None:
        before: UnitCounts = getattr(row, "_units", ())
        if not before and value is None:
            row._units = ()
            return
        counts: list[Any] = list(before or _NO_UNITS)
        counts[self._at] = value
        row._units = tuple(counts)


_NO_UNITS: UnitCounts = (None,) * 6


def with_units(counts: UnitCounts, more: UnitCounts) -> UnitCounts:
    """Return counts of units with others added to them."""
    if not counts or not more:
        return counts or more
    return tuple(map(known_sum, counts, more))


def packed(values: Mapping[str, Any]) -> Pairs:
    """Return a dict as pairs."""
    return tuple(chain.from_iterable(values.items()))


def unpacked(pairs: Pairs) -> dict[str, Any]:
    """Return pairs as a dict."""
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def with_numbers(pairs: Pairs, more: Mapping[str, Any]) -> Pairs:
    """Return the pairs with a dict added to them, as `add_numbers` does."""
    if not pairs:
        return packed(more)
    values = unpacked(pairs)
    add_numbers(values, more)
    return packed(values)


def with_counts(pairs: Pairs, more: Pairs) -> Pairs:
    """Return pairs of counts by reason with others added to them."""
    if pairs[::2] == more[::2]:  # as nearly always: the reasons of one operator
        counts = list(pairs)
        counts[1::2] = map(add, pairs[1::2], more[1::2])
        return tuple(counts)
    return with_reasons(pairs, unpacked(more)) if pairs else more


def with_reasons(pairs: Pairs, more: Mapping[str, int]) -> Pairs:
    """Return pairs of counts by reason with a dict added to them; see `bounded`."""
    values = unpacked(pairs)
    for name, count in more.items():
        values[name] = values.get(name, 0) + count
    return packed(bounded(values))


class OperatorState:
    """The storage of `OperatorMetrics`, below its fields.

    Attributes:
        _given: derived values that were given, and uncommitted numbers, both of which are rare; None without any.
        _rejected_records, _min_latency, _max_latency: None until measured or given.
    """

    __slots__ = (
        "_custom_metrics",
        "_given",
        "_max_latency",
        "_min_latency",
        "_rejected_reasons",
        "_rejected_records",
        "_units",
        "batches",
        "cpu_time",
        "created_records",
        "error_count",
        "input_records",
        "latency_histogram",
        "operator_index",
        "operator_name",
        "output_records",
        "run_id",
        "stage_index",
        "stage_name",
        "timestamp",
        "total_time",
        "unmatched_records",
        "worker_id",
    )
    _custom_metrics: Pairs
    _given: Mapping[str, Any] | None
    _max_latency: float | None
    _min_latency: float | None
    _rejected_reasons: Pairs
    _rejected_records: int | None
    _units: UnitCounts
    batches: int
    cpu_time: float
    created_records: int
    error_count: int
    input_records: int
    latency_histogram: LatencyHistogram
    operator_index: int
    operator_name: str
    output_records: int
    run_id: str
    stage_index: int
    stage_name: str
    timestamp: datetime
    total_time: float
    unmatched_records: int
    worker_id: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Key of the row: (run, stage, operator, worker)."""
        return self.run_id, self.stage_name, self.operator_name, self.worker_id

    def _take_over(self, other: OperatorState) -> None:
        """Become a copy of another row that shares nothing with it that can change."""
        self.run_id = other.run_id
        self.stage_name = other.stage_name
        self.operator_name = other.operator_name
        self.worker_id = other.worker_id
        self.timestamp = other.timestamp
        self.input_records = other.input_records
        self.output_records = other.output_records
        self.total_time = other.total_time
        self.cpu_time = other.cpu_time
        self.error_count = other.error_count
        self.unmatched_records = other.unmatched_records
        self.created_records = other.created_records
        self.stage_index = other.stage_index
        self.operator_index = other.operator_index
        self.batches = other.batches
        self.latency_histogram = other.latency_histogram.copy()
        self._units = other._units
        self._given = other._given
        self._rejected_records = other._rejected_records
        self._min_latency = other._min_latency
        self._max_latency = other._max_latency
        self._custom_metrics = other._custom_metrics
        self._rejected_reasons = other._rejected_reasons

    def to_dict(self) -> dict[str, Any]:
        """Return the columns of the row as a dict, of which `OperatorMetrics.from_dict` makes the row again.

        `custom_metrics` and `rejected_reasons` are dicts, `latency_histogram` is a list of bucket and count: as
        `MetricsWriter.read_operator_metrics` gives them.
        """
        histogram = [{"bucket": bucket, "count": count} for bucket, count in self.latency_histogram.to_pairs()]
        return {**as_columns(self), "latency_histogram": histogram}

    def to_wire(self) -> dict[str, Any]:
        """Return the state in few bytes, ready for JSON (as far as the custom metrics are), to travel in a batch."""
        wire: dict[str, Any] = {"k": self.key, "t": self.timestamp.isoformat(), "s": self.total_time}
        wire["c"] = _counts(self)
        if self.cpu_time:
            wire["p"] = self.cpu_time
        if self._units:
            wire["b"] = self._units
        if self.latency_histogram:
            wire["h"] = self.latency_histogram.to_pairs()
        given = {name: value for name, value in zip(_MEASURED, _measured(self), strict=True) if value is not None}
        if given or self._given:
            wire["g"] = {**given, **(self._given or {})}
        if self._rejected_reasons:
            wire["r"] = unpacked(self._rejected_reasons)
        if self._custom_metrics:
            wire["u"] = unpacked(self._custom_metrics)
        if self.unmatched_records:
            wire["n"] = self.unmatched_records
        if self.created_records:
            wire["m"] = self.created_records
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Return the row that `to_wire` was called on."""
        row = object.__new__(cls)
        row.run_id, row.stage_name, row.operator_name, row.worker_id = map(sys.intern, wire["k"])  # all rows have these
        row.timestamp = datetime.fromisoformat(wire["t"])
        row.total_time = wire["s"]
        row.input_records, row.output_records, row.error_count, row.batches, *place = wire["c"]
        row.stage_index, row.operator_index = place
        row.cpu_time = wire.get("p", 0.0)
        units = tuple(wire.get("b", ()))
        row._units = units and (*units, *_NO_UNITS[len(units) :])
        row.latency_histogram = LatencyHistogram(dict(wire.get("h", ())))
        given = dict(wire.get("g", ()))
        row._min_latency, row._max_latency, row._rejected_records = (given.pop(name, None) for name in _MEASURED)
        row._given = given or None
        row._rejected_reasons = packed({sys.intern(name): count for name, count in wire.get("r", {}).items()})
        row._custom_metrics = packed(wire.get("u", {}))
        row.unmatched_records = wire.get("n", 0)
        row.created_records = wire.get("m", 0)
        return row


_COUNTS = ("input_records", "output_records", "error_count", "batches", "stage_index", "operator_index")
_MEASURED = ("min_latency", "max_latency", "rejected_records")
_counts = attrgetter(*_COUNTS)
_measured = attrgetter(*(f"_{name}" for name in _MEASURED))
