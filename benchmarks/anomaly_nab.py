"""The anomaly detector on half of the Numenta Anomaly Benchmark, and on metrics of a node with incidents put in.

    MDF_BENCHMARK_DATA=… MDF_BENCHMARK_TOOLS=… python benchmarks/anomaly_nab.py [--splits 30]

Reads `nab/` and `node/psutil10hz.csv` below the first folder and imports `nab_score` from the second. Beside our
detector two usual ones run over the same points: a windowed Gaussian, and an exponentially weighted mean and deviation.

What is quoted: the score at the best threshold for the whole corpus, as the benchmark's own table has it; at the
threshold that ships; and, as what a stranger's series can expect, the score on one half of the files with the threshold
chosen on the other half, over many random halves.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mega_data_factory.analytics.anomaly import AnomalyDetector

_RATE = 1.0  # alarms per 1,000 undisturbed points, at which detectors are compared
_SEGMENT = 3_600  # samples: six minutes at 10 Hz
_INCIDENT = 60  # samples
_KINDS = ("spike", "shift", "ramp", "high", "noisy", "frozen")

Update = Callable[[float], float]


def ours() -> Update:
    return AnomalyDetector().update


def windowed_gaussian(window: int = 6_400) -> Update:
    """Return a detector of |value - mean| in standard deviations of the last values."""
    held: deque[float] = deque()
    total = squares = 0.0

    def update(value: float) -> float:
        nonlocal total, squares
        score = 0.0
        if len(held) > 1:
            mean = total / len(held)
            spread = math.sqrt(max(squares / len(held) - mean * mean, 0.0))
            score = abs(value - mean) / spread if spread > 1e-9 * (1 + abs(mean)) else 0.0
        held.append(value)
        total, squares = total + value, squares + value * value
        if len(held) > window:
            old = held.popleft()
            total, squares = total - old, squares - old * old
        return score

    return update


def weighted(share: float = 0.005) -> Update:
    """Return a detector of |value - mean| in standard deviations, both exponentially weighted."""
    mean, variance, points = 0.0, 0.0, 0

    def update(value: float) -> float:
        nonlocal mean, variance, points
        points += 1
        off = value - mean if points > 1 else 0.0
        score = abs(off) / math.sqrt(variance) if variance > 0.0 and points > 50 else 0.0
        weight = max(share, 1.0 / points)
        mean = mean + weight * off if points > 1 else value
        variance = (1.0 - weight) * (variance + weight * off * off)
        return score

    return update


DETECTORS: dict[str, Callable[[], Update]] = {
    "ours": ours,
    "windowed Gaussian": windowed_gaussian,
    "exponentially weighted": weighted,
}


def scored(corpus: Any, make: Callable[[], Update]) -> tuple[dict[str, np.ndarray], float]:
    """Return the scores of every file, and CPU microseconds a point."""
    values = {name: corpus.val[name].tolist() for name in corpus.files}
    scores: dict[str, np.ndarray] = {}
    started = time.process_time()
    for name, series in values.items():
        update = make()
        scores[name] = np.array([update(value) for value in series])
    spent = time.process_time() - started
    return scores, 1e6 * spent / sum(map(len, values.values()))


def half_splits(corpus: Any, scores: dict[str, np.ndarray], profile: str, splits: int) -> list[float]:
    """Return scores on one half of the files with the threshold that was best on the other, both ways."""
    chance = random.Random(7)
    found = []
    for _ in range(splits):
        files = chance.sample(corpus.files, len(corpus.files))
        halves = files[: len(files) // 2], files[len(files) // 2 :]
        for chosen_on, tested_on in (halves, halves[::-1]):
            threshold = corpus.score(scores, files=chosen_on, profile=profile)["thr"]
            found.append(corpus.score(scores, files=tested_on, thr=threshold, profile=profile)["norm"])
    return found


def heading(*columns: str) -> None:
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def nab(folder: Path, splits: int) -> None:
    from nab_score import Corpus  # type: ignore[import-not-found]  # from MDF_BENCHMARK_TOOLS

    corpus = Corpus(str(folder))
    print(
        f"NAB, {len(corpus.files)} files, {corpus.K} windows; half: threshold from one half of the files, mean ± sd\n"
    )
    heading("detector", "standard", "low FP", "low FN", "half, standard", "half, low FP", "µs a point")
    for name, make in DETECTORS.items():
        scores, cost = scored(corpus, make)
        profiles, categories = corpus.report(scores)
        best = " | ".join(f"{profiles[profile]['norm']:.1f}" for profile in ("standard", "lowFP", "lowFN"))
        halves = [half_splits(corpus, scores, profile, splits) for profile in ("standard", "lowFP")]
        spread = " | ".join(f"{statistics.mean(half):.1f} ± {statistics.stdev(half):.1f}" for half in halves)
        print(f"| {name} | {best} | {spread} | {cost:.2f} |", flush=True)
        if name == "ours":
            mine, by_category = scores, categories
    detector = AnomalyDetector()
    print("\nours at the threshold that ships, and around it\n")
    heading("threshold", "standard", "low FP", "false alarms", "windows found")
    for factor in (0.9, 0.95, 1.0, 1.05, 1.1):
        at = factor * detector.threshold
        one, low = (corpus.score(mine, thr=at, profile=profile) for profile in ("standard", "lowFP"))
        print(f"| {at:.2f} | {one['norm']:.1f} | {low['norm']:.1f} | {one['fp']} | {one['det']}/{one['nwin']} |")
    print("\nours by kind of file: score, windows found, false alarms")
    for category, (norm, hit, windows, false, _) in by_category.items():
        print(f"  {category:24s} {norm:5.1f}  {hit}/{windows}  {false}")


def node_series(path: Path) -> list[np.ndarray]:
    """Return pieces of a node's metrics, counters as rates; without those that hardly change."""
    frame = pd.read_csv(path)
    pieces = []
    for name in frame.columns[1:]:
        values = frame[name].to_numpy(float)
        if values[-1] > values[0] and (np.diff(values) >= 0).all():
            values = np.diff(values, prepend=values[0])
        pieces += [piece for piece in np.split(values, range(_SEGMENT, len(values), _SEGMENT)) if len(set(piece)) > 20]
    return pieces


def disturbed(piece: np.ndarray, kind: str, chance: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return a copy with one incident, and where it starts."""
    start = int(chance.integers(len(piece) // 2, len(piece) - _INCIDENT - 20))
    during = slice(start, start + _INCIDENT)
    values, spread, low, high = piece.copy(), piece.std(), piece.min(), piece.max()
    if kind == "spike":
        values[start : start + 2] = high + 0.3 * (high - low)
    elif kind == "shift":
        values[during] += chance.choice([-1, 1]) * 3 * spread
    elif kind == "ramp":
        values[during] += np.linspace(0, high - low, _INCIDENT)
    elif kind == "high":
        values[during] = np.quantile(piece, 0.98) + 0.02 * (piece[during] - np.median(piece))
    elif kind == "noisy":
        values[during] += chance.normal(0, 2 * spread, _INCIDENT)
    else:
        values[during] = values[start]
    return values, start


def incidents(path: Path) -> None:
    """Print the share of incidents found within their minute, at equal rates of alarms on undisturbed metrics."""
    pieces = node_series(path)
    print(
        f"\nincidents of {_INCIDENT} samples put into {len(pieces)} series of a node at 10 Hz: share found at {_RATE:g}"
    )
    print("alarm per 1,000 undisturbed points; and undisturbed alarms per 1,000 at the threshold that ships\n")
    heading("detector", *_KINDS, "mean", "alarms")
    for name, make in DETECTORS.items():
        calm = np.concatenate([np.array([*map(make(), piece.tolist())])[300:] for piece in pieces])
        threshold = np.sort(calm)[::-1][int(_RATE * len(calm) / 1000)]
        shipped = f"{1000 * (calm >= AnomalyDetector().threshold).mean():.2f}" if name == "ours" else ""
        chance = np.random.default_rng(5)
        shares = []
        for kind in _KINDS:
            hits = []
            for piece in pieces:
                values, start = disturbed(piece, kind, chance)
                scores = np.array([*map(make(), values.tolist())])
                hits.append((scores[start : start + _INCIDENT + 5] >= threshold).any())
            shares.append(float(np.mean(hits)))
        print(f"| {name} | " + " | ".join(f"{share:.2f}" for share in [*shares, np.mean(shares)]) + f" | {shipped} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--splits", type=int, default=30, help="random halves of the files")
    options = parser.parse_args()
    try:
        data, tools = Path(os.environ["MDF_BENCHMARK_DATA"]), os.environ["MDF_BENCHMARK_TOOLS"]
    except KeyError as missing:
        sys.exit(f"set {missing.args[0]} to the folder of the data (of the scorer)")
    sys.path.insert(0, tools)
    nab(data / "nab", options.splits)
    incidents(data / "node" / "psutil10hz.csv")


if __name__ == "__main__":
    main()
