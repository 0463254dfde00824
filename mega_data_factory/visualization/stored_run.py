"""Visualizer of the nodes of a stored run, apart from the class, which knows nothing of runs."""

from __future__ import annotations

from typing import Any

from mega_data_factory.errors import VisualizationError
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.history import HistoryRetention
from mega_data_factory.storage import Location
from mega_data_factory.visualization.nodes.metric_names import KNOWN
from mega_data_factory.visualization.visualizer import MetricsVisualizer

_COLUMNS = ("node_id", "timestamp", *KNOWN)  # the table has also names and sizes of machines, which are not metrics


def from_store(metrics: MetricsReader | Location, run: str = "latest", **options: Any) -> MetricsVisualizer:
    """Return a visualizer of the nodes of a run, with every sample as it was stored.

    Args:
        metrics: a reader, or the metrics folder: a path or a URI.
        run: id of the run, the beginning of it, or `latest`.
        **options: for the visualizer: `theme`, `sensitivity`, `retention` (everything is kept by default), `timezone`
            (`UTC` by default, as everywhere in the metrics of runs).

    Raises:
        MetricsError: there is no such run.
        VisualizationError: no node metrics were recorded for it.
    """
    reader = metrics if isinstance(metrics, MetricsReader) else MetricsReader(metrics)
    run_id = reader.resolve(run)
    table = reader.nodes(run_id)
    if not table.num_rows:
        hint = "nodes are sampled every metrics.node_interval seconds; a very short run has no sample"
        raise VisualizationError(f"no node metrics were recorded for run {run_id}", hint=hint)
    wanted = [name for name in table.column_names if name in _COLUMNS]
    options.setdefault("timezone", "UTC")
    visualizer = MetricsVisualizer(options.pop("retention", HistoryRetention.everything()), **options)
    if "hostname" in table.column_names:
        pairs = zip(table["node_id"].to_pylist(), table["hostname"].to_pylist(), strict=True)
        visualizer.hosts |= {node: host for node, host in dict.fromkeys(pairs) if node and host}
    frame = table.select(wanted).to_pandas()
    frame["timestamp"] = frame["timestamp"].dt.tz_localize("UTC")
    visualizer.add_frame(frame)
    return visualizer
