"""A snapshot of a run as families of metrics, in words that Prometheus and OpenTelemetry share.

Names are OpenTelemetry's (dots, unit apart, UCUM); the translation that its specification gives for Prometheus makes
`mdf.operator.busy` in `s`, a counter, `mdf_operator_busy_seconds_total`. So one dashboard serves both.

Source: OpenTelemetry, "Prometheus and OpenMetrics compatibility", section "OTLP metric points to Prometheus".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from mega_data_factory.exports.cardinality import Bounds, label
from mega_data_factory.exports.families.family import Distribution, Family, Point
from mega_data_factory.exports.families.of_nodes import NODE_FAMILIES, NODE_STATUSES
from mega_data_factory.exports.families.of_run import exporter_families, run_families
from mega_data_factory.exports.families.of_stages import OPERATOR_FAMILIES, stage_families
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from mega_data_factory.framework.metrics.nodes import NodeMetrics

__all__ = ["Distribution", "ExtraLabel", "Families", "Family", "Point"]

ExtraLabel = Literal["run_id", "worker_id"]
"""A label that grows without bound over runs, or with the size of the cluster: only for who asks for it."""


class Families:
    """Turns snapshots of one run into families; remembers who was admitted to labels of their own.

    Args:
        labels: labels beside the bounded ones.
        bounds: how many series there may be.
    """

    def __init__(self, labels: Sequence[ExtraLabel] = (), bounds: Bounds | None = None) -> None:
        self._with_run = "run_id" in labels
        self._with_worker = "worker_id" in labels
        self._bounds = bounds or Bounds()

    def from_snapshot(self, snapshot: ExportSnapshot) -> list[Family]:
        """Return the families of a snapshot; those without points are left out."""
        base = {"pipeline": label(snapshot.run.pipeline)}
        if self._with_run:
            base["run_id"] = snapshot.run.run_id
        found = [
            *run_families(snapshot, base),
            *stage_families(snapshot, base),
            *self._of_operators(snapshot, base),
            *self._of_nodes(snapshot.nodes, base),
            *exporter_families(snapshot, base),
        ]
        return [family for family in found if family.points]

    def _of_operators(self, snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
        rows = snapshot.operators if self._with_worker else snapshot.merged_operators
        named = []
        for row in self._bounds.operators(rows, by_worker=self._with_worker):
            names = {**base, "stage": label(row.stage_name), "operator": label(row.operator_name)}
            if self._with_worker:
                names["worker_id"] = label(row.worker_id)
            named.append((names, row))
        for name, kind, unit, text, points in OPERATOR_FAMILIES:
            yield Family(name, kind, unit, text, [point for names, row in named for point in points(names, row)])
        rejected = [
            Point({**names, "reason": label(reason)}, count)
            for names, row in named
            for reason, count in self._bounds.reasons(row).items()
        ]
        yield Family("mdf.operator.rejected.records", "counter", "{record}", "Records rejected, by reason.", rejected)

    def _of_nodes(self, nodes: Sequence[NodeMetrics], base: Mapping[str, str]) -> Iterator[Family]:
        if not nodes:
            return
        named = ((self._bounds.node(row), row) for row in nodes)
        known = [({**base, "node": label(name)}, row) for name, row in named if name is not None]
        for name, unit, text, value in NODE_FAMILIES:
            points = [Point(names, found) for names, row in known if (found := value(row)) is not None]
            yield Family(name, "gauge", unit, text, points)
        states = [
            Point({**names, "status": status}, float(row.status == status))
            for names, row in known
            for status in NODE_STATUSES
        ]
        yield Family("mdf.node.status", "gauge", "", "1 for the status that the node has, 0 for the others.", states)
        counts = [
            Point({**base, "status": status}, sum(row.status == status for row in nodes)) for status in NODE_STATUSES
        ]
        yield Family("mdf.run.nodes", "gauge", "{node}", "Nodes, by status.", counts)
