"""Send metrics and the trace of a run over OTLP/HTTP, in protobuf."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.exports.families import ExtraLabel, Families
from mega_data_factory.exports.otlp.messages import metrics_request, resource_of, trace_request
from mega_data_factory.exports.otlp.settings import Compression, Target, resource_attributes, target_of
from mega_data_factory.exports.transport import Sender
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot

_PROTOBUF = "application/x-protobuf"

Response = TypeVar("Response", bound=Message)


class OtlpExporter(Exporter):
    """Send cumulative metrics during a run; after it send run, stages and operators as one trace.

    What a request does not deliver, the next one does: all sums count from the start of the run. The trace's id
    follows from the run id. Arguments that are None are read from the environment variables of OpenTelemetry
    (`OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT`, `_COMPRESSION`, `_PROTOCOL`, each also per signal).

    Args:
        endpoint: base address of the receiver, such as `http://localhost:4318`, the default; `/v1/metrics` and
            `/v1/traces` are added.
        headers: sent with every request, such as an API key; added to those of the environment.
        interval: seconds from one request to the next.
        timeout: seconds of silence after which a request fails; 5 by default.
        compression: `gzip`, the default, or `none`.
        traces: whether to send the trace.
        resource: further attributes of the resource, such as `deployment.environment.name`; they win over
            `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
        labels: `run_id`, `worker_id`: attributes with an unbounded number of values.
        bounds: limits on the number of series.

    Raises:
        ValueError: the endpoint is not a URL, a header is not allowed in HTTP, or a variable of the environment has a
            value that cannot be used.
    """

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        headers: Mapping[str, str] | None = None,
        interval: float = 15.0,
        timeout: float | None = None,
        compression: Compression | None = None,
        traces: bool = True,
        resource: Mapping[str, str] | None = None,
        labels: Sequence[ExtraLabel] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.interval = interval
        self._metrics, self._spans = (
            _Receiver(target_of(signal, endpoint=endpoint, headers=headers, timeout=timeout, compression=compression))
            for signal in ("metrics", "traces")
        )
        self._traces = traces
        self._resource = resource_attributes(resource or {})
        self._families = Families(labels, bounds)
        self._sent_last = False

    def export(self, snapshot: ExportSnapshot) -> None:
        """Send the metrics.

        Raises:
            MetricsError: the receiver did not take them, or not all of them.
        """
        request = metrics_request(
            self._families.from_snapshot(snapshot), snapshot, resource_of(snapshot.run, self._resource)
        )
        answer = self._metrics.send(request)
        partial = _parsed(ExportMetricsServiceResponse(), answer).partial_success
        _check_taken(partial.rejected_data_points, partial.error_message, "data points")

    def close(self, snapshot: ExportSnapshot) -> None:
        """Send the final metrics and the trace.

        Raises:
            MetricsError: the receiver did not take them, or not all of them.
        """
        if not self._sent_last:
            self.export(snapshot)
            self._sent_last = True
        if self._traces:
            request = trace_request(snapshot, resource_of(snapshot.run, self._resource))
            answer = self._spans.send(request)
            partial = _parsed(ExportTraceServiceResponse(), answer).partial_success
            _check_taken(partial.rejected_spans, partial.error_message, "spans")


class _Receiver:
    """Sends the messages of one signal."""

    def __init__(self, target: Target) -> None:
        self._packed = target.compression == "gzip"
        self._sender = Sender(target.url, target.headers, target.timeout)

    def send(self, request: Message) -> bytes:
        body = request.SerializeToString()
        if not self._packed:
            return self._sender.send("POST", "", body, Content_Type=_PROTOBUF)
        packed = gzip.compress(body, compresslevel=1)
        return self._sender.send("POST", "", packed, Content_Type=_PROTOBUF, Content_Encoding="gzip")


def _check_taken(rejected: int, reason: str, what: str) -> None:
    if rejected:
        raise MetricsError(f"the receiver refused {rejected} {what}: {reason}")


def _parsed(message: Response, answer: bytes) -> Response:
    """Return the answer, as far as it is one: a success without a body, or with a page of a proxy, is a success."""
    try:
        message.ParseFromString(answer)
    except DecodeError:
        message.Clear()
    return message
