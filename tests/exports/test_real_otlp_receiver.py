"""OTLP through a collector that others wrote: Rotel decodes what we send, and sends on what it understood."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mega_data_factory.exports.otlp.exporter import OtlpExporter
from tests.exports.snapshots import NOW, START, Receiver, receiving, snapshot
from tests.exports.test_otlp import decoded, texts
from tests.exports.test_runs import free_port
from tests.processes import end

pytestmark = pytest.mark.slow


@contextmanager
def collector(folder: Path, onward: str) -> Iterator[str]:
    """Run a collector that passes everything to `onward`; yield its address once it listens."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(files("rotel") / "rotel-agent"),
        "start",
        f"--otlp-http-endpoint={address}",
        f"--otlp-grpc-endpoint=127.0.0.1:{free_port()}",
        "--exporter=otlp",
        f"--otlp-exporter-endpoint={onward}",
        "--otlp-exporter-protocol=http",
        "--disable-batching",
        f"--pid-file={folder / 'pid'}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for_port(process, int(address.rpartition(":")[2]), folder / "log")
        yield f"http://{address}"
    finally:
        end(process)


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, f"the collector ended: {log.read_text()}"
        assert time.monotonic() < deadline, "the collector does not listen"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)


def _arrived(receiver: Receiver, path: str) -> bytes:
    deadline = time.monotonic() + 60
    while not (sent := receiver.sent("POST", path)):
        assert time.monotonic() < deadline, f"nothing came to {path}"
        time.sleep(0.05)
    return sent[0].body


def test_a_collector_understands_all_that_is_sent(tmp_path: Path) -> None:
    """Sums, every histogram bucket, the resource and the spans of the trace pass a foreign collector unchanged."""
    begins = {("clean", "a"): START + timedelta(seconds=2), ("clean", "b"): START + timedelta(seconds=3)}
    given = replace(snapshot(status="completed", end_time=NOW), begins=begins)
    with receiving() as receiver, collector(tmp_path, receiver.url) as address:
        OtlpExporter(endpoint=address, resource={"team": "data"}).close(given)
        metrics = ExportMetricsServiceRequest.FromString(_arrived(receiver, "/v1/metrics"))
        trace = ExportTraceServiceRequest.FromString(_arrived(receiver, "/v1/traces"))
    (whole,) = metrics.resource_metrics
    assert texts(whole.resource.attributes)["team"] == "data"
    found = {metric.name: metric for metric in whole.scope_metrics[0].metrics}
    records = {
        (texts(point.attributes)["operator"], texts(point.attributes)["direction"]): point.as_int
        for point in found["mdf.operator.records"].sum.data_points
    }
    histograms = {
        texts(point.attributes)["operator"]: decoded(point)
        for point in found["mdf.operator.latency"].exponential_histogram.data_points
    }
    for row in given.merged_operators:
        assert records[row.operator_name, "in"] == row.input_records
        assert records[row.operator_name, "out"] == row.output_records
        assert histograms[row.operator_name] == row.latency_histogram
    spans = {span.name: span for span in trace.resource_spans[0].scope_spans[0].spans}
    assert list(spans) == ["run demo", "stage clean", "operator a", "operator b"]
    assert spans["operator b"].parent_span_id == spans["stage clean"].span_id
    lengths = {name: (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 for name, span in spans.items()}
    whole_run = (NOW - START).total_seconds()
    assert lengths == pytest.approx(
        {"run demo": whole_run, "stage clean": whole_run - 2, "operator a": whole_run - 2, "operator b": whole_run - 3}
    )
