"""OTLP/HTTP against a receiver that decodes what it gets: counts, sums, buckets and the trace."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    ExponentialHistogramDataPoint,
    Metric,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.otlp.exporter import OtlpExporter
from mega_data_factory.exports.otlp.messages import trace_id
from mega_data_factory.framework.metrics import LatencyHistogram, OperatorMetrics
from mega_data_factory.framework.metrics.rows.histogram import ZERO_BUCKET
from tests.exports.snapshots import NOW, START, Receiver, operator, receiving, snapshot


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as at_work:
        yield at_work


def texts(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in attributes}


def metrics(receiver: Receiver, number: int = -1) -> dict[str, Metric]:
    request = ExportMetricsServiceRequest.FromString(receiver.sent("POST", "/v1/metrics")[number].body)
    (resource,) = request.resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "mega_data_factory"
    return {metric.name: metric for metric in scope.metrics}


def spans(receiver: Receiver) -> dict[str, Span]:
    request = ExportTraceServiceRequest.FromString(receiver.sent("POST", "/v1/traces")[-1].body)
    return {span.name: span for span in request.resource_spans[0].scope_spans[0].spans}


def decoded(point: ExponentialHistogramDataPoint) -> LatencyHistogram:
    """The histogram that a point of OTLP describes."""
    pairs = [(point.positive.offset + at, count) for at, count in enumerate(point.positive.bucket_counts) if count]
    zeros = [(ZERO_BUCKET, point.zero_count)] if point.zero_count else []
    return LatencyHistogram.from_pairs([*zeros, *pairs])


def test_sums_are_cumulative_since_the_start_of_the_run(receiver: Receiver) -> None:
    """Counters arrive as monotonic cumulative sums, whole numbers as such, from the start of the run to now."""
    OtlpExporter(endpoint=receiver.url).export(snapshot())
    records = metrics(receiver)["mdf.operator.records"]
    assert records.sum.is_monotonic
    assert records.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    values = {(texts(p.attributes)["operator"], texts(p.attributes)["direction"]): p for p in records.sum.data_points}
    assert values["a", "in"].as_int == 4000
    assert values["a", "out"].as_int == 3560
    assert values["a", "in"].start_time_unix_nano == 1769256000_250_000_000
    assert values["a", "in"].time_unix_nano == 1769256300_000_000_000
    assert metrics(receiver)["mdf.node.cpu.usage"].gauge.data_points[0].as_double == 0.5


def test_histograms_arrive_bucket_by_bucket(receiver: Receiver) -> None:
    """The exponential histogram of an operator is, decoded, the histogram of the store: nothing is lost."""
    given = snapshot()
    OtlpExporter(endpoint=receiver.url).export(given)
    latency = metrics(receiver)["mdf.operator.latency"]
    assert latency.unit == "s"
    points = {texts(point.attributes)["operator"]: point for point in latency.exponential_histogram.data_points}
    for row in given.merged_operators:
        point = points[row.operator_name]
        assert point.scale == 6
        assert decoded(point) == row.latency_histogram
        assert point.count == row.input_records == point.zero_count + sum(point.positive.bucket_counts)
        assert (point.sum, point.min, point.max) == (row.total_time, row.min_latency, row.max_latency)


def test_zero_and_nothing_have_their_place(receiver: Receiver) -> None:
    """Latencies of 0 are in the zero count; an idle operator has an empty histogram without extremes."""
    zero = OperatorMetrics("run_1", "clean", "zero", "w", NOW)
    zero.observe(0.0, 5, 5)
    idle = OperatorMetrics("run_1", "clean", "idle", "w", NOW, operator_index=1)
    OtlpExporter(endpoint=receiver.url).export(snapshot([zero, idle]))
    points = metrics(receiver)["mdf.operator.latency"].exponential_histogram.data_points
    first, second = sorted(points, key=lambda point: -point.count)
    assert (first.count, first.zero_count, list(first.positive.bucket_counts)) == (5, 5, [])
    assert (second.count, second.HasField("min"), second.HasField("max")) == (0, False, False)


def test_who_emits_is_a_resource(receiver: Receiver) -> None:
    """The resource names service, version and machine, and what the configuration adds; no run id."""
    OtlpExporter(endpoint=receiver.url, resource={"deployment.environment.name": "test"}).export(snapshot())
    (whole,) = ExportMetricsServiceRequest.FromString(receiver.requests[0].body).resource_metrics
    found = texts(whole.resource.attributes)
    assert uuid.UUID(str(found.pop("service.instance.id"))).version == 5
    assert found == {
        "service.name": "mega-data-factory",
        "service.version": "1.0",
        "host.name": "machine",
        "deployment.environment.name": "test",
    }
    assert whole.schema_url.startswith("https://opentelemetry.io/schemas/1.")
    assert b"run_1" not in receiver.requests[0].body


def test_two_runs_at_once_are_two_instances(receiver: Receiver) -> None:
    """Counters of two processes never mix: the instance differs by run and by process, and stays the same in one."""
    exporter = OtlpExporter(endpoint=receiver.url)
    for run in ({}, {}, {"run_id": "run_2"}, {"pid": 8}):
        exporter.export(snapshot([], **run))
    first, again, other, resumed = (
        texts(ExportMetricsServiceRequest.FromString(request.body).resource_metrics[0].resource.attributes)[
            "service.instance.id"
        ]
        for request in receiver.requests
    )
    assert first == again
    assert len({first, other, resumed}) == 3


def test_requests_are_packed_protobuf_with_the_headers_given(receiver: Receiver) -> None:
    """A request is gzip-packed protobuf and carries the configured headers."""
    OtlpExporter(endpoint=f"{receiver.url}/", headers={"x-api-key": "abc"}).export(snapshot())
    (request,) = receiver.requests
    assert request.path == "/v1/metrics"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["x-api-key"] == "abc"


def test_compression_can_be_off(receiver: Receiver) -> None:
    """With `compression: none` the body is bare protobuf and says nothing of an encoding."""
    OtlpExporter(endpoint=receiver.url, compression="none").export(snapshot())
    (request,) = receiver.requests
    assert "content-encoding" not in request.headers
    assert ExportMetricsServiceRequest.FromString(request.body).resource_metrics


def test_a_run_is_one_trace(receiver: Receiver) -> None:
    """Run, stages and operators are spans of one trace, each below the one it is part of, with their counts."""
    exporter = OtlpExporter(endpoint=receiver.url)
    rows = [operator("a"), operator("b", index=1)]
    rows[1].observe(1.0, 10, 30, created_records=20)
    later = snapshot(rows, status="completed", end_time=NOW, balanced=True)
    begins = {("clean", "a"): START + timedelta(seconds=10)}
    exporter.close(replace(later, begins=begins))
    found = spans(receiver)
    assert list(found) == ["run demo", "stage clean", "operator a", "operator b"]
    run, stage, a = found["run demo"], found["stage clean"], found["operator a"]
    assert {span.trace_id for span in found.values()} == {trace_id("run_1")}
    assert (run.parent_span_id, stage.parent_span_id, a.parent_span_id) == (b"", run.span_id, stage.span_id)
    assert len({span.span_id for span in found.values()}) == 4
    assert (run.start_time_unix_nano, run.end_time_unix_nano) == (1769256000_250_000_000, 1769256300_000_000_000)
    assert (a.start_time_unix_nano, a.end_time_unix_nano) == (1769256010_250_000_000, 1769256300_000_000_000)
    assert (stage.start_time_unix_nano, stage.end_time_unix_nano) == (a.start_time_unix_nano, a.end_time_unix_nano)
    assert run.status.code == Status.STATUS_CODE_OK
    attributes = texts(run.attributes)
    assert (attributes["mdf.run_id"], attributes["mdf.records.in"], attributes["mdf.balanced"]) == (
        "run_1",
        4000,
        True,
    )
    assert texts(a.attributes)["mdf.records.rejected"] == 200
    assert texts(a.attributes)["mdf.records.unmatched"] == 80
    created = {name: texts(span.attributes).get("mdf.records.created") for name, span in found.items()}
    assert created == {"run demo": None, "stage clean": 20, "operator a": None, "operator b": 20}


def test_a_run_that_failed_is_an_error_in_the_trace(receiver: Receiver) -> None:
    """The span of a failed run has the status error and says why."""
    OtlpExporter(endpoint=receiver.url).close(snapshot(status="failed", error="OutputError: disk full", end_time=NOW))
    status = spans(receiver)["run demo"].status
    assert (status.code, status.message) == (Status.STATUS_CODE_ERROR, "OutputError: disk full")


def test_traces_can_be_left_out(receiver: Receiver) -> None:
    """Without traces only metrics are sent, the final ones at the end."""
    OtlpExporter(endpoint=receiver.url, traces=False).close(snapshot(status="completed"))
    assert [request.path for request in receiver.requests] == ["/v1/metrics"]


def test_a_refused_part_is_an_error(receiver: Receiver) -> None:
    """A receiver that took only a part of the points has refused, and says why."""
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 3
    answer.partial_success.error_message = "too many"
    receiver.body = answer.SerializeToString()
    with pytest.raises(MetricsError, match="refused 3 data points: too many"):
        OtlpExporter(endpoint=receiver.url).export(snapshot())


def test_an_answer_that_is_no_protobuf_is_no_matter(receiver: Receiver) -> None:
    """A success is a success, whatever a proxy writes below it."""
    receiver.body = b"<html>thanks</html>"
    OtlpExporter(endpoint=receiver.url).export(snapshot())


@pytest.mark.parametrize("status", [400, 404, 429, 503])
def test_a_status_that_is_no_success_is_an_error(receiver: Receiver, status: int) -> None:
    """Errors of the receiver are ours to report, with the status."""
    receiver.answer = status
    with pytest.raises(MetricsError, match=f"answered {status}"):
        OtlpExporter(endpoint=receiver.url).export(snapshot())


def test_what_a_receiver_says_cannot_steer_a_terminal(receiver: Receiver) -> None:
    """Control characters in an answer are not repeated in the error."""
    receiver.answer, receiver.body = 400, b"\x1b[2Jno\x00"
    with pytest.raises(
        MetricsError, match=r"answered 400 .*: \N{REPLACEMENT CHARACTER}\[2Jno\N{REPLACEMENT CHARACTER}$"
    ):
        OtlpExporter(endpoint=receiver.url).export(snapshot())


def test_silence_has_a_limit() -> None:
    """A receiver that takes the connection and never answers is an error after `timeout` seconds."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(MetricsError, match="timed out"):
            OtlpExporter(endpoint=url, timeout=0.1).export(snapshot())
