"""Columns of the output: what they are like in a run, and how they differ from those of another run."""

from mega_data_factory.analytics.output_columns.drift import ColumnDrift, column_drift
from mega_data_factory.analytics.output_columns.summary import ColumnSummary, column_statistics

__all__ = ["ColumnDrift", "ColumnSummary", "column_drift", "column_statistics"]
