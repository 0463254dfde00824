"""What exporters cost a run: target, nothing measurable beyond the 1 % of the metrics.

1. whole runs with every exporter on and off, interleaved: a scrape target that is scraped, a Pushgateway and an OTLP
   receiver, all served by this process, whose CPU is not the run's;
2. what one snapshot costs, part by part, for a small run and for a large one.
"""

from __future__ import annotations

import argparse
import gzip
import random
import socket
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from make_corpus import ensure_corpus
from metering import Variant, bench_folder, cpu_ratio, interleaved, print_table
from pipeline import SameOutput, mdf_command

from mega_data_factory.exports.families import Families
from mega_data_factory.exports.otlp.messages import metrics_request, resource_of
from mega_data_factory.exports.prometheus.exposition import exposed
from mega_data_factory.framework.metrics import MetricsCollector, OperatorMetrics
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot

_SCRAPE_INTERVAL = 5.0


class _Sink(BaseHTTPRequestHandler):
    """Takes everything and says yes."""

    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_DELETE = _take

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def sink() -> Iterator[str]:
    """Yield the address of a server for pushes and OTLP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def scraping(port: int) -> Iterator[list[int]]:
    """Scrape the target every few seconds while it serves; yield the sizes of the answers."""
    over, sizes = threading.Event(), []

    def scrape() -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"})
        while not over.wait(_SCRAPE_INTERVAL):
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    sizes.append(len(answer.read()))
            except OSError:
                continue  # between two runs, and in those without exporters, nobody listens

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


def whole_runs(megabytes: int, rounds: int) -> None:
    """Print CPU with every exporter over CPU without."""
    corpus = ensure_corpus(bench_folder(), megabytes)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    check = SameOutput()
    with sink() as url, scraping(port) as sizes:
        push = {"name": "mega_data_factory.exports.prometheus.pushgateway:PushgatewayExporter", "params": {"url": url}}
        exporters = {"prometheus": {"port": port}, "otlp": {"endpoint": url}, "exporters": [push]}

        def command(**metrics: Any) -> Callable[[Path], list[str]]:
            def build(output: Path) -> list[str]:
                return mdf_command(corpus, metrics={"output_path": str(output / "metrics"), **metrics})(output)

            return build

        variants = [
            Variant("exporters on", command(**exporters), check=check),
            Variant("exporters off", command(), check=check),
            Variant("off once more", command(), check=check),
        ]
        results = interleaved(variants, rounds)
    print_table(results, "exporters off")
    print(f"CPU on / off: {cpu_ratio(results, 'exporters on', 'exporters off')}")
    print(f"control, off / off: {cpu_ratio(results, 'off once more', 'exporters off')}; {len(sizes)} scrapes")


def collector_of(operators: int, workers: int, batches: int = 50) -> MetricsCollector:
    """Return a collector as a run of this size fills it."""
    chance = random.Random(1)
    collector = MetricsCollector("run_benchmark")
    for operator in range(operators):
        for worker in range(workers):
            row = OperatorMetrics(
                "run_benchmark", f"stage_{operator // 4}", f"operator_{operator}", f"w{worker}", operator_index=operator
            )
            for _ in range(batches):
                row.observe(chance.lognormvariate(-2, 0.7), 1000, 900, reasons={"short": 60, "long": 40})
            collector.add_operator_metrics(row)
    return collector


def milliseconds(call: Callable[[], object], times: int = 15) -> float:
    """Return the median CPU time of a call."""
    found = []
    for _ in range(times):
        started = time.process_time()
        call()
        found.append((time.process_time() - started) * 1000)
    return statistics.median(found)


def parts(operators: int, workers: int) -> None:
    """Print the cost of a snapshot, part by part."""
    collector = collector_of(operators, workers)
    with collector.track_run() as totals:
        totals.set(pipeline="benchmark")

        def take() -> ExportSnapshot:
            snapshot = collector.snapshot()
            assert snapshot is not None
            return ExportSnapshot(snapshot.run, snapshot.stages, snapshot.operators)

        snapshot = take()
        families = Families().from_snapshot(snapshot)
        text = exposed(families)[0]
        resource = resource_of(snapshot.run, {})

        def merged() -> object:
            return Families().from_snapshot(take())

        def otlp() -> bytes:
            return metrics_request(families, snapshot, resource).SerializeToString()

        message = otlp()
        print(f"{operators} operators on {workers} workers, CPU ms:")
        print(f"  snapshot                    {milliseconds(take):8.2f}   (one for all exporters)")
        print(f"  merge and families          {milliseconds(merged):8.2f}   (snapshot included)")
        print(f"  text for Prometheus         {milliseconds(lambda: exposed(families)):8.2f}   {_sizes(text)}")
        print(f"  OTLP message                {milliseconds(otlp):8.2f}   {_sizes(message)}")


def _sizes(body: bytes) -> str:
    return f"{len(body) / 1000:.1f} kB, {len(gzip.compress(body, 1)) / 1000:.1f} kB packed"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200, help="size of the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts-only", action="store_true", help="leave the whole runs out")
    arguments = parser.parse_args()
    for operators, workers in ((9, 4), (20, 100)):
        parts(operators, workers)
    if not arguments.parts_only:
        whole_runs(arguments.megabytes, arguments.rounds)


if __name__ == "__main__":
    main()
