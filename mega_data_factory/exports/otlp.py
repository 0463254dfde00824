"""Send metrics and the trace of a run over OTLP/HTTP, in protobuf."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.exports.families import ExtraLabel, Families
from mega_data_factory.exports.otlp_messages import metrics_request, resource_of, trace_request
from mega_data_factory.exports.transport import Sender
from mega_data_factory.framework.metrics.exporting import Exporter, ExportSnapshot

_PROTOBUF = "application/x-protobuf"

Response = TypeVar("Response", bound=Message)


class OtlpExporter(Exporter):
    """Sends cumulative metrics while a run goes on, and run, stages and operators as one trace when it has ended.

    What a request does not deliver, the next one does: all sums count from the start of the run. The trace's id
    follows from the run id.

    Args:
        endpoint: base of the receiver, such as `http://localhost:4318`; `/v1/metrics` and `/v1/traces` are added.
        headers: sent with every request, such as an API key.
        interval: seconds from one request to the next.
        timeout: seconds that the receiver may be silent.
        traces: whether to send the trace.
        resource: further attributes of the resource, such as `deployment.environment.name`.
        labels: `run_id`, `worker_id`: attributes without a bound, for who wants them.
        bounds: how many series there may be.

    Raises:
        ValueError: the endpoint is no URL, or a header is none of HTTP.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        headers: Mapping[str, str] | None = None,
        interval: float = 15.0,
        timeout: float = 5.0,
        traces: bool = True,
        resource: Mapping[str, str] | None = None,
        labels: Sequence[ExtraLabel] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.interval = interval
        self._sender = Sender(endpoint, headers, timeout)
        self._traces = traces
        self._resource = dict(resource or {})
        self._families = Families(labels, bounds)
        self._first_seen: dict[tuple[str, str], datetime] = {}
        self._sent_last = False

    def export(self, snapshot: ExportSnapshot) -> None:
        """Send the metrics.

        Raises:
            MetricsError: the receiver did not take them, or not all of them.
        """
        self._note_operators(snapshot)
        request = metrics_request(self._families.of(snapshot), snapshot, resource_of(snapshot.run, self._resource))
        answer = self._send("/v1/metrics", request.SerializeToString())
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
            request = trace_request(snapshot, self._first_seen, resource_of(snapshot.run, self._resource))
            answer = self._send("/v1/traces", request.SerializeToString())
            partial = _parsed(ExportTraceServiceResponse(), answer).partial_success
            _check_taken(partial.rejected_spans, partial.error_message, "spans")

    def _note_operators(self, snapshot: ExportSnapshot) -> None:
        for row in snapshot.operators:
            if row.batches:
                self._first_seen.setdefault((row.stage_name, row.operator_name), row.timestamp)

    def _send(self, path: str, body: bytes) -> bytes:
        packed = gzip.compress(body, compresslevel=1)
        return self._sender.send("POST", path, packed, Content_Type=_PROTOBUF, Content_Encoding="gzip")


def _check_taken(rejected: int, reason: str, what: str) -> None:
    if rejected:
        raise MetricsError(f"the receiver refused {rejected} {what}: {reason}")


def _parsed(message: Response, answer: bytes) -> Response:
    """The answer, as far as it is one: a success without a body, or with a page of a proxy, is a success."""
    try:
        message.ParseFromString(answer)
    except DecodeError:
        message.Clear()
    return message
