"""The history of node metrics: cost of a point, size of a sample, time to draw; beside the naive design in one run.

The naive design keeps a list of dicts for each node and rebuilds the frames of all nodes at every point. Seconds are
CPU seconds of this process. `--points` sets how far the growth is followed; the file of real samples is
`node/psutil10hz.csv` below the folder that MDF_BENCHMARK_DATA names, and is left out when the variable is not set.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.history import HistoryRetention, MetricsHistory, Series, thinned

METRICS = ("cpu_usage", "memory_usage", "disk_usage", "network_io", "disk_io", "iops", "partition_count")
NODES = 5
START = 1_800_000_000_000_000
TICK = 100_000
"""Ten points a second, in microseconds."""

VARIETY = 20_000
"""Different points; more than a chunk holds, so that compression does not find them again."""

Point = dict[str, float]


def some_points() -> list[Point]:
    """Return percentages with one decimal, bytes and operations as whole numbers, as samplers report them."""
    random = np.random.default_rng(0)
    walk = np.clip(50 + np.cumsum(random.normal(0, 0.5, (VARIETY, 3)), axis=0), 0, 100).round(1)
    load = random.integers(0, 10**6, (VARIETY, 4))
    return [
        dict(zip(METRICS, (*percent, *map(float, whole)), strict=True))
        for percent, whole in zip(walk.tolist(), load.tolist(), strict=True)
    ]


class Naive:
    """A dict appended to its node's list; frames of the node and of the cluster rebuilt at every point."""

    def __init__(self) -> None:
        self.history: dict[str, list[dict[str, object]]] = {}
        self.frames: dict[str, pd.DataFrame] = {}
        self.cluster = pd.DataFrame()

    def append(self, node_id: str, metrics: Mapping[str, float], timestamp: int) -> None:
        self.history.setdefault(node_id, []).append({**metrics, "timestamp": timestamp})
        for node, rows in self.history.items():
            self.frames[node] = pd.DataFrame(rows)
        self.cluster = pd.concat([frame.assign(node_id=node) for node, frame in self.frames.items()])


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def best(work: Callable[[], object], times: int = 5) -> float:
    return min(seconds(work) for _ in range(times))


def cycled(points: list[Point], start: int, number: int) -> Iterator[tuple[Point, int]]:
    for at in range(start, start + number):
        yield points[at % VARIETY], START + at * TICK


def fill(design: Naive | MetricsHistory, points: Iterable[tuple[Point, int]], nodes: int = 1) -> None:
    append = design.append
    if nodes == 1:
        for point, timestamp in points:
            append("node", point, timestamp)
    else:
        for at, (point, timestamp) in enumerate(points):
            append(f"node-{at % nodes}", point, timestamp)


def against_naive(points: list[Point]) -> None:
    """Give both designs the same points in turns, a few hundred at a time."""
    print(f"\nAn append of {len(METRICS)} metrics, {NODES} nodes, by points held (median of rounds)\n")
    print(f"{'points held':>12} {'naive':>12} {'history':>12} {'ratio':>8}")
    naive, history = Naive(), MetricsHistory()
    held = 0
    for target in (200, 500, 1000, 2000):
        for at in range(held, target - 100):
            naive.history.setdefault(f"node-{at % NODES}", []).append({**points[at], "timestamp": START + at * TICK})
            history.append(f"node-{at % NODES}", points[at], START + at * TICK)
        costs: dict[str, list[float]] = {"naive": [], "history": []}
        for first in range(target - 100, target, 20):
            for name, design in (("naive", naive), ("history", history)):
                spent = seconds(partial(fill, design, cycled(points, first, 20), NODES))
                costs[name].append(spent / 20)
        held = target
        slow, fast = (statistics.median(costs[name]) for name in ("naive", "history"))
        print(f"{target:>12,} {slow * 1e6:>9.0f} us {fast * 1e6:>9.2f} us {slow / fast:>7,.0f}x")


def growth(points: list[Point], number: int) -> None:
    """Print the amortised cost of an append with sealing and thinning, for every tenth of the points, less the loop."""
    print(f"\nAn append of {len(METRICS)} metrics while {number:,} points come, 10 a second, sealing included\n")
    print(f"{'':>14} {'default tiers':>36} {'every point':>36}")
    print(f"{'points so far':>14}" + f" {'an append':>16} {'rows':>11} {'MB':>7}" * 2)
    histories = (MetricsHistory(), MetricsHistory(HistoryRetention.everything()))
    share = number // 10
    for at in range(0, number, share):
        line = f"{at + share:>14,}"
        loop = seconds(partial(deque, cycled(points, at, share), 0))
        for history in histories:
            cost = (seconds(partial(fill, history, cycled(points, at, share))) - loop) / share
            line += f" {cost * 1e6:>13.2f} us {len(history):>11,} {history.nbytes / 1e6:>7.1f}"
        print(line, flush=True)
    drawing(histories[1])


def six_metrics(history: MetricsHistory, start: int, end: int) -> list[Series]:
    return [history.thinned("node", metric, 2000, start, end) for metric in METRICS[:6]]


def drawing(history: MetricsHistory) -> None:
    """Print the cost of a plot of six metrics, of all points and of a part in full resolution."""
    first, last = history.span("node") or (0, 0)
    hour = 3_600_000_000
    cases = {
        f"{len(history):,} points x 6, the whole time": (first, last),
        "the last hour x 6 (36,000 points)": (last - hour, last),
        "the last day x 6 (864,000 points)": (last - 24 * hour, last),
    }
    print("\nTo 2,000 points a metric for drawing\n")
    for name, (start, end) in cases.items():
        spent = best(partial(six_metrics, history, start, end), 3)
        print(f"{name:<50} {spent * 1e3:>8.1f} ms")
    series = history.series("node", "cpu_usage")
    print(f"{'thinned() of one series in memory':<50} {best(lambda: thinned(series, 2000)) * 1e3:>8.1f} ms")


def hot_buffer(points: list[Point]) -> None:
    retention = HistoryRetention.everything()
    history = MetricsHistory(retention)
    number = retention.chunk_points - 1
    for point, timestamp in cycled(points, 0, number):
        history.append("node", point, timestamp)
    print(f"\nHot buffer: {history.nbytes / (number * len(METRICS)):.2f} bytes a sample (timestamps included)")


def month(points: list[Point]) -> None:
    """Store a node that reports once a second for 31 days."""
    history = MetricsHistory()
    columns = {name: np.array([point[name] for point in points]) for name in METRICS}
    number = 31 * 86_400
    for at in range(0, number, VARIETY):
        history.extend("node", START + (at + np.arange(VARIETY)) * 1_000_000, columns)
    size = history.nbytes / 1e6
    print(f"A month, {number:,} points a second apart, default tiers: {len(history):,} rows, {size:.1f} MB")


def real_samples(path: Path) -> None:
    """Print bytes on disk of samples measured on this machine, timestamps and footers included."""
    frame = pd.read_csv(path)
    times = np.rint(frame.pop("t").to_numpy() * 1e6).astype(np.int64)
    columns = {str(name): frame[name].to_numpy(np.float64) for name in frame}
    samples = len(times) * len(columns)
    history = MetricsHistory(HistoryRetention.everything())
    history.extend("node", times, columns)
    usual = io.BytesIO()
    pq.write_table(pa.table({"timestamp": pa.array(times, pa.timestamp("us")), **columns}), usual)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved"
        history.save(saved)
        size = sum(file.stat().st_size for file in saved.rglob("*") if file.is_file())
        loaded = MetricsHistory.load(saved)
        for name, values in columns.items():
            series = loaded.series("node", name)
            assert np.array_equal(series.values, values), name
            assert np.array_equal(series.timestamps, times)
    print(f"\n{path.name}: {samples:,} samples of {len(columns)} metrics, restored exactly")
    print(f"  saved history            {size / samples:.3f} bytes a sample")
    print(f"  Parquet as pyarrow does  {len(usual.getvalue()) / samples:.3f}")
    print(f"  CSV                      {path.stat().st_size / samples:.3f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000_000)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    points = some_points()
    against_naive(points)
    hot_buffer(points)
    month(points)
    data = os.environ.get("MDF_BENCHMARK_DATA")
    if data is None:
        print("MDF_BENCHMARK_DATA is not set: the samples of psutil10hz.csv are left out")
    else:
        real_samples(Path(data) / "node" / "psutil10hz.csv")
    growth(points, arguments.points)


if __name__ == "__main__":
    main()
