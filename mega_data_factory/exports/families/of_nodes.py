"""Families of nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mega_data_factory.exports.families.family import seconds_since_epoch
from mega_data_factory.framework.metrics.nodes import NodeMetrics

NODE_STATUSES = ("active", "degraded", "unhealthy")


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


NODE_FAMILIES: Sequence[tuple[str, str, str, Callable[[NodeMetrics], float | None]]] = (
    ("mdf.node.cpu.usage", "1", "Share of CPU time in use.", lambda row: _share(row.cpu_usage)),
    ("mdf.node.cpu.run_usage", "1", "Share of CPU time that the run used.", lambda row: _share(row.run_cpu_usage)),
    ("mdf.node.memory.usage", "1", "Share of memory in use.", lambda row: _share(row.memory_usage)),
    ("mdf.node.disk.usage", "1", "Share in use of the fullest file system.", lambda row: _share(row.disk_usage)),
    ("mdf.node.gpu.usage", "1", "Share of time that GPU kernels ran.", lambda row: _share(row.gpu_usage)),
    ("mdf.node.gpu_memory.usage", "1", "Share of GPU memory in use.", lambda row: _share(row.gpu_memory_usage)),
    ("mdf.node.network.io", "By/s", "Bytes received and sent.", lambda row: row.network_io),
    ("mdf.node.disk.io", "By/s", "Bytes read and written.", lambda row: row.disk_io),
    ("mdf.node.disk.operations", "{operation}/s", "Reads and writes.", lambda row: row.iops),
    ("mdf.node.partitions", "{batch}", "Batches that workers of the node hold.", lambda row: row.partition_count),
    ("mdf.node.object_store", "By", "Bytes used of the object store.", lambda row: row.object_store_memory),
    ("mdf.node.timestamp", "s", "Unix time of the measurement.", lambda row: seconds_since_epoch(row.timestamp)),
)
