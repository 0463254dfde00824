"""What the visualizer costs: adding a point, and a plot of ten million points.

    python benchmarks/visualizer.py [--points 10_000_000]

Adding is compared, interleaved in one process, with the design that it replaces: a dict appended for every point, and
all frames rebuilt on every add. Times are CPU seconds of this process, the best of the repetitions, and for the plot
also wall seconds.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer

START = 1_769_256_000
POINT = {
    "cpu_usage": 51.5,
    "memory_usage": 40.25,
    "disk_usage": 30.0,
    "network_io": 1.25e6,
    "disk_io": 2.5e5,
    "iops": 310.0,
    "partition_count": 4.0,
}


class Rebuilding:
    """The naive design: a list of dicts for every node, and frames that are made anew on every add."""

    def __init__(self) -> None:
        self.points: dict[str, list[dict[str, Any]]] = {}

    def add_metrics(self, node_id: str, metrics: dict[str, float], timestamp: float) -> None:
        self.points.setdefault(node_id, []).append({**metrics, "timestamp": timestamp})
        self.frames = {node: pd.DataFrame(points) for node, points in self.points.items()}
        self.cluster = pd.concat(self.frames.values())


def seconds_per_add(target: Any, adds: int, since: int = 0) -> float:
    began = time.process_time()
    for second in range(since, since + adds):
        target.add_metrics("node-1", POINT, START + second)
    return (time.process_time() - began) / adds


KINDS: dict[str, tuple[dict[str, Any], bool]] = {
    "7 numbers, seconds since 1970": (POINT, False),
    "and a status": ({**POINT, "status": "active"}, False),
    "and naive local datetimes": ({**POINT, "status": "active"}, True),
    "and a host, which does not change": ({**POINT, "status": "active", "host": "a7"}, True),
    "and a list of 8 partitions": ({**POINT, "partitions": [f"p{number}" for number in range(8)]}, False),
}
"""Points of one node: what they hold, and whether their times are datetimes."""


def kinds_of_points(adds: int = 20_000, rounds: int = 7) -> None:
    """Print what a point costs, by what it holds; the kinds take turns, the best round of each counts."""
    zoneless = [datetime(2026, 1, 24, 12) + timedelta(seconds=second) for second in range(adds)]
    best = dict.fromkeys(KINDS, np.inf)
    for _ in range(rounds):
        for name, (point, dated) in KINDS.items():
            times = zoneless if dated else [float(START + second) for second in range(adds)]
            add = MetricsVisualizer().add_metrics
            began = time.process_time()
            for at in times:
                add("node-1", point, at)
            best[name] = min(best[name], (time.process_time() - began) / adds)
    first = next(iter(best.values()))
    for name, seconds in best.items():
        print(f"  {name:34} {seconds * 1e6:12,.2f} {seconds / first:8.2f}")


def adding(points: int) -> None:
    print("one add_metrics of 7 metrics, CPU microseconds (best of 3, interleaved)")
    best: dict[str, float] = {}
    for _ in range(3):
        for name, target, adds in (
            ("rebuilding, 1,000 points", Rebuilding(), 1_000),
            ("visualizer, 200,000 points", MetricsVisualizer(), 200_000),
        ):
            best[name] = min(best.get(name, np.inf), seconds_per_add(target, adds))
    for name, seconds in best.items():
        print(f"  {name:34} {seconds * 1e6:12,.2f}")
    ratio = best["rebuilding, 1,000 points"] / best["visualizer, 200,000 points"]
    print(f"  ratio {ratio:,.0f} (and the first grows with every point that it holds)")
    visualizer = MetricsVisualizer()
    step = points // 5
    flat = [seconds_per_add(visualizer, step, part * step) * 1e6 for part in range(5)]
    print(f"  up to {points:,} points, fifth by fifth: {', '.join(f'{each:.2f}' for each in flat)}")
    print("by what a point holds, CPU microseconds and ratio (best of 7, interleaved)")
    kinds_of_points()


def plotting(points: int) -> None:
    generator = np.random.default_rng(0)
    names = list(POINT)[:6]
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    for first in range(0, points, 1_000_000):
        rows = min(1_000_000, points - first)
        columns = {name: np.round(generator.normal(50, 10, rows), 1) for name in names}
        visualizer.history.extend("node-1", (START + first + np.arange(rows)) * 1_000_000, columns)
    visualizer.plot_node_metrics(None, "node-1", time_range="1h")  # plotly is loaded, once for all
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "node.html"
        runs = []
        for _ in range(3):
            wall, cpu = time.perf_counter(), time.process_time()
            visualizer.plot_node_metrics(path, "node-1")
            runs.append((time.perf_counter() - wall, time.process_time() - cpu))
        wall, cpu = (min(each) for each in zip(*runs, strict=True))
        print(f"a node plot of {points:,} points x {len(names)} metrics: {wall:.2f} s wall, {cpu:.2f} s CPU,")
        print(f"  HTML with plotly.js inside {path.stat().st_size / 1e6:.2f} MB (best of 3)")
    print(f"  peak memory of the whole benchmark {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000_000)
    asked = parser.parse_args()
    plotting(asked.points)
    adding(asked.points)
