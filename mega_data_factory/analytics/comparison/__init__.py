"""Comparison of runs: what differs, how sure that is, and what the difference is made of."""

from mega_data_factory.analytics.comparison.differences import Comparison, OperatorDifference, most_changed
from mega_data_factory.analytics.comparison.runs import compare

__all__ = ["Comparison", "OperatorDifference", "compare", "most_changed"]
