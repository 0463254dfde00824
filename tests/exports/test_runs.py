"""Exporters of a real run: what they have told at its end is what the store says."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from mega_data_factory.framework.metrics import LatencyHistogram, MetricsReader
from tests.engines.conftest import OLD_RAY
from tests.engines.running import Pipeline, Result, fake, rejecting_some
from tests.exports.snapshots import Receiver, receiving
from tests.exports.test_otlp import decoded, spans, texts


def pipeline(folder: Path, **metrics: Any) -> Pipeline:
    """Two operators; some records are rejected."""
    return rejecting_some(folder, fake("Slow", seconds=0.02), metrics={"flush_interval": 0.2, **metrics})


class Scraper:
    """Scrapes a target until it shows the end of the run.

    Attributes:
        values: series of the last scrape, as `name{a="b"}` without `pipeline`.
        seen: how often the values changed.
    """

    def __init__(self, port: int) -> None:
        self.values: dict[str, float] = {}
        self.seen = 0
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        pause = threading.Event()
        while not self.values.get('mdf_run_status{status="completed"}'):
            pause.wait(0.05)
            try:
                with urllib.request.urlopen(self._url, timeout=5) as answer:
                    values = series(answer.read().decode())
            except urllib.error.URLError:
                continue
            self.seen += values != self.values
            self.values = values

    def finish(self) -> dict[str, float]:
        self._thread.join(30)
        assert not self._thread.is_alive(), "the final values could not be scraped"
        return self.values


def series(text: str) -> dict[str, float]:
    """Series of the text format by name and labels, without the pipeline."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sorted((k, v) for k, v in sample.labels.items() if k not in ("pipeline", "job", "instance"))
            found[sample.name + "{" + ",".join(f'{k}="{v}"' for k, v in labels) + "}"] = sample.value
    return found


def stored(result: Result) -> dict[str, float]:
    """The same series, computed from the Parquet files alone."""
    run = result.run
    found: dict[str, float] = {
        'mdf_run_records_total{direction="in"}': run["total_input_records"],
        'mdf_run_records_total{direction="out"}': run["total_output_records"],
        "mdf_run_planned_records{}": run["planned_records"],
        "mdf_run_committed_records_total{}": run["committed_records"],
        "mdf_run_batches_total{}": run["batches"],
        "mdf_run_output_bytes_total{}": run["output_bytes"],
        "mdf_run_balanced{}": float(run["balanced"]),
        "mdf_run_unbalanced_records{}": run["unbalanced_records"],
        "mdf_run_loader_busy_seconds_total{}": run["loader_seconds"],
        "mdf_run_duration_seconds{}": run["duration"],
    }
    for row in result.stages.values():
        place = f'stage="{row["stage_name"]}"'
        found[f'mdf_stage_records_total{{direction="in",{place}}}'] = row["input_records"]
        found[f'mdf_stage_records_total{{direction="out",{place}}}'] = row["output_records"]
        found[f"mdf_stage_workers{{{place}}}"] = row["num_workers"]
    for row in result.operators:
        place = f'operator="{row["operator_name"]}",stage="{row["stage_name"]}"'
        counts = {
            f'mdf_operator_records_total{{direction="in",{place}}}': row["input_records"],
            f'mdf_operator_records_total{{direction="out",{place}}}': row["output_records"],
            f"mdf_operator_errors_total{{{place}}}": row["error_count"],
            f"mdf_operator_busy_seconds_total{{{place}}}": row["total_time"],
            f"mdf_operator_latency_seconds_count{{{place}}}": row["input_records"],
            f"mdf_operator_latency_seconds_sum{{{place}}}": row["total_time"],
        }
        for reason, count in (row["rejected_reasons"] or {}).items():
            key = f'operator="{row["operator_name"]}",reason="{reason}",stage="{row["stage_name"]}"'
            counts[f"mdf_operator_rejected_records_total{{{key}}}"] = count
        for key, count in counts.items():
            found[key] = found.get(key, 0) + count
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_at_the_end_the_values_are_those_of_the_store(tmp_path: Path) -> None:
    """A scrape target and an OTLP receiver end with the counts, sums and buckets of the Parquet files, to the bit."""
    port = free_port()
    with receiving() as receiver:
        scraper = Scraper(port)
        result = pipeline(
            tmp_path,
            prometheus={"port": port, "interval": 0.1, "linger": 30},
            otlp={"endpoint": receiver.url, "interval": 0.2},
        ).run()
        scraped = scraper.finish()
    assert result.closed()
    expected = stored(result)
    assert {key: scraped.get(key) for key in expected} == pytest.approx(expected, rel=1e-12)
    assert scraper.seen > 1, "the values moved while the run went on"
    assert any(key.startswith("mdf_node_cpu_usage_ratio") for key in scraped)
    compare_otlp(receiver, result)
    assert result.run["export_failures"] == 0
    assert len(receiver.sent("POST", "/v1/traces")) == 1
    check_spans(receiver, result)


@pytest.mark.slow
@OLD_RAY
def test_on_ray_the_driver_tells_of_the_whole_cluster(tmp_path: Path, ray_cluster: None) -> None:
    """On Ray the target in the driver ends with the counts of all workers, and shows the cluster's nodes by name."""
    port = free_port()
    scraper = Scraper(port)
    made = pipeline(tmp_path, prometheus={"port": port, "interval": 0.1, "linger": 30})
    made.engine = "ray"
    result = made.run()
    scraped = scraper.finish()
    assert result.closed()
    expected = stored(result)
    assert {key: scraped.get(key) for key in expected} == pytest.approx(expected, rel=1e-12)
    assert f'mdf_node_cpu_usage_ratio{{node="{socket.gethostname()}"}}' in scraped


def check_spans(receiver: Receiver, result: Result) -> None:
    """Spans of operators lie within the run, in the order of the stage, each at least as long as its busiest worker."""
    found = spans(receiver)
    (run,) = (span for name, span in found.items() if name.startswith("run"))
    first, second = (found[f"operator {row['operator_name']}"] for row in result.operators[:2])
    assert run.start_time_unix_nano < first.start_time_unix_nano < second.start_time_unix_nano
    for row in result.operators:
        span = found[f"operator {row['operator_name']}"]
        assert span.end_time_unix_nano < run.end_time_unix_nano
        microsecond = 1e-6
        assert (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 >= row["total_time"] - microsecond


def compare_otlp(receiver: Receiver, result: Result) -> None:
    """The last request's histograms are those of the files, bucket by bucket."""
    request = ExportMetricsServiceRequest.FromString(receiver.sent("POST", "/v1/metrics")[-1].body)
    families = {metric.name: metric for metric in request.resource_metrics[0].scope_metrics[0].metrics}
    points = families["mdf.operator.latency"].exponential_histogram.data_points
    sums = families["mdf.operator.records"].sum.data_points
    for operator in {row["operator_name"] for row in result.operators}:
        rows = [row for row in result.operators if row["operator_name"] == operator]
        pairs = [(b["bucket"], b["count"]) for row in rows for b in row["latency_histogram"]]
        (point,) = (p for p in points if texts(p.attributes)["operator"] == operator)
        assert decoded(point) == LatencyHistogram.from_pairs(pairs)
        assert point.sum == pytest.approx(sum(row["total_time"] for row in rows), rel=1e-12)
        (records,) = (
            p for p in sums if (texts(p.attributes)["operator"], texts(p.attributes)["direction"]) == (operator, "in")
        )
        assert records.as_int == sum(row["input_records"] for row in rows)


@pytest.mark.slow
def test_exporters_that_hang_refuse_and_fail_change_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A port that is taken, a receiver that answers 500 and a server that is silent leave the run as it is."""
    with receiving() as receiver, socket.socket() as silent:
        receiver.answer = 500
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        result = pipeline(
            tmp_path,
            prometheus={"port": port, "interval": 0.2},
            otlp={"endpoint": receiver.url, "interval": 0.2, "headers": {"x-team": "tops3cret"}},
            exporters=[
                {
                    "name": "mega_data_factory.exports.prometheus.pushgateway:PushgatewayExporter",
                    "params": {"url": f"http://127.0.0.1:{port}", "timeout": 0.5},
                }
            ],
        ).run()
    assert result.closed()
    assert result.run["total_input_records"] == 400
    assert result.run["export_failures"] >= 2
    for name in ("prometheus", "otlp", "pushgateway"):
        warnings = [m for m in caplog.messages if m.startswith(f"{name}: metrics cannot be exported now")]
        assert len(warnings) == 1, "reported once"
    config = MetricsReader(str(tmp_path / "metrics")).run(result.run["run_id"])["config"]
    assert "tops3cret" not in json.dumps(config), "headers are secrets"
