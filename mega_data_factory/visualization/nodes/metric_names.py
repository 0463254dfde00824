"""The metrics of nodes that are known by name: what each is called, its unit, and which belong on one axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mega_data_factory import formats
from mega_data_factory.formats import Unit

PARTITION_COUNT = "partition_count"
PARTITIONS = "partitions"
"""Attribute that lists what `partition_count` counts."""

STATUS = "status"
STATUS_CODES = {"active": 0.0, "degraded": 1.0, "unhealthy": 2.0}
"""Numbers for the words of `status` in a series; a larger one is worse."""


@dataclass(frozen=True)
class MetricName:
    """A metric as it is shown.

    Attributes:
        key: its key in `add_metrics`.
        title: in legends; short.
        unit: of its values.
        group: title of the row of a plot that it shares with others of its unit.
    """

    key: str
    title: str
    unit: Unit
    group: str


_KNOWN = (
    MetricName("cpu_usage", "CPU", formats.PERCENT, "Resources"),
    MetricName("memory_usage", "memory", formats.PERCENT, "Resources"),
    MetricName("disk_usage", "disk", formats.PERCENT, "Resources"),
    MetricName("gpu_usage", "GPU", formats.PERCENT, "GPU"),
    MetricName("gpu_memory_usage", "GPU memory", formats.PERCENT, "GPU"),
    MetricName("network_io", "network", formats.BYTES_PER_SECOND, "Network and disk"),
    MetricName("disk_io", "disk I/O", formats.BYTES_PER_SECOND, "Network and disk"),
    MetricName("iops", "IOPS", formats.OPERATIONS_PER_SECOND, "Operations"),
    MetricName(PARTITION_COUNT, "partitions", formats.COUNT, "Partitions"),
    MetricName("object_store_memory", "object store", formats.BYTES, "Object store"),
    MetricName(STATUS, "status", formats.COUNT, "Status"),
)
KNOWN = {name.key: name for name in _KNOWN}


def metric_name(key: str) -> MetricName:
    """Return how a metric is shown; an unknown one gets its key as title and a row of its own."""
    return KNOWN.get(key) or MetricName(key, key, formats.PLAIN, key)


def in_order(keys: Iterable[str]) -> list[str]:
    """Return known metrics first, in the order of their rows; then the others, sorted."""
    rank = {key: at for at, key in enumerate(KNOWN)}
    return sorted(keys, key=lambda key: (rank.get(key, len(rank)), key))


def status_word(code: float) -> str:
    """Return `active`, `degraded` or `unhealthy`; of a mean over some time, the nearest one that is not better."""
    words = list(STATUS_CODES)
    return words[min(max(-int(-code // 1), 0), len(words) - 1)]
