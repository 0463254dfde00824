"""Summary of a history in a few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mega_data_factory.history import Series
from mega_data_factory.visualization.nodes.cluster_moments import cluster_moments
from mega_data_factory.visualization.nodes.metric_names import STATUS, status_word
from mega_data_factory.visualization.nodes.selection import Selection


def summary(selection: Selection) -> dict[str, Any]:
    """Return a selection in numbers that JSON knows.

    Returns:
        Of the last moment, over the nodes that report then (see `ClusterMoments`): `avg_cpu_usage`,
        `avg_memory_usage`, `avg_disk_usage`, `total_network_io` (None if no node reports it), `active_nodes`,
        `degraded_nodes`, `unhealthy_nodes`, `total_nodes`, `avg_partitions_per_node`. Of all of the time: `start`,
        `end` (text, in the zone of the selection), `seconds`, `nodes` (how many), `points`, `metrics`: of each metric
        `mean`, `min`, `max` over all finite points of all nodes; and `by_node`: of each node `points`, `last_seen`,
        `status` (the last one, where it sends one) and `metrics`, with `last` as well.
    """
    by_node = {node: _node(selection, node) for node in selection.nodes}
    metrics = {
        metric: _together([node["metrics"][metric] for node in by_node.values() if metric in node["metrics"]])
        for metric in selection.metrics
        if metric != STATUS
    }
    for node in by_node.values():
        for numbers in node["metrics"].values():
            del numbers["points"]
    return {
        **_last_moment(selection),
        "start": selection.zone.text(selection.start),
        "end": selection.zone.text(selection.end),
        "seconds": selection.seconds,
        "nodes": len(by_node),
        "points": sum(node["points"] for node in by_node.values()),
        "metrics": {metric: numbers for metric, numbers in metrics.items() if numbers},
        "by_node": by_node,
    }


def _last_moment(selection: Selection) -> dict[str, float | int | None]:
    found = cluster_moments(selection, last=True)
    numbers = {f"avg_{metric}": values[-1] for metric, values in found.averages.items()}
    numbers["total_network_io"] = found.network[-1]
    held = found.partitions[-1]
    return {
        **{name: float(value) if np.isfinite(value) else None for name, value in numbers.items()},
        **{f"{state}_nodes": int(count[-1]) for state, count in found.states.items()},
        "total_nodes": int(found.nodes[-1]),
        "avg_partitions_per_node": sum(held) / len(held) if held else None,
    }


def _node(selection: Selection, node: str) -> dict[str, Any]:
    found = {metric: selection.series(node, metric) for metric in selection.metrics_of(node)}
    ticks = selection.series(node, "").timestamps
    last_seen = selection.zone.text(int(ticks[-1])) if len(ticks) else None
    entry: dict[str, Any] = {"points": len(ticks), "last_seen": last_seen, "metrics": {}}
    for metric, series in found.items():
        known = series.known()
        if metric == STATUS and len(known):
            entry["status"] = status_word(known.maximum[-1])
        elif metric != STATUS and (numbers := _numbers(known)):
            entry["metrics"][metric] = numbers
    return entry


def _numbers(known: Series) -> dict[str, float]:
    """Keep finite numbers only: JSON has no infinity."""
    finite = np.isfinite(known.values) & np.isfinite(known.minimum) & np.isfinite(known.maximum)
    if not finite.any():
        return {}
    points = known.points[finite].astype(np.float64)
    mean = np.dot(known.values[finite], points / points.sum())  # the sum alone may be too large
    least, greatest = float(known.minimum[finite].min()), float(known.maximum[finite].max())
    return {
        "mean": min(max(float(mean), least), greatest),  # the mean of equal values is that value, despite rounding
        "min": least,
        "max": greatest,
        "last": float(known.values[finite][-1]),
        "points": float(points.sum()),
    }


def _together(nodes: list[dict[str, float]]) -> dict[str, float] | None:
    """Return mean, least and greatest over nodes, each node with the weight of its points."""
    if not nodes:
        return None
    points = sum(node["points"] for node in nodes)
    mean = sum(node["mean"] * (node["points"] / points) for node in nodes)
    least, greatest = min(node["min"] for node in nodes), max(node["max"] for node in nodes)
    return {"mean": min(max(mean, least), greatest), "min": least, "max": greatest}
