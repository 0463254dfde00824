"""The machines under a run: what each of them does, sampled at intervals. See the README of the metrics.

What asks the operating system (`machine`, `cgroup`, `gpu`) is loaded for sampling only, not for reading or writing.
"""

from mega_data_factory.framework.metrics.nodes.buffer import NodeBuffer
from mega_data_factory.framework.metrics.nodes.models import NodeMetrics

__all__ = ["NodeBuffer", "NodeMetrics"]
