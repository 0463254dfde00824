"""Families of stages and operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mega_data_factory.exports.cardinality import label
from mega_data_factory.exports.families.family import Distribution, Family, Kind, Point, flow_points
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from mega_data_factory.framework.metrics.models import OperatorMetrics


def stage_families(snapshot: ExportSnapshot, base: Mapping[str, str]) -> Iterator[Family]:
    """Yield the families of the stages."""
    rows = [({**base, "stage": label(row.stage_name)}, row) for row in snapshot.stages]
    records = [point for names, row in rows for point in flow_points(names, row.input_records, row.output_records)]
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


def _latency(names: Mapping[str, str], row: OperatorMetrics) -> list[Point]:
    # every record of a batch took the batch's time / its records: so the sum of all latencies is the time busy
    return [Point(names, Distribution(row.weighed_histogram(), row.total_time, row.min_latency, row.max_latency))]


OPERATOR_FAMILIES: Sequence[tuple[str, Kind, str, str, Callable[[Mapping[str, str], OperatorMetrics], list[Point]]]] = (
    (
        "mdf.operator.records",
        "counter",
        "{record}",
        "Records offered (in) and passed on (out).",
        lambda names, row: flow_points(names, row.input_records, row.output_records),
    ),
    (
        "mdf.operator.text",
        "counter",
        "By",
        "Bytes of text offered (in) and passed on (out); absent without a text column.",
        lambda names, row: flow_points(names, row.input_text_bytes, row.output_text_bytes),
    ),
    (
        "mdf.operator.tokens",
        "counter",
        "{token}",
        "Tokens offered (in) and passed on (out); absent if they are not counted.",
        lambda names, row: flow_points(names, row.input_tokens, row.output_tokens),
    ),
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
