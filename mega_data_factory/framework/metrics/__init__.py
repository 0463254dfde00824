"""Exactly-once metrics of a run on three levels: collect, merge, write as Parquet, read back. See README.md."""

from mega_data_factory.framework.metrics.aggregator import MetricsAggregator
from mega_data_factory.framework.metrics.collector import MetricsCollector
from mega_data_factory.framework.metrics.flusher import MetricsFlusher
from mega_data_factory.framework.metrics.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics, books_difference
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.framework.metrics.samples import IntervalSampler, SampleMetrics
from mega_data_factory.framework.metrics.writer import MetricsWriter

__all__ = [
    "IntervalSampler",
    "LatencyHistogram",
    "MetricsAggregator",
    "MetricsCollector",
    "MetricsFlusher",
    "MetricsReader",
    "MetricsWriter",
    "OperatorMetrics",
    "RunMetrics",
    "SampleMetrics",
    "StageMetrics",
    "books_difference",
]
