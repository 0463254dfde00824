"""A snapshot of a run as families of metrics, in words that Prometheus and OpenTelemetry share.

Names are OpenTelemetry's (dots, unit apart, UCUM); the translation that its specification gives for Prometheus makes
`mdf.operator.busy` in `s`, a counter, `mdf_operator_busy_seconds_total`. So one dashboard serves both.

Source: OpenTelemetry, "Prometheus and OpenMetrics compatibility", section "OTLP metric points to Prometheus".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from mega_data_factory.exports.cardinality import Bounds, label
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.nodes import NodeMetrics
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram

Kind = Literal["counter", "gauge", "histogram"]

ExtraLabel = Literal["run_id", "worker_id"]
"""A label that grows without bound over runs, or with the size of the cluster: only for who asks for it."""

STATUSES = ("running", "completed", "failed", "interrupted")
NODE_STATUSES = ("active", "degraded", "unhealthy")


@dataclass(frozen=True)
class Distribution:
    """The value of a histogram's point.

    Attributes:
        histogram: counts by bucket.
        total: sum of all values.
        minimum: the least value; None when there is none.
        maximum: the largest.
    """

    histogram: LatencyHistogram
    total: float
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class Point:
    """A value and what it is of."""

    labels: Mapping[str, str]
    value: float | Distribution


@dataclass(frozen=True)
class Family:
    """Points that share a name.

    Attributes:
        name: with dots.
        kind: counters only grow while a process lives.
        unit: in UCUM; annotations in braces.
        help: one sentence.
        points: at most one for a set of labels.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    points: list[Point] = field(default_factory=list)


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
            *_of_run(snapshot, base),
            *_of_stages(snapshot, base),
            *self._of_operators(snapshot, base),
            *self._of_nodes(snapshot.nodes, base),
            *_of_exports(snapshot, base),
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
        for name, kind, unit, text, points in _OPERATOR:
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
        for name, unit, text, value in _NODE:
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


def seconds_since_epoch(moment: datetime | None) -> float | None:
    """Return a naive UTC time as Unix time; None for None."""
    return None if moment is None else moment.replace(tzinfo=UTC).timestamp()


# ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_RUN: Sequence[tuple[str, Kind, str, str, str]] = (
    ("mdf.run.duration", "gauge", "s", "Seconds since the run started, or that it took.", "duration"),
    (
        "mdf.run.planned.records",
        "gauge",
        "{record}",
        "Records of the source, where it knows.",
        "planned_records",
    ),
    ("mdf.run.committed.records", "counter", "{record}", "Records in finished files.", "committed_records"),
    ("mdf.run.dead_lettered.records", "counter", "{record}", "Records that killed workers.", "dead_lettered_records"),
    ("mdf.run.loader.errors", "counter", "{record}", "Records that could not be read.", "loader_errors"),
    ("mdf.run.batches", "counter", "{batch}", "Batches committed.", "batches"),
    ("mdf.run.retried.batches", "counter", "{batch}", "Batches that took more than one attempt.", "retried_batches"),
    ("mdf.run.output.files", "counter", "{file}", "Files written.", "output_files"),
    ("mdf.run.output", "counter", "By", "Bytes written.", "output_bytes"),
    ("mdf.run.loader.busy", "counter", "s", "Seconds busy reading, over all workers.", "loader_seconds"),
    ("mdf.run.writer.busy", "counter", "s", "Seconds busy writing, over all workers.", "writer_seconds"),
    ("mdf.run.instrumentation", "counter", "s", "Seconds that measuring itself took.", "instrumentation_seconds"),
    ("mdf.run.flush.failures", "counter", "{failure}", "Failed attempts to write metrics files.", "flush_failures"),
    (
        "mdf.run.balanced",
        "gauge",
        "",
        "1 when every record is accounted for, else 0; absent before.",
        "balanced",
    ),
    ("mdf.run.unbalanced.records", "gauge", "{record}", "Records not accounted for.", "unbalanced_records"),
)
"""Name, kind, unit, help, column of the run row."""


def _of_run(snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
    run = snapshot.run
    info = {**base, "engine": label(run.engine), "version": label(run.mdf_version)}
    yield Family("mdf.run.info", "gauge", "", "What runs; always 1.", [Point(info, 1)])
    states = [Point({**base, "status": status}, float(run.status == status)) for status in STATUSES]
    yield Family("mdf.run.status", "gauge", "", "1 for the status that the run has, 0 for the others.", states)
    yield Family(
        "mdf.run.records",
        "counter",
        "{record}",
        "Records read by the loader (in) and committed by the writer (out).",
        [
            Point({**base, "direction": "in"}, run.total_input_records),
            Point({**base, "direction": "out"}, run.total_output_records),
        ],
    )
    text = "Records past all stages whose file is not finished."
    yield Family("mdf.run.in_flight.records", "gauge", "{record}", text, [Point(base, snapshot.in_flight.records)])
    text = "Share of the source that has passed all stages, by records, bytes or splits; absent while unknown."
    shares = [] if run.source_share is None else [Point({**base, "by": label(run.source_unit)}, run.source_share)]
    yield Family("mdf.run.progress", "gauge", "1", text, shares)
    for what, moment in (("start", run.start_time), ("end", run.end_time), ("heartbeat", run.heartbeat)):
        points = [] if moment is None else [Point(base, seconds_since_epoch(moment) or 0.0)]
        yield Family(f"mdf.run.{what}.timestamp", "gauge", "s", f"Unix time of the run's {what}.", points)
    for name, kind, unit, text, column in _RUN:
        value = getattr(run, column)
        yield Family(name, kind, unit, text, [] if value is None else [Point(base, float(value))])


# ── stages, operators ─────────────────────────────────────────────────────────────────────────────────────────────────


def _of_stages(snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
    rows = [({**base, "stage": label(row.stage_name)}, row) for row in snapshot.stages]
    records = [
        Point({**names, "direction": direction}, count)
        for names, row in rows
        for direction, count in (("in", row.input_records), ("out", row.output_records))
    ]
    yield Family(
        "mdf.stage.records", "counter", "{record}", "Records into the first, out of the last operator.", records
    )
    workers = [Point(names, row.num_workers) for names, row in rows]
    yield Family("mdf.stage.workers", "gauge", "{worker}", "Distinct workers so far.", workers)
    backlogs = [Point({**base, "stage": label(stage)}, count) for stage, count in snapshot.in_flight.backlogs.items()]
    yield Family(
        "mdf.stage.backlog", "gauge", "{batch}", "Batches that wait for it or that its workers hold.", backlogs
    )
    busiest = [Point(names, row.total_time) for names, row in rows]
    yield Family("mdf.stage.bottleneck", "counter", "s", "Busy seconds of the busiest worker.", busiest)


def _directions(names: Mapping[str, str], row: OperatorMetrics) -> list[Point]:
    return [
        Point({**names, "direction": "in"}, row.input_records),
        Point({**names, "direction": "out"}, row.output_records),
    ]


def _latency(names: Mapping[str, str], row: OperatorMetrics) -> list[Point]:
    # every record of a batch took the batch's time / its records: so the sum of all latencies is the time busy
    return [Point(names, Distribution(row.weighed_histogram(), row.total_time, row.min_latency, row.max_latency))]


_OPERATOR: Sequence[tuple[str, Kind, str, str, Callable[[Mapping[str, str], OperatorMetrics], list[Point]]]] = (
    ("mdf.operator.records", "counter", "{record}", "Records offered (in) and passed on (out).", _directions),
    (
        "mdf.operator.errors",
        "counter",
        "{record}",
        "Records that raised and were set aside.",
        lambda names, row: [Point(names, row.error_count)],
    ),
    (
        "mdf.operator.unmatched.records",
        "counter",
        "{record}",
        "Of the records passed on, those that did not match the operator's condition.",
        lambda names, row: [Point(names, row.unmatched_records)],
    ),
    (
        "mdf.operator.created.records",
        "counter",
        "{record}",
        "Records made beside those offered; absent without any.",
        lambda names, row: [Point(names, row.created_records)] if row.created_records else [],
    ),
    (
        "mdf.operator.busy",
        "counter",
        "s",
        "Seconds busy, over all workers.",
        lambda names, row: [Point(names, row.total_time)],
    ),
    (
        "mdf.operator.batches",
        "counter",
        "{batch}",
        "Batches measured.",
        lambda names, row: [Point(names, row.batches)],
    ),
    ("mdf.operator.latency", "histogram", "s", "Seconds per record, weighted by records.", _latency),
)


# ── nodes, exporters ──────────────────────────────────────────────────────────────────────────────────────────────────


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


_NODE: Sequence[tuple[str, str, str, Callable[[NodeMetrics], float | None]]] = (
    ("mdf.node.cpu.usage", "1", "Share of CPU time in use.", lambda row: _share(row.cpu_usage)),
    ("mdf.node.cpu.run_usage", "1", "Share of CPU time that the run used.", lambda row: _share(row.run_cpu_usage)),
    ("mdf.node.memory.usage", "1", "Share of memory in use.", lambda row: _share(row.memory_usage)),
    ("mdf.node.disk.usage", "1", "Share in use of the fullest file system.", lambda row: _share(row.disk_usage)),
    ("mdf.node.gpu.usage", "1", "Share of time that GPU kernels ran.", lambda row: _share(row.gpu_usage)),
    ("mdf.node.gpu_memory.usage", "1", "Share of GPU memory in use.", lambda row: _share(row.gpu_memory_usage)),
    ("mdf.node.network.io", "By/s", "Bytes received and sent.", lambda row: row.network_io),
    ("mdf.node.disk.io", "By/s", "Bytes read and written.", lambda row: row.disk_io),
    ("mdf.node.disk.operations", "{operation}/s", "Reads and writes.", lambda row: row.iops),
    ("mdf.node.partitions", "{batch}", "Batches that workers of the node hold.", lambda row: row.partition_count),
    ("mdf.node.object_store", "By", "Bytes used of the object store.", lambda row: row.object_store_memory),
    ("mdf.node.timestamp", "s", "Unix time of the measurement.", lambda row: seconds_since_epoch(row.timestamp)),
)


def _of_exports(snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
    rows = [({**base, "exporter": label(health.exporter)}, health) for health in snapshot.exports]
    failures = [Point(names, health.failures) for names, health in rows]
    yield Family("mdf.export.failures", "counter", "{failure}", "Exports that failed.", failures)
    successes = [
        Point(names, moment)
        for names, health in rows
        if (moment := seconds_since_epoch(health.last_success)) is not None
    ]
    text = "Unix time of the last export that succeeded."
    yield Family("mdf.export.success.timestamp", "gauge", "s", text, successes)
