"""Points and frames of nodes, made from the history when they are asked for and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mega_data_factory.history import MetricsHistory
from mega_data_factory.visualization.nodes.cluster_moments import cluster_moments
from mega_data_factory.visualization.nodes.selection import select
from mega_data_factory.visualization.nodes.tables import NodeTable, is_whole, node_table, whole_metrics
from mega_data_factory.visualization.nodes.zone import Zone

if TYPE_CHECKING:
    import pandas as pd


class PointViews:
    """The history as lists of dicts and as frames. Changes to what is returned do not reach the history."""

    history: MetricsHistory
    zone: Zone

    @property
    def metrics_history(self) -> dict[str, list[dict[str, Any]]]:
        """Every point by node: what was reported, and `timestamp`, a datetime without a zone.

        A metric that a point does not have is None; an attribute holds until it changes. Of what the retention has
        thinned, a point is the mean of many.
        """
        if not self.history.nodes():
            return {}
        selection = select(self.history, zone=self.zone, with_attributes=True)
        whole = whole_metrics(selection)
        return {node: self._points(node_table(selection, node), whole) for node in self._nodes()}

    def _points(self, table: NodeTable, whole: list[str]) -> list[dict[str, Any]]:
        columns: dict[str, list[Any]] = {}
        for name, values in table.columns.items():
            if values.dtype == object:
                columns[name] = values.tolist()
            elif not name.endswith(("_min", "_max")) or name in self.history.metrics(table.node):
                convert = int if name in whole and is_whole(values) else float
                columns[name] = [convert(value) if value == value else None for value in values.tolist()]
        columns["timestamp"] = [self.zone.clock(time) for time in table.times.tolist()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _nodes(self) -> list[str]:
        """Return the nodes in the order in which they first reported."""
        return sorted(self.history.nodes(), key=lambda node: (self.history.span(node) or (0, 0))[0])

    @property
    def node_metrics(self) -> dict[str, pd.DataFrame]:
        """A frame for each node: index `timestamp` (without a zone), a column for each metric and attribute."""
        from mega_data_factory.visualization.nodes.frames import NODE, TIME, frame_of

        return {
            node: frame_of(select(self.history, node, zone=self.zone, with_attributes=True))
            .drop(columns=NODE)
            .set_index(TIME)
            for node in self._nodes()
        }

    @property
    def cluster_metrics(self) -> pd.DataFrame:
        """The cluster at every moment at which a node reported, see `ClusterMoments`; an empty frame without points.

        Index `timestamp` (without a zone); `avg_cpu_usage`, `avg_memory_usage`, `avg_disk_usage`, `total_network_io`,
        `active_nodes`, `degraded_nodes`, `unhealthy_nodes`, and `partitions_per_node`, a list for each row.
        """
        import pandas as pd

        if not self.history.nodes():
            return pd.DataFrame()
        found = cluster_moments(select(self.history, zone=self.zone, with_attributes=True))
        columns: dict[str, Any] = {f"avg_{metric}": values for metric, values in found.averages.items()}
        columns["total_network_io"] = found.network
        columns |= {f"{state}_nodes": count for state, count in found.states.items()}
        columns["partitions_per_node"] = found.partitions
        return pd.DataFrame(columns, index=pd.Index(self.zone.datetimes(found.times), name="timestamp"))

    def _update_dataframes(self) -> None:
        """Do nothing: `node_metrics` and `cluster_metrics` are made of the history whenever they are read."""
