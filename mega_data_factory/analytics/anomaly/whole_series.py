"""The same detector over a history: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mega_data_factory.analytics.anomaly.detector import AnomalyDetector
from mega_data_factory.analytics.anomaly.reason import Reason
from mega_data_factory.errors import AnalysisError

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Verdict of the detector on each point of a series of n points."""

    scores: npt.NDArray[np.float64]
    """Shape (n,): 0 is ordinary; `threshold` or more is an alarm."""
    threshold: float
    reasons: dict[int, Reason]
    """Index of each alarm → why."""

    @property
    def alarms(self) -> npt.NDArray[np.intp]:
        """Indices of the points that are alarms, in time order."""
        return np.flatnonzero(self.scores >= self.threshold)


def detect(
    values: npt.ArrayLike,
    timestamps: npt.ArrayLike | None = None,
    *,
    sensitivity: float = 0.5,
    detector: AnomalyDetector | None = None,
) -> Anomalies:
    """Score every point of a history as `AnomalyDetector.update` would have when it arrived.

    Args:
        values: shape (n,); NaN if missing.
        timestamps: shape (n,), rising: int64 microseconds since the epoch, or datetime64.
        sensitivity: of a new detector, in (0, 1).
        detector: one that has seen the earlier points and continues; then its own sensitivity holds.

    Raises:
        AnalysisError: the shapes do not match, or values are not numbers.
    """
    watcher = detector or AnomalyDetector(sensitivity)
    series = _series(values)
    times = None if timestamps is None else _microseconds(timestamps)
    if times is not None and times.shape != series.shape:
        raise AnalysisError(
            f"{len(series):,} values have {times.size:,} timestamps",
            hint="one timestamp for each value, or none at all",
        )
    scores = np.zeros(len(series))
    reasons: dict[int, Reason] = {}
    moments: Sequence[int] | None = None if times is None else times.tolist()
    for at, value in enumerate(series.tolist()):
        score = watcher.update(value, None if moments is None else moments[at])
        if score > 0.0:
            scores[at] = score
            reason = watcher.reason()
            if score >= watcher.threshold and reason is not None:
                reasons[at] = reason
    return Anomalies(scores, watcher.threshold, reasons)


def node_anomaly_rate(
    alarms: Sequence[npt.ArrayLike], moments: npt.ArrayLike, window: int = 60_000_000
) -> npt.NDArray[np.float64]:
    """Return the share of a node's metrics that raised an alarm shortly before each moment.

    One metric that alarms is a curiosity, half of a node's metrics within a minute are an incident: page on this.

    Args:
        alarms: for every metric of the node, also quiet ones, the times of its alarms in microseconds, in order.
        moments: shape (m,): the times asked for, in microseconds.
        window: how long an alarm counts, in microseconds.

    Returns:
        Shape (m,), from 0 to 1: at each moment t the share of metrics with an alarm in (t - window, t].

    Raises:
        AnalysisError: there is no metric, or the window is not positive.
    """
    if not len(alarms) or window <= 0:
        raise AnalysisError(
            f"no anomaly rate of {len(alarms)} metrics in {window} µs", hint="at least one metric, and a window above 0"
        )
    asked = _microseconds(moments)
    alarming = np.zeros(len(asked))
    for metric in alarms:
        times = _microseconds(metric)
        alarming += np.searchsorted(times, asked, side="right") > np.searchsorted(times, asked - window, side="right")
    return alarming / len(alarms)


def _series(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        series = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnalysisError(
            "a series holds values that are not numbers", hint="numbers; NaN if one is missing"
        ) from None
    if series.ndim != 1:
        raise AnalysisError(f"a series has shape {series.shape}", hint="(n,): one series at a time")
    return series


def _microseconds(timestamps: npt.ArrayLike) -> Times:
    times: npt.NDArray[Any] = np.asarray(timestamps)
    return times.astype("datetime64[us]").astype(np.int64) if times.dtype.kind == "M" else times.astype(np.int64)
