"""Queries over the metrics of nodes: rows, statistics, anomalies, correlations, changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from mega_data_factory.history import MetricsHistory
from mega_data_factory.visualization.nodes import frames
from mega_data_factory.visualization.nodes.analysis import changes, findings
from mega_data_factory.visualization.nodes.analysis.summary import summary
from mega_data_factory.visualization.nodes.selection import Names, select
from mega_data_factory.visualization.nodes.times import TimeRange, lag_microseconds


class NodeQueries:
    """Answers from a history, as frames. Every method raises `VisualizationError` where there is nothing to answer.

    Args:
        history: of the nodes.
        sensitivity: of anomaly detection, in (0, 1).
    """

    def __init__(self, history: MetricsHistory, sensitivity: float = 0.5) -> None:
        self.history = history
        self.sensitivity = sensitivity

    def to_frame(self, nodes: Names = None, metrics: Names = None, time_range: TimeRange = None) -> pd.DataFrame:
        """Return a row for each node and time: `node_id`, `timestamp` (naive UTC), and the metrics.

        Rows that old points were thinned to have their length in seconds in `interval`, means in the metric's column,
        and extremes in `<metric>_min` and `<metric>_max`; the extra columns are there only if such rows are.
        """
        return frames.frame_of(select(self.history, nodes, metrics, time_range))

    def get_metrics_summary(self, time_range: TimeRange = None) -> dict[str, Any]:
        """Return span, points, and mean, min and max of each metric, for cluster and nodes, in types of JSON."""
        return summary(select(self.history, time_range=time_range))

    def detect_anomalies(
        self,
        node: Names = None,
        metric: Names = None,
        time_range: TimeRange = None,
        *,
        sensitivity: float | None = None,
    ) -> pd.DataFrame:
        """Return anomalous points, judged in order of time; frozen metrics and missing data included.

        Returns:
            `node_id, metric, timestamp, value, score, reason`, by time. Some microseconds a point are needed.
        """
        part = select(self.history, node, metric, time_range)
        return findings.anomalies(part, self.sensitivity if sensitivity is None else sensitivity)

    def anomaly_rate(
        self,
        node: Names = None,
        time_range: TimeRange = None,
        *,
        window: timedelta | float | str = "1m",
        sensitivity: float | None = None,
    ) -> pd.DataFrame:
        """Return the share of a node's metrics that are anomalous at once: one is a curiosity, half are an incident.

        Args:
            node: one, several, or all.
            time_range: all by default.
            window: how long an alarm counts: seconds, a `timedelta`, or `"1m"`.
            sensitivity: of anomaly detection.

        Returns:
            `node_id, timestamp, rate`: at each point of a node the share of its metrics, 0 to 1, that had an alarm, as
            `detect_anomalies` finds them, in the window before.
        """
        part = select(self.history, node, None, time_range)
        chosen = self.sensitivity if sensitivity is None else sensitivity
        return findings.anomaly_rate(part, chosen, lag_microseconds(window))

    def correlations(
        self,
        metric: str,
        node: str | None = None,
        max_lag: timedelta | float | str = 0.0,
        time_range: TimeRange = None,
    ) -> pd.DataFrame:
        """Return the series of nodes that correlate with one, before or after it.

        Args:
            metric: what they are compared with.
            node: of this node; None is the mean over all.
            max_lag: how much one may follow the other: seconds, a `timedelta`, or `"5m"`.
            time_range: all by default.

        Returns:
            `node_id, metric, correlation, lag, significant`, strongest first; `lag` in seconds, positive where the
            series follows.
        """
        part = select(self.history, time_range=time_range)
        select(self.history, node, metric)
        target = metric if node is None else (node, metric)
        return findings.moving_with(part, target, lag_microseconds(max_lag))

    def changed(self, window: TimeRange, baseline: TimeRange = None) -> pd.DataFrame:
        """Rank the metrics of nodes that differ in a window, such as the time of an incident.

        Args:
            window: the incident.
            baseline: what is usual, at least twice as long; what lies before the window by default, at most 16 times
                its length.

        Returns:
            `node_id, metric, score, before, during`, strongest first; about 1 is usual, beyond 3 seldom chance.
        """
        part = select(self.history)
        return changes.changed(part, *changes.windows(part, window, baseline))
