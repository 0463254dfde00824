"""Against the real programs: Prometheus scrapes a real run, its Pushgateway takes pushes, promtool checks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from mega_data_factory.exports import grafana
from mega_data_factory.exports.families import Families
from mega_data_factory.exports.prometheus.exporter import PrometheusExporter
from mega_data_factory.exports.prometheus.exposition import exposed
from mega_data_factory.framework.metrics import MetricsReader
from tests.engines.running import Pipeline, Result, fake, jsonl, stage
from tests.exports.servers import Found, Prometheus, fetch, prometheus, pushgateway
from tests.exports.snapshots import complete_snapshot, snapshot
from tests.exports.test_grafana import all_rules, panel_queries
from tests.exports.test_runs import free_port, series, stored

pytestmark = pytest.mark.slow

NAME = "real_run"
RECORDS = 2400


def pipeline(folder: Path, **metrics: object) -> Pipeline:
    """About ten seconds of work, a file for every batch."""
    source = jsonl(folder / "a.jsonl", [f"text {n} " + "y" * (n % 90) for n in range(RECORDS)])
    length = {"name": "text_length_filter", "params": {"min_length": 50}}
    return Pipeline(
        folder,
        source,
        [stage("clean", length, fake("Slow", seconds=0.1))],
        writer={"params": {"target_file_mb": 0}},
        executor={"batch_size": 25, "metrics": {"flush_interval": 0.5, "node_interval": 0.2, **metrics}},
    )


class NamedPipeline(Pipeline):
    """A pipeline with a name, which a mapping's is not otherwise."""

    def config(self) -> dict[str, object]:
        return {"name": NAME, **super().config()}


def named(made: Pipeline) -> NamedPipeline:
    return NamedPipeline(**vars(made))


def rules_of_a_moment() -> str:
    """The rules with a second for their interval, and a habit of seconds in place of a week."""
    text = grafana.rules().replace("interval: 30s", "interval: 1s")
    return text.replace("[7d] offset 30m", "[1m]").replace(">= 120", ">= 1")


def label_text(found: Found) -> dict[str, float]:
    """Series as `name{a="b"}` → value, without the labels that the server added."""
    values = {}
    for item in found:
        labels = dict(item["metric"])
        name = labels.pop("__name__")
        text = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()) if k not in ("pipeline", "job", "instance"))
        values[f"{name}{{{text}}}"] = float(item["value"][1])
    return values


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A finished run, the Prometheus that has scraped it and a second target with GPUs, and when it scraped last."""
    folder = tmp_path_factory.mktemp("scraped")
    port = free_port()
    gpus = PrometheusExporter(port=0)
    gpus.export(snapshot())
    assert gpus.url is not None
    with ExitStack() as stack:
        stack.callback(gpus.close, snapshot())
        second = gpus.url.removeprefix("http://").removesuffix("/metrics")
        server = stack.enter_context(prometheus(folder, [f"127.0.0.1:{port}", second], rules_of_a_moment()))
        result = named(pipeline(folder, prometheus={"port": port, "interval": 0.2, "linger": 30})).run()
        (final,) = server.eventually(f'mdf_run_status{{pipeline="{NAME}", status="completed"}}[1m]')
        yield server, result, max(moment for moment, value in final["values"] if value == "1")


def test_prometheus_ends_with_the_values_of_the_store(scraped: tuple[Prometheus, Result, float]) -> None:
    """What Prometheus scraped last of a run is what the Parquet files say, for every count, sum and state."""
    server, result, at = scraped
    assert result.closed()
    found = label_text(server.query(f'{{__name__=~"mdf_.+", pipeline="{NAME}"}}', at))
    expected = stored(result)
    assert {key: found.get(key) for key in expected} == pytest.approx(expected, rel=1e-12)


def test_counters_never_fall(scraped: tuple[Prometheus, Result, float]) -> None:
    """Over the whole run Prometheus saw no reset of any counter, and saw the run move."""
    server, _, at = scraped
    moving = server.query(f'changes(mdf_run_records_total{{pipeline="{NAME}", direction="in"}}[1m])', at)
    assert float(moving[0]["value"][1]) > 3
    histories = server.query(f'{{__name__=~"mdf_.+_(total|bucket|count|sum)", pipeline="{NAME}"}}[1m]', at)
    assert len(histories) > 60
    for history in histories:
        values = [float(value) for _, value in history["values"]]
        assert values == sorted(values), history["metric"]


@pytest.mark.parametrize(("title", "expr"), list(panel_queries()))
def test_every_panel_has_data(scraped: tuple[Prometheus, Result, float], title: str, expr: str) -> None:
    """Every query of the dashboard has an answer after a real run; GPUs after a run that had some."""
    server, _, at = scraped
    expr = expr.replace("$pipeline", "demo" if title == "GPU" else NAME).replace("$stage", ".*")
    found = server.query(expr.replace("$window", "1m"), at)
    assert found, expr
    assert all(item["value"][1] != "NaN" for item in found), expr


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.get("record") or rule["alert"])
def test_every_rule_has_data(scraped: tuple[Prometheus, Result, float], rule: dict[str, str]) -> None:
    """Every rule has an answer after a real run: a recording as it is, an alert without its comparisons."""
    server, _, at = scraped
    expr = rule["expr"].replace("[7d] offset 30m", "[1m]").replace(">= 120", ">= 1")
    if "alert" in rule:
        expr = re.sub(r" (==|>|<) [\d.]+", "", expr)
    assert [item for item in server.query(expr, at) if item["metric"]["pipeline"] == NAME], expr


def test_no_alert_fires_after_a_run_that_went_well(scraped: tuple[Prometheus, Result, float]) -> None:
    """A run that completed with closed books and no errors raises no alert."""
    server, _, at = scraped
    assert server.query(f'ALERTS{{pipeline="{NAME}", alertstate="firing"}}', at) == []


def test_promtool_finds_nothing_to_complain_about() -> None:
    """`promtool check metrics` accepts a scrape that holds every metric there is."""
    text, _ = exposed(Families(("run_id", "worker_id")).from_snapshot(complete_snapshot()))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_killed_driver_leaves_its_group_and_the_next_takes_it_over(tmp_path: Path) -> None:
    """The group of a killed driver stays with an old heartbeat; the run that goes on takes it over and removes it."""
    with pushgateway() as url:
        made = named(pipeline(tmp_path, prometheus={"pushgateway": url, "interval": 0.2, "instance": "here"}))
        config = tmp_path / "pipeline.yaml"
        config.write_text(yaml.safe_dump(made.config()), encoding="utf-8")
        command = [sys.executable, "-m", "mega_data_factory.cli", "run", "--config", str(config), "--quiet"]
        environment = os.environ | {"TMPDIR": str(tmp_path)}  # what a kill leaves there goes with the test
        driver = subprocess.Popen(command, env=environment)
        try:
            eventually(lambda: pushed(url).get('mdf_run_records_total{direction="in"}'))
        finally:
            driver.send_signal(signal.SIGKILL)
            driver.wait()
        left = pushed(url)
        assert left['mdf_run_status{status="running"}'] == 1
        assert time.time() - left["mdf_run_heartbeat_timestamp_seconds{}"] < 60
        assert pushed(url) == left, "nobody speaks for it any more"
        done = subprocess.run([*command, "--resume", "latest"], env=environment, timeout=100, check=False)
        assert done.returncode == 0
        assert json.loads(fetch(f"{url}/api/v1/metrics"))["data"] == []
    (run,) = MetricsReader(str(made.metrics)).runs().to_pylist()
    assert (run["status"], run["total_input_records"], run["export_failures"]) == ("completed", RECORDS, 0)


def pushed(url: str) -> dict[str, float]:
    """The series of our group."""
    return series("\n".join(line for line in fetch(f"{url}/metrics").splitlines() if line.startswith("mdf_")) + "\n")


def test_the_final_values_stay_for_a_scrape_of_the_gateway(tmp_path: Path) -> None:
    """With `linger` the Pushgateway shows the values of the store before the group is deleted."""
    last: dict[str, float] = {}
    over = threading.Event()
    with pushgateway() as url:

        def watch() -> None:
            while not over.wait(0.05):
                values = pushed(url)
                last.update(values if values.get('mdf_run_status{status="completed"}') else {})

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            result = named(pipeline(tmp_path, prometheus={"pushgateway": url, "interval": 0.2, "linger": 1})).run()
        finally:
            over.set()
            watching.join()
    expected = stored(result)
    assert {key: last.get(key) for key in expected} == pytest.approx(expected, rel=1e-12)
