"""The machines under a run: what each of them does, sampled at intervals. See the README of the metrics."""

from mega_data_factory.framework.metrics.nodes.models import NodeMetrics

__all__ = ["NodeMetrics"]
