"""Stations of a run: the pools of workers that every record has to pass, and how busy they were."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mega_data_factory.analytics.runs.recording import Recording

LOADER, WRITER = "data_loader", "data_writer"

Kind = Literal["loader", "stage", "writer"]


@dataclass(frozen=True)
class Station:
    """A pool of workers that every record has to pass.

    Attributes:
        name: the stage, `data_loader` or `data_writer`.
        kind: what it is.
        workers: size of the pool.
        busy: seconds busy, over all workers.
        utilisation: busy / (workers · working seconds of the run); a little over 1 is rounding of intervals.
        can_grow: whether it can have more workers.
    """

    name: str
    kind: Kind
    workers: int
    busy: float
    utilisation: float
    can_grow: bool = True

    @property
    def load(self) -> float:
        """Workers that were busy on average."""
        return self.utilisation * self.workers


def stations_of(recording: Recording) -> tuple[Station, ...]:
    """Return loader, stages and writer of a run with their utilisation; none if the run took no time."""
    time = recording.working_seconds
    if time <= 0:
        return ()
    loader = recording.config.get("data_loader") or {}
    readers = loader.get("num_workers")
    found = [_station(LOADER, "loader", readers if isinstance(readers, int) else 1, _seconds(recording, LOADER), time)]
    found += [_station(stage.name, "stage", stage.pool, stage.busy, time) for stage in recording.stages]
    # The writer gathers batches into files of a size; it is one process and cannot be given a second.
    found.append(replace(_station(WRITER, "writer", 1, _seconds(recording, WRITER), time), can_grow=False))
    return tuple(station for station in found if station.kind == "stage" or station.busy)


def _seconds(recording: Recording, station: str) -> float:
    return float(recording.run.get("loader_seconds" if station == LOADER else "writer_seconds") or 0.0)


def _station(name: str, kind: Kind, workers: int, busy: float, time: float) -> Station:
    return Station(name, kind, workers, busy, busy / (workers * time))
