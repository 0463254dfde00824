"""Bottleneck of a run, and the predicted gain of more workers or a faster operator.

A pipeline is a row of stations: loader, stages, writer. A station of `w` workers that needs `D` seconds for each record
of the run cannot pass more than `w / D` records per second, so the run cannot do more than the least of these, and the
station of the greatest utilisation `U = busy / (workers · time)` is the one that limits it. If a station changes, the
throughput changes as the greatest utilisation does: `gain = max U / max U'`, where `U' = U · D'/D · w/w'`. That the
rest (start-up, gaps between batches) costs the same share as before is an assumption, and it is what the measured check
in decision 0013 is about. Source: the utilisation law and the asymptotic bounds of operational analysis (Denning and
Buzen, "The operational analysis of queueing network models", ACM Computing Surveys 10(3), 1978).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow.compute as pc

from mega_data_factory.analytics.performance.stations import Station, stations_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals

BUSY_ENOUGH = 0.5
"""A run whose busiest station worked less than this share of the time was limited by waiting, not by work."""


@dataclass(frozen=True)
class Remedy:
    """One change, and the throughput that it is predicted to give.

    Attributes:
        kind: `workers` (more of them), `move` (one from an idle stage), `speed` (an operator twice as fast).
        station: what it changes.
        text: the change in words.
        gain: throughput after / before.
        limit_after: the station that would limit the run then.
        workers: size of the pool after it, for `workers` and `move`.
        operator: the operator to speed up, for `speed`.
        taken_from: the stage that gives a worker, for `move`.
    """

    kind: Literal["workers", "move", "speed"]
    station: str
    text: str
    gain: float
    limit_after: str
    workers: int | None = None
    operator: str | None = None
    taken_from: str | None = None


@dataclass(frozen=True)
class Bottleneck:
    """Bottleneck of a run.

    Attributes:
        limit: the busiest station, or None if no part of the run was busy enough to limit it.
        stations: all of them, in order.
        processors: share of the nodes' CPU that was used, 0 to 1; None if it was not sampled.
        heaviest: the operator that takes most of the limiting stage.
        heaviest_share: its share of the stage's busy seconds, 0 to 1.
        remedies: what would help, the most first; only what brings 3 % or more.
        own_processors: Share of the nodes' CPU that the processes of the run used, 0 to 1; None without node samples.
        own_measured: Whether that was measured; if not, it counts one core for each busy worker, which is too low where
            operators use several threads, and too high where they wait.
    """

    limit: Station | None
    stations: tuple[Station, ...]
    processors: float | None
    heaviest: OperatorTotals | None
    heaviest_share: float
    remedies: tuple[Remedy, ...]
    own_processors: float | None = None
    own_measured: bool = False

    @property
    def processors_full(self) -> bool:
        """Whether the machines had nothing left to give to more workers."""
        return self.processors is not None and self.processors >= 0.9

    @property
    def others_fill(self) -> bool:
        """Whether it was mostly other processes that filled the machines."""
        return self.processors_full and self.other_processors >= 0.5

    @property
    def other_processors(self) -> float:
        """Share of the nodes' CPU that processes used which are not of the run; 0 if that is not known."""
        if self.processors is None or self.own_processors is None:
            return 0.0
        return max(0.0, self.processors - self.own_processors)


def find_bottleneck(recording: Recording) -> Bottleneck | None:
    """Return what limits a run; None if no work was measured.

    Args:
        recording: the run; without samples its whole duration counts as working time, start-up included.
    """
    stations = stations_of(recording)
    if not any(station.busy for station in stations):
        return None
    processors = processor_share(recording)
    own, measured = _own_share(recording, stations)
    busiest = max(stations, key=lambda station: station.utilisation)
    if busiest.utilisation < BUSY_ENOUGH:  # however busy the machines were: with work of others, then
        return Bottleneck(None, stations, processors, None, 0.0, (), own, measured)
    stage = next((stage for stage in recording.stages if stage.name == busiest.name), None)
    heaviest = max(stage.operators, key=lambda operator: operator.busy) if stage else None
    share = heaviest.busy / stage.busy if heaviest and stage and stage.busy else 0.0
    remedies = _remedies(stations, busiest, _used_of_available(processors, own, measured), heaviest, share)
    if recording.is_observed:  # which workers work on which step is its engine's business
        remedies = tuple(remedy for remedy in remedies if remedy.kind == "speed")
    return Bottleneck(busiest, stations, processors, heaviest, share, remedies, own, measured)


def _own_share(recording: Recording, stations: Sequence[Station]) -> tuple[float | None, bool]:
    """Return the share of the CPU that the run used, 0 to 1, and whether it was measured."""
    measured = _mean_share(recording, "run_cpu_usage")
    if measured is not None:
        return min(measured, 1.0), True
    cores = core_count(recording)
    return (min(1.0, sum(station.load for station in stations) / cores) if cores else None), False


def _used_of_available(processors: float | None, own: float | None, measured: bool) -> float | None:
    """Return the share that the run used of the CPU that other processes left, 0 to 1."""
    if processors is None or own is None or not measured or own >= processors:
        return processors
    left = own + max(0.0, 1.0 - processors)
    return own / left if left else processors


def processor_share(recording: Recording) -> float | None:
    """Return the mean share of the CPU used while the run worked, 0 to 1, over its nodes; None without samples."""
    return _mean_share(recording, "cpu_usage")


def _mean_share(recording: Recording, column: str) -> float | None:
    """Return the mean of a percentage of the nodes while the run worked, 0 to 1; None if it was not measured."""
    nodes = recording.nodes
    if not len(nodes) or column not in nodes.column_names:
        return None
    begin, end = recording.span
    within = pc.and_(pc.greater_equal(nodes["timestamp"], begin), pc.less_equal(nodes["timestamp"], end))
    mean = pc.mean(nodes.filter(within)[column]).as_py()
    return None if mean is None else float(mean) / 100


def core_count(recording: Recording) -> float | None:
    """Return the cores of all nodes of the run; None without node samples."""
    nodes = recording.nodes
    if not len(nodes):
        return None
    cores = nodes.group_by("node_id").aggregate([("cpu_count", "max")])["cpu_count_max"]
    return pc.sum(cores).as_py() or None


def predicted_gain(
    stations: Sequence[Station],
    workers: Mapping[str, int] | None = None,
    cost: Mapping[str, float] | None = None,
    processors: float | None = None,
) -> tuple[float, str]:
    """Return throughput after a change / before it, and the station that limits the run then.

    Args:
        stations: as measured.
        workers: station → size of its pool after the change.
        cost: station → its seconds per record after the change / before.
        processors: Share that the run uses now of the CPU that other processes leave, where known: no more than the
            rest of it can be gained.
    """
    after = {
        s.name: s.utilisation * (cost or {}).get(s.name, 1.0) * s.workers / (workers or {}).get(s.name, s.workers)
        for s in stations
    }
    limit = max(after, key=lambda name: after[name])
    before = max(station.utilisation for station in stations)
    gain = before / after[limit] if after[limit] else math.inf
    if processors:
        work = sum(s.load for s in stations)
        saved = sum(s.load * (1 - (cost or {}).get(s.name, 1.0)) for s in stations)
        room = 1 / (min(processors, 1.0) * (1 - saved / work)) if work > saved else math.inf
        if room < gain:
            return room, "the processors"
    return gain, limit


_WORTH_SAYING = 1.03


def _remedies(
    stations: tuple[Station, ...],
    limit: Station,
    processors: float | None,
    heaviest: OperatorTotals | None,
    share: float,
) -> tuple[Remedy, ...]:
    found: list[Remedy] = []
    if limit.can_grow:
        fewer = 0.0
        for workers in dict.fromkeys((limit.workers + 1, _enough(stations, limit))):
            gain, after = predicted_gain(stations, {limit.name: workers}, processors=processors)
            if gain < _WORTH_SAYING * fewer:  # more of them bring no more
                continue
            fewer = gain
            text = f"{workers} workers for {limit.name} instead of {limit.workers}"
            found.append(Remedy("workers", limit.name, text, gain, after, workers))
        found += _moves(stations, limit, processors)
    if heaviest is not None:
        gain, after = predicted_gain(stations, cost={limit.name: 1 - share / 2}, processors=processors)
        text = f"{heaviest.name} twice as fast"
        found.append(Remedy("speed", limit.name, text, gain, after, operator=heaviest.name))
    worth = (remedy for remedy in found if _WORTH_SAYING <= remedy.gain < math.inf)
    return tuple(sorted(worth, key=lambda remedy: -remedy.gain))


def _enough(stations: tuple[Station, ...], limit: Station) -> int:
    """Return workers with which the limiting station is no busier than the next one; at most 4 times what it has."""
    others = max((station.utilisation for station in stations if station is not limit), default=0.0)
    if others <= 0:
        return 2 * limit.workers
    return min(math.ceil(limit.load / others - 1e-9), 4 * limit.workers)


def _moves(stations: tuple[Station, ...], limit: Station, processors: float | None) -> list[Remedy]:
    """Return the best worker to move: the gain is not worth less than a new one's by much, and it costs nothing."""
    givers = [s for s in stations if s.kind == "stage" and s is not limit and s.workers > 1]
    best: Remedy | None = None
    for giver in givers:
        pools = {giver.name: giver.workers - 1, limit.name: limit.workers + 1}
        gain, after = predicted_gain(stations, pools, processors=processors)
        if best is None or gain > best.gain:
            text = f"one worker moved from {giver.name} to {limit.name}"
            best = Remedy("move", limit.name, text, gain, after, limit.workers + 1, taken_from=giver.name)
    return [] if best is None else [best]


def idle_stages(stations: Sequence[Station]) -> list[tuple[Station, int]]:
    """Return stages that need fewer workers, and how many: then busy at most as much as the busiest station."""
    if not stations:
        return []
    busiest = max(station.utilisation for station in stations)
    spare = []
    for station in stations:
        needed = max(1, math.ceil(station.load / max(busiest, 1e-9) - 1e-9))
        if station.kind == "stage" and station.utilisation < busiest / 2 and needed < station.workers:
            spare.append((station, needed))
    return spare
