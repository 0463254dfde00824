"""Fields of a row: those that are columns, those derived unless they are given, and how rates and moments are made."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Derived(Generic[T]):
    """A field whose value follows from the others; one given in the constructor, or set later, is kept instead.

    Use it as the field's default. None stands for "derive it". The computation runs on every reading, so a row that
    is only counted and merged never pays for its percentiles. What was given is in the row's attribute `_given`.

    Args:
        compute: takes the row, gives the value.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, row: None, owner: type) -> None: ...

    @overload
    def __get__(self, row: object, owner: type) -> T: ...

    def __get__(self, row: object | None, owner: type) -> T | None:
        if row is None:
            return None  # what `dataclass` takes as the default
        given = self._given(row)
        return self._compute(row) if given is None else given

    def _given(self, row: Any) -> T | None:
        given: Mapping[str, Any] | None = row._given
        return given.get(self._name) if given else None

    def __set__(self, row: Any, value: T | None) -> None:
        # Replaced, never changed: copies of a row share it.
        given: Mapping[str, Any] | None = getattr(row, "_given", None)
        if value is not None:
            row._given = {**(given or {}), self._name: value}
        elif given is None or self._name in given:
            row._given = {name: other for name, other in given.items() if name != self._name} if given else None


_NO_COLUMN = "no column"


def parts() -> Any:
    """Return a field for the rows that a row is the sum of: a list, which is no column."""
    return field(default_factory=list, compare=False, repr=False, metadata={_NO_COLUMN: True})


def columns(kind: Any) -> tuple[Field[Any], ...]:
    """Return the fields of a row, or of its class, that are columns."""
    return tuple(each for each in fields(kind) if _NO_COLUMN not in each.metadata)


def as_columns(row: Any) -> dict[str, Any]:
    """Return a row as a dict of its columns."""
    return {column.name: getattr(row, column.name) for column in columns(row)}


def percent(part: int, whole: int) -> float | None:
    """Return `part` of `whole` in percent; None when there is no whole."""
    return 100.0 * part / whole if whole else None


def per_second(count: int, seconds: float) -> float | None:
    """Return `count` per second; None when there was nothing to count or no time was measured."""
    return count / seconds if count and seconds > 0 else None


def known_sum(a: int | None, b: int | None) -> int | None:
    """Return the sum of two counts; None stands for "not counted", and adds nothing."""
    return b if a is None else a if b is None else a + b


def least(a: float | None, b: float | None) -> float | None:
    """Return the lesser one; None stands for "no value yet"."""
    return b if a is None else a if b is None else min(a, b)


def most(a: float | None, b: float | None) -> float | None:
    """Return the greater one; None stands for "no value yet"."""
    return b if a is None else a if b is None else max(a, b)


def add_numbers(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add numbers; of other values (text, truth values, lists) the later wins."""
    for name, value in more.items():
        before, number = _number(into.get(name)), _number(value)
        into[name] = value if number is None else number if before is None else before + number


def _number(value: object) -> int | float | None:
    """Return a number, one of NumPy as Python's own, which cannot overflow; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else None
