"""Machines that had too little of something."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import percent, plural

_FULL = {"memory_usage": 92.0, "disk_usage": 92.0, "gpu_memory_usage": 97.0}
"""Percent at which each is nearly used up."""

_WHAT = {"memory_usage": "memory", "disk_usage": "disk", "gpu_memory_usage": "GPU memory"}

_COST = {
    "memory_usage": "Workers that run out of memory are killed, and their batches are retried.",
    "disk_usage": "The run fails when the disk is full.",
    "gpu_memory_usage": "A larger batch may not fit.",
}

_CURE = {
    "memory_usage": "Smaller batches (`executor.batch_size`), fewer workers per machine, or a larger machine.",
    "disk_usage": "Free some space, or write to another disk.",
    "gpu_memory_usage": "Smaller batches on the GPU.",
}

_OFTEN = 0.05
"""Share of all samples in which nodes have to be unhealthy before that is reported."""


def pressure(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield memory, disks and GPUs that were nearly full, and nodes that were not well."""
    nodes = recording.nodes
    if not len(nodes):
        return
    for column, limit in _FULL.items():
        if column not in nodes.column_names:
            continue
        full = nodes.filter(pc.greater_equal(nodes[column], limit))
        if not len(full):
            continue
        names = sorted(set(full["node_id"].to_pylist()))
        most = pc.max(full[column]).as_py()
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        yield Finding(
            "warning",
            f"node-{column}",
            f"{plural(len(names), 'node')} ran low on {_WHAT[column]} (peak {percent(most)})",
            f"{shown}: {percent(limit)} or more in {percent(100 * len(full) / len(nodes))} of the "
            f"node samples. {_COST[column]}",
            {"nodes": names, "most": most, "samples": len(full)},
            _CURE[column],
            "nodes",
        )
    yield from _unwell(recording)


def _unwell(recording: Recording) -> Iterator[Finding]:
    nodes = recording.nodes
    if "status" not in nodes.column_names:
        return
    bad = nodes.filter(pc.equal(nodes["status"], "unhealthy"))
    if len(bad) < _OFTEN * len(nodes):
        return
    names = sorted(set(bad["node_id"].to_pylist()))
    if names:
        yield Finding(
            "advice",
            "node-status",
            f"{plural(len(names), 'node')} {'was' if len(names) == 1 else 'were'} reported unhealthy",
            f"{', '.join(names[:5])}: in {percent(100 * len(bad) / len(nodes))} of the node samples.",
            {"nodes": names, "samples": len(bad)},
            "Find out when, and which operators were running.",
            "nodes",
        )
