"""A number of records that is known within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mega_data_factory.formats import count


@dataclass(frozen=True)
class Estimate:
    """A number of records.

    Attributes:
        value: The best single number.
        low, high: Least and greatest number that the metrics allow.
    """

    value: float
    low: float
    high: float

    @classmethod
    def exactly(cls, records: float) -> Estimate:
        """Return a number that is known."""
        return cls(records, records, records)

    @classmethod
    def total(cls, parts: Iterable[Estimate]) -> Estimate:
        """Return the sum of numbers of disjoint records; 0 of none."""
        return sum(parts, start=cls.exactly(0))

    @property
    def is_exact(self) -> bool:
        """Whether there is only one number that it can be."""
        return self.high - self.low < 0.5

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high)

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, self.low - other.high, self.high - other.low)

    def within(self, least: float, most: float) -> Estimate:
        """Return the number with what is known beside it: that it is in a range."""
        return Estimate(*(min(max(number, least), most) for number in (self.value, self.low, self.high)))

    def as_dict(self) -> dict[str, int]:
        """Return whole numbers by name."""
        return {"value": round(self.value), "low": round(self.low), "high": round(self.high)}

    def __str__(self) -> str:
        if self.is_exact:
            return count(round(self.value))
        return f"{count(round(self.value))} ({count(round(self.low))} to {count(round(self.high))})"
