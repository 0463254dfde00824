"""Interval samples as series over the time of the run, of as few points as a picture can show."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mega_data_factory.analytics.runs.recording import SAMPLED, Recording, interval_of

MOST_POINTS = 600
"""Points of a line: more than that no screen shows, and a file that holds them only grows."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Series of a stage or an operator over time.

    Attributes:
        starts: start of each step, `datetime64[us]`, naive UTC, shape (n,); equal steps without gaps.
        seconds: length of each step, shape (n,): the last, and the first, only as far as the run went.
        columns: name of `SAMPLED` → its sum over each step, shape (n,).
    """

    starts: npt.NDArray[np.datetime64]
    seconds: Floats
    columns: Mapping[str, Floats]

    @property
    def throughput(self) -> Floats:
        """Records in per second of the run; shape (n,)."""
        return self.columns["input_records"] / self.seconds

    @property
    def pass_rate(self) -> Floats:
        """Percent; NaN in steps in which nothing came in; shape (n,)."""
        came = self.columns["input_records"]
        shares: Floats = np.divide(self.columns["output_records"], came, out=np.full(len(came), np.nan), where=came > 0)
        return 100 * shares

    @property
    def busy(self) -> Floats:
        """Workers that were busy on average; shape (n,)."""
        return self.columns["busy_time"] / self.seconds


def operator_series(recording: Recording, points: int = MOST_POINTS) -> dict[tuple[str, str], Series]:
    """Return `(stage, operator)` → its activity over time; empty if the run has no samples."""
    samples = recording.samples
    keys = list(zip(samples["stage_name"].to_pylist(), samples["operator_name"].to_pylist(), strict=True))
    return _binned(recording, keys, samples, points)


def stage_series(recording: Recording, points: int = MOST_POINTS) -> dict[str, Series]:
    """Return stage → its activity over time: records into its first operator, out of its last, the rest over all."""
    samples = recording.samples
    whole = _binned(recording, samples["stage_name"].to_pylist(), samples, points)
    single = operator_series(recording, points)
    found = {}
    for stage in recording.stages:
        ends = stage.operators[0].name, stage.operators[-1].name
        first, last = (single.get((stage.name, name)) for name in ends)
        if stage.name not in whole:
            continue
        columns = dict(whole[stage.name].columns)
        nothing = np.zeros(len(whole[stage.name].seconds))
        columns["input_records"] = first.columns["input_records"] if first else nothing
        columns["output_records"] = last.columns["output_records"] if last else nothing
        found[stage.name] = Series(whole[stage.name].starts, whole[stage.name].seconds, columns)
    return found


def _binned(recording: Recording, keys: list[Any], samples: pa.Table, points: int) -> dict[Any, Series]:
    if not len(samples):
        return {}
    steps, edges, lengths = _steps(recording, points)
    times = samples["timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64)
    at = np.clip((times - edges[0]) // steps, 0, len(lengths) - 1).astype(int)
    values = {name: samples[name].to_numpy().astype(np.float64) for name in SAMPLED}
    rows: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    starts = edges.astype("datetime64[us]")
    return {
        key: Series(
            starts,
            lengths,
            {name: np.bincount(at[own], values[name][own], len(lengths)).astype(np.float64) for name in SAMPLED},
        )
        for key, own in rows.items()
    }


def _steps(recording: Recording, points: int) -> tuple[int, npt.NDArray[np.int64], Floats]:
    """Return the length of a step in microseconds (a multiple of the interval), their starts, and their seconds."""
    times = recording.samples["timestamp"]
    interval = max(1, round(interval_of(recording.samples).total_seconds() * 1e6))
    first, last = _micros(times[0].as_py()), _micros(times[-1].as_py())
    intervals = (last - first) // interval + 1
    step = interval * -(-intervals // points)
    starts = np.arange(first, last + 1, step)
    begin, end = (_micros(moment) for moment in recording.span)
    lower = np.maximum(starts, begin)
    upper = np.minimum(starts + step, max(end, first + 1))
    # A step of which the run saw less than a tenth would show a rate out of all proportion.
    return step, starts, np.maximum(upper - lower, step / 10) / 1e6


def _micros(moment: datetime) -> int:
    return int(np.datetime64(moment, "us").astype(np.int64))
