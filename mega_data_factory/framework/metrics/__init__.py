"""Exactly-once metrics of a run on three levels: collect, merge, write as Parquet, read back. See README.md.

Names are loaded when they are asked for (PEP 562): a worker that measures needs neither Parquet nor a reader.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.aggregator import MetricsAggregator
    from mega_data_factory.framework.metrics.collector import MetricsCollector
    from mega_data_factory.framework.metrics.live.flusher import MetricsFlusher
    from mega_data_factory.framework.metrics.live.intervals import IntervalSampler
    from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics, unbalanced_records
    from mega_data_factory.framework.metrics.nodes import NodeBuffer, NodeMetrics
    from mega_data_factory.framework.metrics.reader import MetricsReader
    from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
    from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
    from mega_data_factory.framework.metrics.store.reading.percentiles import latency_percentiles
    from mega_data_factory.framework.metrics.upkeep.compaction import compact
    from mega_data_factory.framework.metrics.upkeep.retention import Retention, prune
    from mega_data_factory.framework.metrics.writer import MetricsWriter

__all__ = [
    "IntervalSampler",
    "LatencyHistogram",
    "MetricsAggregator",
    "MetricsCollector",
    "MetricsFlusher",
    "MetricsReader",
    "MetricsWriter",
    "NodeBuffer",
    "NodeMetrics",
    "OperatorMetrics",
    "Retention",
    "RunMetrics",
    "SampleMetrics",
    "StageMetrics",
    "compact",
    "latency_percentiles",
    "prune",
    "unbalanced_records",
]

_HOMES = {
    "aggregator": ("MetricsAggregator",),
    "collector": ("MetricsCollector",),
    "live.flusher": ("MetricsFlusher",),
    "rows.histogram": ("LatencyHistogram",),
    "models": ("OperatorMetrics", "RunMetrics", "StageMetrics", "unbalanced_records"),
    "nodes": ("NodeBuffer", "NodeMetrics"),
    "reader": ("MetricsReader",),
    "live.intervals": ("IntervalSampler",),
    "rows.interval": ("SampleMetrics",),
    "upkeep.compaction": ("compact",),
    "store.reading.percentiles": ("latency_percentiles",),
    "upkeep.retention": ("Retention", "prune"),
    "writer": ("MetricsWriter",),
}
_HOME_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}
# Not in `__all__`: Ray is needed for the one, and the other is a view, which metrics know by name only.
_HOME_OF["DistributedMetricsAggregator"] = f"{__name__}.distributed"
_HOME_OF["MetricsReporter"] = "mega_data_factory.compat.reporter"


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
