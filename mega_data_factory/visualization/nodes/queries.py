"""Queries over the metrics of nodes: rows, statistics, anomalies, correlations, changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from mega_data_factory.history import MetricsHistory
from mega_data_factory.visualization.nodes.analysis import changes, findings
from mega_data_factory.visualization.nodes.analysis.summary import summary
from mega_data_factory.visualization.nodes.selection import Names, Selection, select
from mega_data_factory.visualization.nodes.times import TimeRange, lag_microseconds
from mega_data_factory.visualization.nodes.zone import Zone, zone_named

if TYPE_CHECKING:
    import pandas as pd


class NodeQueries:
    """Answers from a history, as frames. Methods raise `VisualizationError` if there is nothing to answer.

    Attributes:
        history: of the nodes.
        zone: of times that have none, in and out.
        sensitivity: of anomaly detection, in (0, 1).
    """

    history: MetricsHistory
    zone: Zone
    sensitivity: float

    def to_frame(
        self,
        nodes: Names = None,
        metrics: Names = None,
        time_range: TimeRange = None,
        *,
        timezone: str | tzinfo | None = None,
    ) -> pd.DataFrame:
        """Return a row for each node and time: `node_id`, `timestamp`, and the metrics and attributes as first given.

        Times have no zone and are of `timezone`, by default that of the visualizer; of an hour that a local clock
        repeats only UTC tells the two passes apart. Rows that old points were thinned to have their length in seconds
        in `interval`, means in the metric's column, and extremes in `<metric>_min` and `<metric>_max`; the extra
        columns are there only if such rows are. Metrics that count are whole numbers.
        """
        from mega_data_factory.visualization.nodes.frames import frame_of

        part = self._selected(nodes, metrics, time_range, with_attributes=True)
        return frame_of(part if timezone is None else replace(part, zone=zone_named(timezone)))

    def get_metrics_summary(self, time_range: TimeRange = None) -> dict[str, Any]:
        """Return the last moment of the cluster, and span, points, mean, min and max of each metric, in types of JSON.

        An empty dict when nothing was added. Keys: see `summary`.
        """
        return summary(self._selected(time_range=time_range, with_attributes=True)) if self.history.nodes() else {}

    def _selected(
        self,
        nodes: Names = None,
        metrics: Names = None,
        time_range: TimeRange = None,
        *,
        with_attributes: bool = False,
    ) -> Selection:
        return select(self.history, nodes, metrics, time_range, zone=self.zone, with_attributes=with_attributes)

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
        part = self._selected(node, metric, time_range)
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
        part = self._selected(node, None, time_range)
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
        part = self._selected(time_range=time_range)
        self._selected(node, metric)
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
        part = self._selected()
        return changes.changed(part, *changes.windows(part, window, baseline))
