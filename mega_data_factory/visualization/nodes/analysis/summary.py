"""Summary of a history in a few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mega_data_factory.history import Series
from mega_data_factory.visualization.nodes.metric_names import STATUS, status_word
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.times import text


def summary(selection: Selection) -> dict[str, Any]:
    """Return a selection in numbers that JSON knows.

    Returns:
        `start`, `end` (UTC text), `seconds`, `nodes` (how many), `points`, `metrics`: of each metric `mean`, `min`,
        `max` over all finite points of all nodes; and `by_node`: of each node `points`, `last_seen`, `status` (the last
        one, where it sends one) and `metrics`, with `last` as well.
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
        "start": text(selection.start),
        "end": text(selection.end),
        "seconds": selection.seconds,
        "nodes": len(by_node),
        "points": sum(node["points"] for node in by_node.values()),
        "metrics": {metric: numbers for metric, numbers in metrics.items() if numbers},
        "by_node": by_node,
    }


def _node(selection: Selection, node: str) -> dict[str, Any]:
    found = {metric: selection.series(node, metric) for metric in selection.metrics_of(node)}
    longest = max(found.values(), key=len, default=None)
    entry: dict[str, Any] = {"points": 0, "last_seen": None, "metrics": {}}
    if longest is not None and len(longest):
        entry["points"] = len(longest)
        entry["last_seen"] = text(int(longest.timestamps[-1]))
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
    return {
        "mean": float(np.dot(known.values[finite], points / points.sum())),  # the sum alone may be too large
        "min": float(known.minimum[finite].min()),
        "max": float(known.maximum[finite].max()),
        "last": float(known.values[finite][-1]),
        "points": float(points.sum()),
    }


def _together(nodes: list[dict[str, float]]) -> dict[str, float] | None:
    """Return mean, least and greatest over nodes, each node with the weight of its points."""
    if not nodes:
        return None
    points = sum(node["points"] for node in nodes)
    return {
        "mean": sum(node["mean"] * (node["points"] / points) for node in nodes),
        "min": min(node["min"] for node in nodes),
        "max": max(node["max"] for node in nodes),
    }
