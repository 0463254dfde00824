"""All nodes' metrics: append points, read series."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mega_data_factory.visualization.history.retention import HistoryRetention
from mega_data_factory.visualization.history.series import Floats, Series, Times

Location = str | os.PathLike[str]


class MetricsHistory:
    """Points of many nodes. (First version, to build on: the interface stays, the inside will not.)"""

    def __init__(self, retention: HistoryRetention | None = None, directory: Location | None = None) -> None:
        self.retention = retention or HistoryRetention()
        self.directory = directory
        self._points: dict[str, dict[int, dict[str, float]]] = {}

    def append(self, node_id: str, metrics: Mapping[str, float | None], timestamp: int) -> None:
        """Add one point; `timestamp` in microseconds since epoch UTC."""
        row = self._points.setdefault(node_id, {}).setdefault(timestamp, {})
        row.update({name: float("nan") if value is None else value for name, value in metrics.items()})

    def extend(self, node_id: str, timestamps: Times, columns: Mapping[str, Floats]) -> None:
        """Add many points of one node: int64 microseconds (n,), and float64 (n,) for every metric."""
        for at, timestamp in enumerate(timestamps.tolist()):
            self.append(node_id, {name: float(values[at]) for name, values in columns.items()}, timestamp)

    def nodes(self) -> list[str]:
        """The nodes, sorted."""
        return sorted(self._points)

    def metrics(self, node_id: str | None = None) -> list[str]:
        """The metrics of a node, or of all nodes, in the order in which they appeared."""
        nodes = self.nodes() if node_id is None else [node_id]
        return list(dict.fromkeys(name for node in nodes for row in self._points[node].values() for name in row))

    def span(self, node_id: str | None = None) -> tuple[int, int] | None:
        """First and last timestamp of a node or of all; None when there are no points."""
        nodes = self.nodes() if node_id is None else [node_id]
        times = [timestamp for node in nodes for timestamp in self._points[node]]
        return (min(times), max(times)) if times else None

    def series(self, node_id: str, metric: str, start: int | None = None, end: int | None = None) -> Series:
        """One metric of one node from `start` to `end`, both included."""
        points = sorted(
            (timestamp, row.get(metric, float("nan")))
            for timestamp, row in self._points.get(node_id, {}).items()
            if (start is None or timestamp >= start) and (end is None or timestamp <= end)
        )
        times, values = zip(*points, strict=True) if points else ((), ())
        return Series.of_points(np.array(times, np.int64), np.array(values, np.float64))

    def __len__(self) -> int:
        return sum(len(points) for points in self._points.values())

    def save(self, path: Location) -> None:
        """Write all points to `path`."""
        rows = [
            {"node_id": node, "timestamp": timestamp, **row}
            for node, points in self._points.items()
            for timestamp, row in points.items()
        ]
        pd.DataFrame(rows).to_parquet(Path(path))

    @classmethod
    def load(cls, path: Location, retention: HistoryRetention | None = None) -> MetricsHistory:
        """Read what `save` wrote."""
        history = cls(retention)
        for row in pd.read_parquet(Path(path)).to_dict("records"):
            node, timestamp = row.pop("node_id"), row.pop("timestamp")
            history.append(node, {str(name): value for name, value in row.items()}, timestamp)
        return history
