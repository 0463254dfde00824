"""A visualizer of the nodes of a run that the metrics folder tells of. Beside the class, which knows of no runs."""

from __future__ import annotations

from typing import Any

from mega_data_factory.errors import VisualizationError
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.storage import Location
from mega_data_factory.visualization.history import HistoryRetention
from mega_data_factory.visualization.nodes.metric_names import KNOWN
from mega_data_factory.visualization.visualizer import MetricsVisualizer

_COLUMNS = ("node_id", "timestamp", *KNOWN)  # the table has the sizes of machines besides, which are no metrics


def from_store(metrics: MetricsReader | Location, run: str = "latest", **options: Any) -> MetricsVisualizer:
    """The nodes of a run as a visualizer, every sample as it was stored.

    Args:
        metrics: a reader, or the metrics folder: a path or a URI.
        run: id of the run, the beginning of it, or `latest`.
        **options: for the visualizer: `theme`, `sensitivity`, `retention` (everything is kept by default).

    Raises:
        MetricsError: there is no such run.
        VisualizationError: no node was watched in it.
    """
    reader = metrics if isinstance(metrics, MetricsReader) else MetricsReader(metrics)
    run_id = reader.resolve(run)
    table = reader.nodes(run_id)
    if not table.num_rows:
        hint = "nodes are sampled every metrics.node_interval seconds; a very short run has no sample"
        raise VisualizationError(f"no node was watched in the run {run_id}", hint=hint)
    wanted = [name for name in table.column_names if name in _COLUMNS]
    visualizer = MetricsVisualizer(options.pop("retention", HistoryRetention.everything()), **options)
    visualizer.add_frame(table.select(wanted).to_pandas())
    return visualizer
