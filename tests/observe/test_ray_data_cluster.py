"""Steps in Ray Data on a cluster of two nodes, and drivers that are killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.engines.conftest import OLD_RAY
from tests.engines.two_nodes import TwoNodes, two_nodes
from tests.observe import ray_steps
from tests.observe.ray_steps import Deaths
from tests.observe.runs import flow, rows_of, run_row
from tests.processes import in_folder

pytestmark = [pytest.mark.slow, OLD_RAY, pytest.mark.timeout(600)]

BLOCKS, BLOCK = 24, 100


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoNodes]:
    """A head, to which this process is connected, and one more node."""
    with two_nodes(monkeypatch) as made:
        made.ray.init(address=made.cluster.address, log_to_driver=False, logging_level="ERROR")
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield made


def where(table: Any) -> Any:
    """Say on which node a batch was."""
    import ray

    mdf.observe.report(f"on_{ray.get_runtime_context().get_node_id()}", table.num_rows)
    time.sleep(0.1)
    return table


def padded(table: Any) -> Any:
    """Make blocks too large to travel with the reply, so that they are lost with their node."""
    time.sleep(0.05)
    return table.append_column("padding", [["x" * 5000] * table.num_rows])


def until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_workers_on_another_node_die(cluster: TwoNodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their accounts come through the actor, exactly; both nodes are sampled; no actor is left."""
    marks = tmp_path / "marks"
    marks.mkdir()
    metrics = tmp_path / "metrics"
    data = cluster.ray.data
    with mdf.observe("cluster", metrics=metrics, flush_interval=0.5, node_interval=0.3) as run:
        dataset = data.range(BLOCKS * BLOCK, override_num_blocks=BLOCKS)
        dataset = dataset.map_batches(run.step(where, stage="zero"), batch_format="pyarrow")
        dataset = dataset.map_batches(
            run.step(ray_steps.Even, stage="one", reason="odd"),
            fn_constructor_args=(Deaths(marks, BLOCK),),
            fn_constructor_kwargs={"reported": 1},
            batch_format="pyarrow",
            batch_size=50,
            compute=data.ActorPoolStrategy(size=2),
            num_cpus=0.5,
        )
        assert dataset.count() == BLOCKS * BLOCK // 2
    assert len(list(marks.iterdir())) == 8
    found = rows_of(metrics, run.run_id)
    total = BLOCKS * BLOCK
    assert flow(found["where"]) == (total, total, 0, 0)
    assert flow(found["Even"]) == (total, total // 2, total // 2, 0)
    assert found["Even"].custom_metrics == {"batches_seen": BLOCKS * 2}
    nodes = {node["NodeID"] for node in cluster.ray.nodes()}
    assert {name.removeprefix("on_") for name in found["where"].custom_metrics} == nodes, "both nodes have worked"
    assert {row["node_id"] for row in MetricsReader(metrics).nodes().to_pylist()} >= nodes
    main(["nodes", "--metrics", str(metrics)])
    printed = capsys.readouterr().out
    assert all(node[:8] in printed for node in nodes), printed
    until(lambda: not any(in_folder(name, cluster.folder) for name in ("AccountSink", "NodeActor")))


def test_a_node_dies_and_its_blocks_are_made_again(cluster: TwoNodes, tmp_path: Path) -> None:
    """What Ray computes again for lost blocks counts once."""
    data = cluster.ray.data
    with mdf.observe("lineage", metrics=tmp_path, flush_interval=0.5) as run:
        dataset = data.range(BLOCKS * BLOCK, override_num_blocks=BLOCKS)
        made = dataset.map_batches(run.step(padded, stage="one"), batch_format="pyarrow", num_cpus=1).materialize()
        cluster.cluster.remove_node(cluster.second, allow_graceful=False)
        cluster.cluster.add_node(num_cpus=2)
        cluster.cluster.wait_for_nodes()
        assert sum(batch.num_rows for batch in made.iter_batches(batch_format="pyarrow")) == BLOCKS * BLOCK
    assert flow(rows_of(tmp_path, run.run_id)["padded"]) == (BLOCKS * BLOCK, BLOCKS * BLOCK, 0, 0)
    row = run_row(tmp_path, run.run_id)
    assert row["retried_batches"] > 0, "blocks of the node that died were made again"
    assert "over the same input" not in str(row["config"])


_DRIVER = """
import logging, time
from tests.engines.conftest import import_ray
ray = import_ray()
ray.init({where}, log_to_driver=False, logging_level="ERROR")
import ray.data
import mega_data_factory as mdf

def slow(table):
    time.sleep(0.2)
    return table

with mdf.observe("killed", metrics={metrics!r}, run_id="run_killed", flush_interval=0.3) as run:
    dataset = ray.data.range(100_000, override_num_blocks=1000)
    for batch in dataset.map_batches(run.step(slow, stage="one"), batch_format="pyarrow").iter_batches():
        pass
"""


def kill_driver(folder: Path, where: str, environment: dict[str, str]) -> None:
    """Run a driver until it has written what a task has counted; kill it."""
    script = folder / "driver.py"
    script.write_text(_DRIVER.format(metrics=str(folder / "m"), where=where))
    environment = {**environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            reader = MetricsReader(folder / "m")
            until(lambda: (folder / "m" / "operators").exists() and reader.operators("run_killed").num_rows, 120)
        finally:
            driver.send_signal(signal.SIGKILL)


def test_a_killed_driver_leaves_no_actor(cluster: TwoNodes, tmp_path: Path) -> None:
    """The one that takes accounts and those that sample nodes end with it, on a cluster that goes on."""
    kill_driver(tmp_path, f"address={cluster.cluster.address!r}", dict(os.environ))
    until(lambda: not any(in_folder(name, cluster.folder) for name in ("AccountSink", "NodeActor")))
    assert MetricsReader(tmp_path / "m").run("run_killed")["status"] == "aborted"


def test_a_killed_driver_is_an_aborted_run(tmp_path: Path) -> None:
    """What was counted by then stays, whole tasks."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    kill_driver(tmp_path, '"local", num_cpus=2, include_dashboard=False', environment)
    row = rows_of(tmp_path / "m", "run_killed")["slow"]
    assert row.input_records > 0
    assert row.input_records % 100 == 0
    assert row.input_records == row.output_records
    assert MetricsReader(tmp_path / "m").run("run_killed")["status"] == "aborted"
