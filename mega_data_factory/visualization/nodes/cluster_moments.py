"""The cluster as a whole at moments: averages, sums, and how many nodes are in which state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mega_data_factory.history import Series
from mega_data_factory.visualization.nodes.clocks import common_pause, typical_pause
from mega_data_factory.visualization.nodes.metric_names import PARTITION_COUNT, PARTITIONS, STATUS, STATUS_CODES
from mega_data_factory.visualization.nodes.selection import Selection

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

AVERAGES = ("cpu_usage", "memory_usage", "disk_usage")
TOTAL = "network_io"


@dataclass
class ClusterMoments:
    """The nodes that report, together, at moments.

    A node counts from each of its points until its next one is due, its usual pause later: nodes whose clocks tick
    apart are seen together, and one that fell silent is not seen. The pause of a node with a single point is that of
    the node in the middle; if no node has a second point yet, all count until the end.

    Attributes:
        times: int64 (n,), microseconds since 1970-01-01 UTC.
        averages: of each of `AVERAGES` the mean over the nodes that have it, float64 (n,), NaN if none has.
        network: sum of `network_io` over the nodes that have it, float64 (n,), NaN if none has.
        states: of each state the number of nodes, (n,).
        nodes: number of nodes, (n,).
        partitions: for each moment the partitions that each of its nodes holds.
    """

    times: Times
    averages: dict[str, Values] = field(default_factory=dict)
    network: Values = field(default_factory=lambda: np.empty(0))
    states: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    nodes: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    partitions: list[list[int]] = field(default_factory=list)


def cluster_moments(selection: Selection, *, last: bool = False) -> ClusterMoments:
    """Return the cluster at every moment at which a node has a point, or at the last of them alone."""
    points = {node: selection.series(node, "").timestamps for node in selection.nodes}
    times = np.unique(np.concatenate([*points.values()])) if points else np.empty(0, np.int64)
    found = ClusterMoments(times[-1:] if last else times)
    sums = {metric: np.zeros((2, len(found.times))) for metric in (*AVERAGES, TOTAL)}
    found.states = {state: np.zeros(len(found.times), np.int64) for state in STATUS_CODES}
    found.nodes = np.zeros(len(found.times), np.int64)
    found.partitions = [[] for _ in found.times]
    pauses = _pauses(selection, points)
    for node, ticks in points.items():
        current = _Current(selection, node, ticks, found.times, pauses[node])
        for metric, (total, count) in sums.items():
            values = current.values(metric)
            known = np.isfinite(values)
            total += np.where(known, values, 0.0)
            count += known
        codes = np.ceil(current.values(STATUS))
        for state, code in STATUS_CODES.items():
            found.states[state] += codes == code
        found.nodes += current.there
        for row, held in zip(np.flatnonzero(current.there).tolist(), current.partitions(), strict=True):
            found.partitions[row].append(held)
    with np.errstate(invalid="ignore"):
        found.averages = {metric: sums[metric][0] / sums[metric][1] for metric in AVERAGES}
    found.network = np.where(sums[TOTAL][1] > 0, sums[TOTAL][0], np.nan)
    return found


def _pauses(selection: Selection, points: Mapping[str, Times]) -> dict[str, int]:
    known = {node: typical_pause(selection, node) for node, ticks in points.items() if len(ticks) > 1}
    others = common_pause(known) if known else selection.end - selection.start + 1
    return {node: known.get(node, others) for node in points}


class _Current:
    """The rows of one node that hold at moments.

    Args:
        selection: where the node is.
        node: its id.
        ticks: times of its rows.
        times: the moments.
        pause: its usual microseconds between points.
    """

    def __init__(self, selection: Selection, node: str, ticks: Times, times: Times, pause: int) -> None:
        self._selection, self._node, self._ticks, self._times = selection, node, ticks, times
        self._at = np.searchsorted(ticks, times, "right") - 1
        widths = selection.series(node, "").interval
        reach = np.maximum(pause, widths)
        row = np.maximum(self._at, 0)
        self.there = (self._at >= 0) & (times - ticks[row] < reach[row]) if len(ticks) else np.zeros(len(times), bool)

    def values(self, metric: str) -> Values:
        """Return a metric at the moments; NaN if the node is not there, or did not measure it."""
        found = np.full(len(self._times), np.nan)
        series: Series = self._selection.series(self._node, metric)
        values = series.maximum if metric == STATUS else series.values
        found[self.there] = values[self._at[self.there]]
        return found

    def partitions(self) -> Sequence[int]:
        """Return how many partitions the node holds at each moment at which it is there; 0 if it does not say."""
        changes = self._selection.history.attributes(self._node).changes.get(PARTITIONS)
        if changes is not None:
            listed = changes.at(self._ticks[self._at[self.there]])
            return [len(held) if isinstance(held, tuple) else 0 for held in listed]
        counts = self.values(PARTITION_COUNT)[self.there]
        return [int(count) for count in np.nan_to_num(counts).tolist()]
