"""Snapshots for tests of exporters, and a server that keeps what it is sent."""

from __future__ import annotations

import gzip
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mega_data_factory.framework.metrics import NodeMetrics, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.live.exporting import ExportHealth, ExportSnapshot, InFlight

START = datetime(2026, 1, 24, 12, 0, 0, 250_000)
NOW = datetime(2026, 1, 24, 12, 5)


def operator(
    name: str, worker: str = "clean-0", *, index: int = 0, batches: int = 20, seed: int = 0
) -> OperatorMetrics:
    """A row of batches with many latencies; each has two reasons of rejection, errors, and records without a match."""
    row = OperatorMetrics("run_1", "clean", name, worker, NOW, operator_index=index)
    chance = random.Random(f"{name} {worker} {seed}")
    for _ in range(batches):
        seconds = 10 ** chance.uniform(-5, 2)
        row.observe(seconds, 100, 89, 1, reasons={"too_short": 7, "too_long": 3}, unmatched_records=4)
    return row


def snapshot(
    operators: Sequence[OperatorMetrics] | None = None, nodes: Sequence[NodeMetrics] | None = None, **run: Any
) -> ExportSnapshot:
    """A run at work: one stage, two operators, two workers, two nodes of which one is ill."""
    if operators is None:
        operators = [operator(n, w, index=i) for i, n in enumerate(("a", "b")) for w in ("clean-0", "clean-1")]
    if nodes is None:
        nodes = [
            NodeMetrics(
                "run_1",
                "n1",
                NOW,
                50.0,
                25.0,
                75.0,
                1e6,
                2e6,
                100.0,
                3,
                gpu_usage=90.0,
                gpu_memory_usage=40.0,
                run_cpu_usage=30.0,
            ),
            NodeMetrics("run_1", "n2", NOW, 100.0, 99.0, 75.0, 1e6, 2e6, 100.0, 3, "unhealthy", 1024),
        ]
    row = RunMetrics(
        **{
            "run_id": "run_1",
            "start_time": START,
            "heartbeat": NOW,
            "status": "running",
            "pipeline": "demo",
            "engine": "local",
            "mdf_version": "1.0",
            "hostname": "machine",
            "pid": 7,
            "total_input_records": 4000,
            "total_output_records": 3560,
            "batches": 40,
            "output_bytes": 12345,
            "loader_seconds": 1.5,
            **run,
        }
    )
    stages = [StageMetrics.from_operators(operators, "clean", "run_1")] if operators else []
    health = (ExportHealth("otlp", 2, NOW), ExportHealth("prometheus"))
    return ExportSnapshot(row, stages, operators, nodes, health, InFlight(120, {"clean": 4}))


@dataclass
class Request:
    """What a server was sent; `body` unpacked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server on loopback that keeps requests.

    Attributes:
        answer: the status to answer with; may be changed at any time, also to a function of the request.
        body: what is answered.
        headers: sent with every answer.
    """

    requests: list[Request] = field(default_factory=list)
    answer: int | Callable[[Request], int] = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def sent(self, method: str, path: str = "") -> list[Request]:
        """The requests of a method whose path begins with `path`."""
        return [request for request in self.requests if request.method == method and request.path.startswith(path)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver at work."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            receiver.requests.append(request)
            status = receiver.answer(request) if callable(receiver.answer) else receiver.answer
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        do_PUT = do_POST = do_DELETE = do_GET = _take

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def complete_snapshot() -> ExportSnapshot:
    """A run that has a value for every metric there is."""
    chunk = operator("chunk", index=2)
    chunk.observe(1.0, 10, 30, created_records=20, text_bytes=(100, 90), tokens=(10, 9))
    return snapshot(
        [operator("a"), operator("b", index=1), chunk],
        planned_records=1,
        committed_records=1,
        source_share=0.5,
        source_unit="bytes",
        balanced=True,
        unbalanced_records=0,
        end_time=NOW,
        input_text_bytes=100,
        output_text_bytes=90,
        input_tokens=10,
        output_tokens=9,
    )
