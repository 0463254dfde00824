"""Metrics of small clusters, made by formula."""

from __future__ import annotations

import numpy as np

from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer

START = 1_769_256_000  # 2026-01-24 12:00:00 UTC


def values(seconds: np.ndarray, node: int) -> dict[str, np.ndarray]:
    """The eight metrics of a node at some seconds from the start."""
    wave = np.sin(seconds / 40 + node)
    return {
        "cpu_usage": 50 + 30 * wave,
        "memory_usage": 40 + 5 * np.cos(seconds / 70 + node),
        "disk_usage": 30 + seconds / 1000,
        "network_io": 4e7 + 2e7 * wave,
        "disk_io": 1e6 + 5e5 * np.cos(seconds / 11),
        "iops": 300 + 50 * np.cos(seconds / 13),
        "partition_count": np.floor(3 + 2 * wave),
        "status": np.where((seconds > 100) & (seconds < 140), 1.0, 0.0),
    }


def cluster(nodes: int = 2, points: int = 300, **options: object) -> MetricsVisualizer:
    """Nodes that report once a second, each at its own moment within it."""
    options = {"timezone": "UTC"} | options
    visualizer = MetricsVisualizer(HistoryRetention.everything(), **options)  # type: ignore[arg-type]
    for node in range(nodes):
        seconds = np.arange(points) + node / max(nodes, 1)
        times = ((START + seconds) * 1e6).astype(np.int64)
        visualizer.history.extend(f"node-{node + 1}", times, values(seconds, node))
    return visualizer
