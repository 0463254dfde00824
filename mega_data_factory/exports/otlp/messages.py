"""A run as messages of the OpenTelemetry protocol (OTLP 1): metrics, and one trace.

The messages are built here and not by an SDK: its instruments would have to be fed record by record, and its
histograms have fewer buckets than ours.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from mega_data_factory.exports.families import Distribution, Family, Point
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics
from mega_data_factory.framework.metrics.rows.histogram import SCALE, ZERO_BUCKET

Attribute = str | bool | int | float

_EPOCH = datetime(1970, 1, 1)

SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
"""Version of the semantic conventions that the names of resource attributes are from."""

_INSTANCES = uuid.UUID("3f1d6c0a-52f5-4f6e-9c39-6f0d4b1a8e77")
"""Namespace of `service.instance.id`; a random UUID."""


def resource_of(run: RunMetrics, attributes: Mapping[str, str]) -> Resource:
    """Return what emits: the service, the machine; named by OpenTelemetry's semantic conventions.

    `service.instance.id` is a UUID (version 5) of run, machine and process: runs at the same time never share one, and
    it stays the same for as long as the process counts.

    Args:
        run: the run.
        attributes: further ones, which win.
    """
    found: dict[str, Attribute] = {
        "service.name": "mega-data-factory",
        "service.version": run.mdf_version or "",
        "service.instance.id": str(uuid.uuid5(_INSTANCES, f"{run.run_id}\0{run.hostname}\0{run.pid}")),
        "host.name": run.hostname or "",
        **attributes,
    }
    return Resource(attributes=_attributes({name: value for name, value in found.items() if value != ""}))


def metrics_request(
    families: Iterable[Family], snapshot: ExportSnapshot, resource: Resource
) -> ExportMetricsServiceRequest:
    """Return the families as cumulative sums, gauges and exponential histograms.

    Args:
        families: of the snapshot.
        snapshot: says since when sums are summed up, and what the time is.
        resource: what emits.
    """
    started = _nanoseconds(snapshot.run.start_time)
    now = _nanoseconds(snapshot.run.heartbeat or snapshot.run.start_time)
    metrics = [_metric(family, started, now) for family in families]
    scoped = ScopeMetrics(scope=_scope(snapshot.run), metrics=metrics)
    whole = ResourceMetrics(resource=resource, scope_metrics=[scoped], schema_url=SCHEMA_URL)
    return ExportMetricsServiceRequest(resource_metrics=[whole])


def _metric(family: Family, started: int, now: int) -> Metric:
    metric = Metric(name=family.name, unit=family.unit, description=family.help)
    if family.kind == "histogram":
        points = [_distribution(point, started, now) for point in family.points]
        metric.exponential_histogram.CopyFrom(
            ExponentialHistogram(data_points=points, aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE)
        )
        return metric
    numbers = [_number(point, started, now) for point in family.points]
    if family.kind == "gauge":
        metric.gauge.CopyFrom(Gauge(data_points=numbers))
    else:
        total = Sum(data_points=numbers, aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE, is_monotonic=True)
        metric.sum.CopyFrom(total)
    return metric


def _number(point: Point, started: int, now: int) -> NumberDataPoint:
    number = NumberDataPoint(attributes=_attributes(point.labels), start_time_unix_nano=started, time_unix_nano=now)
    if isinstance(point.value, int):
        number.as_int = point.value
    else:
        assert isinstance(point.value, float)
        number.as_double = point.value
    return number


def _distribution(point: Point, started: int, now: int) -> ExponentialHistogramDataPoint:
    """Return the histogram as the protocol has it: the same bases, and the upper end belongs to a bucket in both."""
    assert isinstance(point.value, Distribution)
    counts = point.value.histogram.counts
    zeros = counts.pop(ZERO_BUCKET, 0)
    message = ExponentialHistogramDataPoint(
        attributes=_attributes(point.labels),
        start_time_unix_nano=started,
        time_unix_nano=now,
        count=zeros + sum(counts.values()),
        sum=point.value.total,
        scale=SCALE,
        zero_count=zeros,
        min=point.value.minimum,
        max=point.value.maximum,
    )
    if counts:
        lowest, highest = min(counts), max(counts)
        message.positive.offset = lowest
        message.positive.bucket_counts.extend(counts.get(bucket, 0) for bucket in range(lowest, highest + 1))
    return message


# ── the trace ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def trace_id(run_id: str) -> bytes:
    """Return 16 bytes that follow from the run id, so that all sessions of a run have the same."""
    return hashlib.sha256(run_id.encode()).digest()[:16]


def span_id(*names: object) -> bytes:
    """Return 8 bytes that follow from the names."""
    return hashlib.sha256("\0".join(map(str, names)).encode()).digest()[:8]


def trace_request(snapshot: ExportSnapshot, resource: Resource) -> ExportTraceServiceRequest:
    """Return a finished run as one trace: the run, below it its stages, below them their operators.

    The span of an operator reaches from the start of its first batch to the end of its last one; the span of a stage
    from the first to the last of its operators. An operator that saw no batch has a span of no length.

    Args:
        snapshot: of the end.
        resource: what emits.
    """
    run = snapshot.run
    trace, root = trace_id(run.run_id), span_id(run.run_id, run.hostname, run.pid)
    end = run.end_time or run.heartbeat or run.start_time
    spans = [_run_span(run, trace, root, end)]
    for stage in snapshot.stages:
        operators = [row for row in snapshot.merged_operators if row.stage_name == stage.stage_name]
        begins = {row.operator_name: snapshot.begins.get(row.key[1:3], row.timestamp) for row in operators}
        this = span_id(run.run_id, run.hostname, run.pid, stage.stage_name)
        spans.append(
            _span(
                trace,
                this,
                f"stage {stage.stage_name}",
                (min(begins.values(), default=run.start_time), max((r.timestamp for r in operators), default=end)),
                {
                    "mdf.stage": stage.stage_name,
                    "mdf.workers": stage.num_workers,
                    "mdf.records.in": stage.input_records,
                    "mdf.records.out": stage.output_records,
                    "mdf.records.rejected": stage.rejected_records,
                    "mdf.records.created": stage.created_records or None,
                    "mdf.records.errors": stage.error_count,
                },
                parent=root,
            )
        )
        spans += [_operator_span(row, run, trace, this, begins[row.operator_name]) for row in operators]
    scoped = ScopeSpans(scope=_scope(run), spans=spans)
    whole = ResourceSpans(resource=resource, scope_spans=[scoped], schema_url=SCHEMA_URL)
    return ExportTraceServiceRequest(resource_spans=[whole])


def _run_span(run: RunMetrics, trace: bytes, root: bytes, end: datetime) -> Span:
    attributes: dict[str, Attribute | None] = {
        "mdf.run_id": run.run_id,
        "mdf.pipeline": run.pipeline,
        "mdf.engine": run.engine,
        "mdf.status": run.status,
        "mdf.records.in": run.total_input_records,
        "mdf.records.out": run.total_output_records,
        "mdf.records.rejected": run.rejected_records,
        "mdf.records.created": run.created_records or None,
        "mdf.records.errors": run.total_errors,
        "mdf.balanced": run.balanced,
    }
    span = _span(trace, root, f"run {run.pipeline or ''}".rstrip(), (run.start_time, end), attributes)
    if run.status in ("failed", "interrupted"):
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=run.error or run.status))
    elif run.status == "completed":
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_OK))
    return span


def _operator_span(row: OperatorMetrics, run: RunMetrics, trace: bytes, parent: bytes, begin: datetime) -> Span:
    return _span(
        trace,
        span_id(run.run_id, run.hostname, run.pid, row.stage_name, row.operator_name),
        f"operator {row.operator_name}",
        (begin, row.timestamp),
        {
            "mdf.stage": row.stage_name,
            "mdf.operator": row.operator_name,
            "mdf.records.in": row.input_records,
            "mdf.records.out": row.output_records,
            "mdf.records.rejected": row.rejected_records,
            "mdf.records.created": row.created_records or None,
            "mdf.records.errors": row.error_count,
            "mdf.records.unmatched": row.unmatched_records,
            "mdf.busy_seconds": row.total_time,
            "mdf.latency.p50": row.p50_latency,
            "mdf.latency.p95": row.p95_latency,
            "mdf.latency.p99": row.p99_latency,
        },
        parent=parent,
    )


def _span(
    trace: bytes,
    this: bytes,
    name: str,
    times: tuple[datetime, datetime],
    attributes: Mapping[str, Attribute | None],
    parent: bytes = b"",
) -> Span:
    begin, end = times
    return Span(
        trace_id=trace,
        span_id=this,
        parent_span_id=parent,
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nanoseconds(begin),
        end_time_unix_nano=_nanoseconds(max(begin, end)),
        attributes=_attributes({name: value for name, value in attributes.items() if value is not None}),
    )


# ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _scope(run: RunMetrics) -> InstrumentationScope:
    return InstrumentationScope(name="mega_data_factory", version=run.mdf_version or "")


def _attributes(values: Mapping[str, Attribute]) -> Sequence[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in values.items()]


def _any_value(value: Attribute) -> AnyValue:
    if isinstance(value, bool):  # which is an int too
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def _nanoseconds(moment: datetime) -> int:
    """Return nanoseconds since 1970 of a naive UTC time, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
