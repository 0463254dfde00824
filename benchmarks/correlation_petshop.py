"""Which metrics changed: our ranking beside Netdata's and others, on incidents of a real application and on made ones.

    MDF_BENCHMARK_DATA=… python benchmarks/correlation_petshop.py

Reads `petshop/` below that folder: incidents put into a micro-service application (PetShop, Amazon) in two scenarios,
each five samples long, with a baseline of 589 samples and the service at fault. A method scores every metric; a service
ranks by its strongest metric; counted is how often the one at fault is the first, among three, among five: for each
scenario, for PetShop's own halves `train` and `test`, and with limits that were chosen on incidents of other services
(cross-validation: each of the services at fault is left out once). Exits with 1 where a scenario falls below
`--least-top-3` or `--least-top-5`.

Then changes of four kinds are put into 20 of the metrics without incident, and at last the time for 10,000 series.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from mega_data_factory.analytics.series.changed import LIMITS, ChangeLimits, changed_scores
from mega_data_factory.analytics.series.correlation import by_chance, lagged_correlations

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
_KINDS = ("shift", "spread", "trend", "drop")
_CHANGED = 20  # metrics
_TINY = 1e-9


@dataclass(frozen=True)
class Incident:
    part: str  # of PetShop: train or test
    services: list[str]  # of each metric
    baseline: np.ndarray
    window: np.ndarray
    at_fault: str

    def rank(self, score: Score) -> float:
        """Place of the service at fault, among equals the middle one."""
        strongest: dict[str, float] = {}
        for service, value in zip(self.services, np.nan_to_num(score(self.baseline, self.window)), strict=True):
            strongest[service] = max(strongest.get(service, 0.0), float(value))
        own = strongest.get(self.at_fault, -1.0)
        others = [value for service, value in strongest.items() if service != self.at_fault]
        return 1 + sum(value > own for value in others) + sum(value == own for value in others) / 2


def filled(values: np.ndarray) -> np.ndarray:
    """Return the values with missing samples filled from the sample before, as the other methods need."""
    return pd.DataFrame(values.T).ffill().bfill().to_numpy().T


def relative_spread(baseline: np.ndarray) -> np.ndarray:
    spread: np.ndarray = baseline.std(axis=1) + _TINY * (1 + np.abs(baseline.mean(axis=1)))
    return spread


def netdata_ks2(baseline: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return two-sample Kolmogorov-Smirnov scores on first differences: Netdata's metric correlations."""
    before, now = np.sort(np.diff(filled(baseline), axis=1)), np.sort(np.diff(filled(window), axis=1))
    scores = np.empty(len(before))
    for row, (old, new) in enumerate(zip(before, now, strict=True)):
        both = np.concatenate((old, new))
        share = np.searchsorted(old, both, "right") / len(old) - np.searchsorted(new, both, "right") / len(new)
        scores[row] = np.abs(share).max()
    return scores


def mean_shift(baseline: np.ndarray, window: np.ndarray) -> np.ndarray:
    before, now = filled(baseline), filled(window)
    shift: np.ndarray = np.abs(now.mean(axis=1) - before.mean(axis=1)) / relative_spread(before)
    return shift


def wasserstein(baseline: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return the distance of 32 quantiles, in standard deviations of the baseline."""
    before, now = filled(baseline), filled(window)
    shares = (np.arange(32) + 0.5) / 32
    distance: np.ndarray = np.abs(np.quantile(before, shares, axis=1) - np.quantile(now, shares, axis=1)).mean(axis=0)
    scaled: np.ndarray = distance / relative_spread(before)
    return scaled


OURS = "changed_scores (ours)"
METHODS: dict[str, Score] = {
    OURS: changed_scores,
    "Netdata KS2 on differences": netdata_ks2,
    "mean shift / deviation": mean_shift,
    "Wasserstein / deviation": wasserstein,
}


def incidents(folder: Path) -> list[Incident]:
    """Return the incidents, with the metrics that the baseline has too."""
    usual = pd.read_csv(folder / "noissue" / "metrics.csv", header=[0, 1, 2], index_col=0)
    found = []
    for target in sorted(folder.glob("*/issue_*/target.json")):
        metrics = pd.read_csv(target.with_name("metrics.csv"), header=[0, 1, 2], index_col=0)
        shared = [
            name
            for name in metrics.columns
            if name in usual.columns and usual[name].notna().sum() >= 30 and metrics[name].notna().any()
        ]
        at_fault = json.loads(target.read_text())["root_cause"]["node"]
        baseline, window = (frame[shared].to_numpy(float).T for frame in (usual, metrics))
        window = np.where(np.isnan(window), np.nanmedian(window, axis=1, keepdims=True), window)
        found.append(Incident(target.parent.parent.name, [name[0] for name in shared], baseline, window, at_fault))
    return found


CANDIDATES = [
    ChangeLimits(still=still, resolution=resolution)
    for still, resolution in product((10.0, 15.0, 20.0, 30.0), (1e-5, 1e-4, 1e-3))
]
Ranks = dict[str, dict[ChangeLimits, np.ndarray]]


def shares(ranks: np.ndarray) -> list[float]:
    """Return the shares of ranks among one, three and five."""
    return [float((ranks <= top).mean()) for top in (1, 3, 5)]


def chosen(ranks: Ranks, used: dict[str, np.ndarray]) -> ChangeLimits:
    """Return limits whose worse scenario is best, by top 3 + top 5, then mean reciprocal rank; the first of equals."""

    def worth(limits: ChangeLimits) -> tuple[float, float]:
        seen = [ranks[name][limits][used[name]] for name in ranks if used[name].any()]
        return min(sum(shares(one)[1:]) for one in seen), min(float((1 / one).mean()) for one in seen)

    return max(CANDIDATES, key=worth)


def cross_validated(scenarios: dict[str, list[Incident]]) -> None:
    """Choose limits on some incidents, and print what they bring on the others."""
    ranks: Ranks = {
        name: {
            limits: np.array([one.rank(partial(changed_scores, limits=limits)) for one in real])
            for limits in CANDIDATES
        }
        for name, real in scenarios.items()
    }
    faults = {name: np.array([one.at_fault for one in real]) for name, real in scenarios.items()}
    parts = {name: np.array([one.part for one in real]) for name, real in scenarios.items()}
    limits = chosen(ranks, {name: part == "train" for name, part in parts.items()})
    print(f"\nLimits chosen on train: {limits} (shipped: {LIMITS})")
    print("Left out are the incidents of one service at fault; limits are chosen on the rest of both scenarios.\n")
    heading("scenario", "chosen on", "reported on", "incidents", "top 1", "top 3", "top 5")
    for name, part in parts.items():
        for shown in ("train", "test"):
            row(name, "train", shown, ranks[name][limits][part == shown])
    held_out: dict[str, list[float]] = {name: [] for name in scenarios}
    for service in sorted({service for found in faults.values() for service in found}):
        limits = chosen(ranks, {name: found != service for name, found in faults.items()})
        for name, found in faults.items():
            held_out[name] += ranks[name][limits][found == service].tolist()
    for name, positions in held_out.items():
        row(name, "other services", "the service left out", np.array(positions))


def row(scenario: str, choice: str, report: str, ranks: np.ndarray) -> None:
    print(f"| {scenario} | {choice} | {report} | {len(ranks)} | {' | '.join(f'{x:.2f}' for x in shares(ranks))} |")


def compared(scenarios: dict[str, list[Incident]]) -> dict[str, list[float]]:
    """Print all methods on each scenario; returns the shares of ours."""
    ours = {}
    for scenario, real in scenarios.items():
        services = real[0].services
        print(f"\n{scenario}: {len(real)} incidents, about {len(services)} metrics of {len(set(services))} services\n")
        heading("method", "top 1", "top 3", "top 5", "mean reciprocal rank")
        for name, score in METHODS.items():
            ranks = np.array([incident.rank(score) for incident in real])
            hits = " | ".join(f"{share:.2f}" for share in shares(ranks))
            print(f"| {name} | {hits} | {(1 / ranks).mean():.3f} |", flush=True)
            if name == OURS:
                ours[scenario] = shares(ranks)
    return ours


def changes(usual: np.ndarray, width: int, rounds: int) -> list[tuple[np.ndarray, np.ndarray, dict[int, str]]]:
    """Return baseline, window and which series were changed how: 20 of all, by about two standard deviations."""
    chance = np.random.default_rng(3)
    made = []
    for _ in range(rounds):
        start = int(chance.integers(0, usual.shape[1] - 400 - width))
        before, now = usual[:, start : start + 400], usual[:, start + 400 : start + 400 + width].copy()
        picked = {int(row): str(chance.choice(_KINDS)) for row in chance.choice(len(usual), _CHANGED, replace=False)}
        for row, kind in picked.items():
            spread, sign = before[row].std(), chance.choice([-1, 1])
            if kind == "shift":
                now[row] += sign * 2 * spread
            elif kind == "spread":
                now[row] += chance.normal(0, 2 * spread, width)
            elif kind == "trend":
                now[row] += sign * np.linspace(0, 3 * spread, width)
            else:
                now[row] = np.quantile(before[row], 0.02) + 0.05 * (now[row] - now[row].mean())
        made.append((before, now, picked))
    return made


def found_of(score: Score, made: list[tuple[np.ndarray, np.ndarray, dict[int, str]]]) -> list[float]:
    """Return the share of the changed series among the first 20: of all, and of each kind."""
    hits: dict[str, list[bool]] = {kind: [] for kind in _KINDS}
    for before, now, picked in made:
        first = set(np.argsort(-np.nan_to_num(score(before, now)), kind="stable")[:_CHANGED].tolist())
        for row, kind in picked.items():
            hits[kind].append(row in first)
    every = [hit for kind in _KINDS for hit in hits[kind]]
    return [float(np.mean(every)), *(float(np.mean(hits[kind])) for kind in _KINDS)]


def heading(*columns: str) -> None:
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def speed(rounds: int) -> None:
    chance = np.random.default_rng(1)
    values = chance.normal(size=(10_000, 2_500))
    print("\n10,000 series, least of CPU seconds and of wall seconds:")
    short = values[:, :1_000]
    for name, work in (
        ("changed_scores, 2,000 + 500 points", lambda: changed_scores(values[:, :2_000], values[:, 2_000:])),
        ("lagged_correlations, 1,000 points, 61 lags", lambda: lagged_correlations(short[0], short, 30)),
    ):
        spent = []
        for _ in range(rounds):
            started = time.process_time(), time.perf_counter()
            work()
            spent.append((time.process_time() - started[0], time.perf_counter() - started[1]))
        print(f"  {name}: {min(cpu for cpu, _ in spent):.2f}, {min(wall for _, wall in spent):.2f}")
    expected, bound = by_chance(1_000, 10_000 * 61)
    print(f"  strongest of as many independent series: {expected:.3f} expected, significant from {bound:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=12, help="made incidents of each length")
    parser.add_argument("--least-top-3", type=float, default=0.45, help="share of incidents, in each scenario")
    parser.add_argument("--least-top-5", type=float, default=0.60, help="the same")
    options = parser.parse_args()
    if "MDF_BENCHMARK_DATA" not in os.environ:
        sys.exit("set MDF_BENCHMARK_DATA to the folder of the data")
    folders = sorted(path for path in (Path(os.environ["MDF_BENCHMARK_DATA"]) / "petshop").iterdir() if path.is_dir())
    scenarios = {folder.name: incidents(folder) for folder in folders}
    ours = compared(scenarios)
    cross_validated(scenarios)
    folder = next(folder for folder in folders if folder.name == "low_traffic")
    usual = pd.read_csv(folder / "noissue" / "metrics.csv", header=[0, 1, 2], index_col=0)
    calm = filled(usual.loc[:, usual.notna().mean() > 0.9].to_numpy(float).T)
    calm = calm[calm.std(axis=1) > 0]
    for width in (40, 10):
        made = changes(calm, width, options.rounds)
        print(
            f"\n{_CHANGED} of {len(calm)} metrics changed for {width} samples: share of them among as many first ones\n"
        )
        heading("method", "all", *_KINDS)
        for name, score in METHODS.items():
            print(f"| {name} | " + " | ".join(f"{share:.2f}" for share in found_of(score, made)) + " |", flush=True)
    speed(rounds=5)
    short = {
        name: found for name, found in ours.items() if found[1] < options.least_top_3 or found[2] < options.least_top_5
    }
    if short:
        sys.exit(f"below top 3 {options.least_top_3} or top 5 {options.least_top_5} (top 1, 3, 5): {short}")


if __name__ == "__main__":
    main()
