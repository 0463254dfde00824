"""`MetricsVisualizer`: metrics of nodes go in; plots, files, and findings come out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from types import TracebackType
from typing import Any, Self

from mega_data_factory.analytics.anomaly import AnomalyDetector
from mega_data_factory.history import HistoryRetention, MetricsHistory
from mega_data_factory.storage import Location
from mega_data_factory.visualization.nodes.intake import NodeIntake
from mega_data_factory.visualization.nodes.point_views import PointViews
from mega_data_factory.visualization.nodes.selection import Names
from mega_data_factory.visualization.nodes.times import TimeRange
from mega_data_factory.visualization.nodes.zone import LOCAL, Zone, zone_named
from mega_data_factory.visualization.plots import NodePlots
from mega_data_factory.visualization.theme import LIGHT, Theme, theme_named

SENSITIVITY = 0.3
"""Of a picture of many metrics."""


class MetricsVisualizer(NodeIntake, PointViews, NodePlots):
    """Keeps what nodes report, draws it, exports it, and finds what is strange in it.

    The metrics of a node are `cpu_usage`, `memory_usage`, `disk_usage` (percent), `network_io`, `disk_io` (bytes/s),
    `iops` (operations/s), `partition_count` and `status` (active, degraded or unhealthy; words of cluster managers are
    translated); any may be missing, and any others are kept and drawn as well. Texts and lists of texts are attributes
    of the node, which labels show; of a list of `partitions` the count is a metric too. Points may come in any order,
    and from any thread; of two with one timestamp the last wins, metric by metric. None and NaN are missing values,
    and gaps in lines.

    Times without a zone, in and out, are of `timezone`: by default local, as `datetime.now()` gives them.

    Every plot returns its figure, and writes it where an `output_path` is given: `.html`, and a path without a suffix,
    is one page with its controls and all points that fit, offline; `.json`, `.png`, `.svg`, `.pdf`. A `time_range` is a
    pair of times, or how far back from the last point: `"1h"`, a `timedelta`; None is everything.

    It can be copied and pickled; the copy lives in memory, also that of a `directory`, which has one owner.

    Args:
        retention: what is kept for how long, see `HistoryRetention`.
        directory: a local folder in which the history lives and survives a crash; without it, in memory.
        timezone: of times that have none: `local`, `UTC`, a name such as `Europe/Berlin`, or a `tzinfo`.
        theme: `light`, `dark`, or a `Theme` of your own.
        hosts: names of hosts by node id, which plots show in place of long numbers; without one, a long number is shown
            as far as it differs from others.
        sensitivity: of anomaly detection, in (0, 1); lower than that of a single `AnomalyDetector` by default, for a
            picture holds dozens of metrics, and one alarm in 1,000 points of each would fill it with rings.

    Raises:
        VisualizationError: a value cannot be taken, there is no such node, metric or zone, or nothing to show.
        AnalysisError: there are too few points for an answer, or the sensitivity is none.
        OutputError: a file cannot be written.
    """

    def __init__(
        self,
        retention: HistoryRetention | None = None,
        directory: Location | None = None,
        *,
        timezone: str | tzinfo | Zone = LOCAL,
        theme: str | Theme = LIGHT,
        hosts: Mapping[str, str] | None = None,
        sensitivity: float = SENSITIVITY,
    ) -> None:
        self.theme = theme_named(theme)
        self.hosts = dict(hosts or {})
        AnomalyDetector(sensitivity)  # says now, not at the first plot, what is wrong with it
        self.sensitivity = sensitivity
        zone = zone_named(timezone)
        super().__init__(MetricsHistory(retention, directory), zone)

    # Out

    def export_metrics(
        self,
        output_path: Location,
        *,
        nodes: Names = None,
        metrics: Names = None,
        time_range: TimeRange = None,
        timezone: str | tzinfo | None = None,
        key: str | bytes | None = None,
    ) -> None:
        """Write `to_frame`: as `.csv`, `.parquet`, `.json`, `.jsonl`, `.arrow`, `.xlsx` (an extra) or `.html`.

        Args:
            output_path: where to; the suffix says as what. A path without a suffix is written as CSV, under that name.
            nodes, metrics, time_range: which; all by default.
            timezone: of the times, which have no zone in the file; that of the visualizer by default.
            key: encrypts a Parquet file (AES-GCM, 16, 24 or 32 bytes); it cannot be read without the key.
        """
        from mega_data_factory.visualization.export import export_frame

        zone = self.zone if timezone is None else zone_named(timezone)
        clock = zone.title((self.history.span() or (0, 0))[1])
        export_frame(
            lambda: self.to_frame(nodes, metrics, time_range, timezone=timezone),
            output_path,
            key=key,
            theme=self.theme,
            clock=clock,
        )

    # Keeping

    def save(self, path: Location) -> None:
        """Write the history as a folder of Parquet files."""
        self.history.save(str(path))

    @classmethod
    def load(cls, path: Location, retention: HistoryRetention | None = None, **options: Any) -> Self:
        """Return a visualizer of what `save` wrote, or of a live directory; `options` as for the constructor."""
        loaded = cls(retention, **options)
        loaded.history = MetricsHistory.load(str(path), retention)
        return loaded

    def close(self) -> None:
        """Let a live directory go; everything in it stays readable here and by `load`."""
        self.history.close()

    def __len__(self) -> int:
        return len(self.history)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
