"""Comparison of runs: what differs, how sure that is, and what the difference is made of."""

from mega_data_factory.analytics.comparison.runs import (
    Comparison,
    OperatorDifference,
    compare,
    most_changed,
)

__all__ = ["Comparison", "OperatorDifference", "compare", "most_changed"]
