"""`mdf nodes`, run as a user runs it over real metrics folders."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mega_data_factory.cli import main
from mega_data_factory.cli.commands.views import nodes
from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, NodeMetrics, RunMetrics
from mega_data_factory.testing import finished_run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run on two nodes, one of which died; and an older run without any."""
    monkeypatch.delenv("MDF_METRICS", raising=False)
    finished_run(tmp_path, "run_1")
    writer = MetricsWriter(tmp_path)
    late = utc_now() + timedelta(hours=1)
    writer.write_run_metrics(RunMetrics("run_2", late, late + timedelta(seconds=60), status="completed"))
    writer.write_nodes(
        [
            NodeMetrics("run_2", "a" * 56, late, hostname="one", cpu_usage=10.0),
            NodeMetrics("run_2", "a" * 56, late + timedelta(seconds=58), hostname="one", **MEASURED),
            NodeMetrics("run_2", "b" * 56, late, hostname="two[red]", cpu_usage=50.0),
            NodeMetrics(
                "run_2",
                "b" * 56,
                late + timedelta(seconds=60),
                status="unhealthy",
                status_reason="dead: [bold]gone",
                hostname="two[red]",
            ),
        ],
        "run_2",
    )
    return str(tmp_path)


MEASURED: dict[str, Any] = {
    "cpu_usage": 87.25,
    "memory_usage": 41.0,
    "memory_total": 16_000_000_000,
    "iops": 120.0,
    "partition_count": 3,
}


def test_the_newest_sample_of_every_node_is_shown(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its status and age; names are no markup, and what no node has gets no column."""
    assert main(["nodes", "--metrics", store]) == 0
    head, names, _, one, two, why = capsys.readouterr().out.splitlines()
    assert head == "run_2 completed: 2 nodes, 1 active, 1 unhealthy"
    assert names.split()[:3] == ["node", "status", "CPU"]
    assert "GPU" not in names
    assert "objects" not in names
    assert one.split()[:5] == ["one", "aaaaaaaa", "active", "87.2", "%"]
    assert one.split()[-3:] == ["3", "2", "s"]
    assert two.split()[:4] == ["two[red]", "bbbbbbbb", "unhealthy", "-"]
    assert why == "two[red] bbbbbbbb: dead: [bold]gone"


def test_json_has_the_columns_of_the_table(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One row for each node, and how old it was when the run ended."""
    assert main(["nodes", "--metrics", store, "--run", "run_2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["run_id"], answer["status"]) == ("run_2", "completed")
    assert [(row["hostname"], row["cpu_usage"], row["age"]) for row in answer["nodes"]] == [
        ("one", 87.25, 2.0),
        ("two[red]", None, 0.0),
    ]
    assert set(NodeMetrics.__slots__) | {"age"} == set(answer["nodes"][0])


def test_a_run_without_samples_says_so(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And how to get some; a run that is not there is an error."""
    assert main(["nodes", "--metrics", store, "--run", "run_1"]) == 0
    assert "no node was sampled\n  hint: metrics.node_interval" in capsys.readouterr().out
    assert main(["nodes", "--metrics", store, "--run", "run_1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == []
    assert main(["nodes", "--metrics", store, "--run", "run_7"]) == 2
    assert "there is no run run_7" in capsys.readouterr().err


def test_a_narrow_screen_keeps_what_matters(store: str) -> None:
    """Columns go one by one, and a note says which; node, status, CPU, memory, disk and batches stay."""
    view = nodes.NodesView.from_run(MetricsReader(store), "run_2")
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as shown:
        console.print(view.screen(80))
    text = shown.get()
    assert all(len(line) <= 80 for line in text.splitlines() if "left out" not in line)
    assert all(name in text for name in ("node", "status", "CPU", "memory", "disk", "batches"))
    assert "hidden (terminal too narrow): cores" in text


def test_a_run_is_watched_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is made anew from the store; the last one shows the run as it ended."""
    writer = MetricsWriter(tmp_path)
    run = RunMetrics("run_1", utc_now(), status="running", heartbeat=utc_now(), flush_interval=600.0)
    writer.write_run_metrics(run)
    writer.write_nodes([NodeMetrics("run_1", "here", utc_now(), hostname="here", cpu_usage=1.0)], "run_1")
    looks: list[float] = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            writer.write_nodes([NodeMetrics("run_1", "here", utc_now(), hostname="here", cpu_usage=99.5)], "run_1")
            writer.write_run_metrics(RunMetrics("run_1", run.start_time, utc_now(), status="completed"))

    monkeypatch.setattr(time, "sleep", wait)
    threads = threading.active_count()
    assert main(["nodes", "--metrics", str(tmp_path), "--watch"]) == 0
    assert len(looks) == 3
    assert "run_1 completed: 1 node, 1 active" in capsys.readouterr().out
    assert threading.active_count() == threads
    writer.write_run_metrics(run)
    assert main(["nodes", "--metrics", str(tmp_path)]) == 0  # no terminal: once
    assert len(looks) == 3
