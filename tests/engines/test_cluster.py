"""A Ray cluster of several nodes on this machine: what happens when one of them is gone, or is too small."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_data_factory.cli import main
from mega_data_factory.errors import ResourceError
from mega_data_factory.framework.engines.ray.cluster_query import ClusterSilent, ask_cluster
from mega_data_factory.framework.engines.ray.environment import ClusterAddress
from mega_data_factory.framework.executor import Executor, Progress
from tests.engines.conftest import OLD_RAY, import_ray
from tests.engines.running import Pipeline, assert_same, fake, jsonl, stage

pytestmark = [pytest.mark.slow, OLD_RAY]


@pytest.fixture
def three_nodes() -> Iterator[Any]:
    """A head and two more nodes, of two CPUs each; this process is not connected."""
    ray = import_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=2) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


class NodeRemover:
    """Removes a node of the cluster, ungracefully, once so many records have been read."""

    def __init__(self, cluster: Any, node: Any, after: int) -> None:
        self.removed_at = -1
        self._cluster, self._node, self._after = cluster, node, after

    def __call__(self, executor: Executor, progress: Progress) -> None:
        if self.removed_at < 0 and progress.records_read >= self._after:
            self._cluster.remove_node(self._node, allow_graceful=False)
            self.removed_at = progress.records_read


def pipeline(folder: Path, source: str, **executor: Any) -> Pipeline:
    """Deduplication, then a slow stage whose workers fill more than one node."""
    stages = [
        stage("first", fake("Dedup"), num_replicas=2, resources={"cpu": 0.5}),
        stage("second", fake("Slow", seconds=0.1), fake("Upper"), num_replicas=3, resources={"cpu": 0.5}),
    ]
    return Pipeline(folder, source, stages, executor={"batch_size": 50, **executor}, engine="local")


def test_a_node_dies(tmp_path: Path, three_nodes: Any) -> None:
    """One of three nodes dies in the middle of the run: no count and no record tells it from an undisturbed run."""
    cluster, nodes = three_nodes
    source = jsonl(tmp_path / "a.jsonl", [f"text {n % 4500}" for n in range(6000)])
    calm = pipeline(tmp_path / "calm", source).run()
    disturbed = pipeline(tmp_path / "disturbed", source, ray_address=cluster.address)
    disturbed.engine = "ray"
    remover = NodeRemover(cluster, nodes[0], after=500)
    result = disturbed.run(remover)
    assert 500 <= remover.removed_at < 6000
    assert_same(result, calm)


def test_pools_that_would_wait_for_ever(tmp_path: Path, three_nodes: Any) -> None:
    """Pools that ask for every CPU leave none for Ray Data's own tasks: refused at once, not hung."""
    cluster, _ = three_nodes
    source = jsonl(tmp_path / "a.jsonl", ["text"])
    stages = [stage(f"stage-{n}", fake("Upper"), num_replicas=2, resources={"cpu": 1}) for n in range(3)]
    config = Pipeline(
        tmp_path / "run", source, stages, engine="ray", executor={"ray_address": cluster.address}
    ).config()
    with pytest.raises(ResourceError, match="no room for a worker of") as caught:
        for _ in Executor(config).execute():
            pass
    assert "6 CPU" in caught.value.message
    assert "3 nodes" in caught.value.message
    assert "fractions" in (caught.value.hint or "")


@pytest.mark.parametrize(("cpu", "fits"), [(1.0, True), (3.0, False)])
def test_the_plan_asks_the_cluster(
    tmp_path: Path, three_nodes: Any, capsys: pytest.CaptureFixture[str], cpu: float, fits: bool
) -> None:
    """`mdf plan` says whether the pools fit the nodes of the cluster that the configuration names, not this machine."""
    cluster, _ = three_nodes
    source = jsonl(tmp_path / "a.jsonl", ["text"])
    stages = [stage("only", fake("Upper"), num_replicas=3, resources={"cpu": cpu})]
    pipe = Pipeline(tmp_path / "run", source, stages, engine="ray", executor={"ray_address": cluster.address})
    config = tmp_path / "p.yaml"
    config.write_text(yaml.safe_dump(pipe.config()))
    assert main(["plan", "--config", str(config), "--json"]) == 0
    fit = json.loads(capsys.readouterr().out)["fit"]
    assert (fit["fits"], fit["nodes"], fit["machine"]["cpu"]) == (fits, 3, 6.0), fit
    assert fit["asked"] == f"the cluster at {cluster.address}"
    assert (fit["error"] is None) == fits
    assert main(["plan", "--config", str(config), "--set", "executor.ray_address=auto"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert ("yes, the cluster at auto has 6 CPU" if fits else "no, asked the cluster at auto: no room") in shown


def test_the_plan_of_a_cluster_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mdf plan` says that the cluster did not answer, and what it knows without it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    source = jsonl(tmp_path / "a.jsonl", ["text"])
    executor = {"ray_address": f"127.0.0.1:{port}"}
    pipe = Pipeline(tmp_path / "run", source, [stage("only", fake("Upper"))], engine="ray", executor=executor)
    config = tmp_path / "p.yaml"
    config.write_text(yaml.safe_dump(pipe.config()))
    assert main(["plan", "--config", str(config)]) == 0
    out, err = capsys.readouterr()
    assert f"not known: the cluster at 127.0.0.1:{port} could not be asked: [Errno" in " ".join(out.split())
    assert "Traceback" not in err


def test_ray_address_names_the_cluster(
    tmp_path: Path, three_nodes: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for Ray itself: without an address in the configuration a plan asks, and a run uses, that of RAY_ADDRESS.

    The pools need more CPUs than a cluster that the run starts would have on two cores.
    """
    cluster, _ = three_nodes
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    source = jsonl(tmp_path / "a.jsonl", ["text"] * 10)
    stages = [stage("only", fake("Upper"), num_replicas=3, resources={"cpu": 1.0})]
    pipe = Pipeline(tmp_path / "run", source, stages, engine="ray")
    config = tmp_path / "p.yaml"
    config.write_text(yaml.safe_dump(pipe.config()))
    assert main(["plan", "--config", str(config), "--json"]) == 0
    fit = json.loads(capsys.readouterr().out)["fit"]
    assert (fit["fits"], fit["nodes"], fit["machine"]["cpu"]) == (True, 3, 6.0), fit
    assert fit["asked"] == f"the cluster at {cluster.address} (from RAY_ADDRESS)"
    run = pipe.run().run
    assert (run["status"], run["committed_records"]) == ("completed", 10)


def test_ray_address_of_a_cluster_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan says that the cluster did not answer; a run is refused, and the message names the variable."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    source = jsonl(tmp_path / "a.jsonl", ["text"])
    config = tmp_path / "p.yaml"
    config.write_text(
        yaml.safe_dump(Pipeline(tmp_path / "run", source, [stage("only", fake("Upper"))], "ray").config())
    )
    assert main(["plan", "--config", str(config)]) == 0
    assert f"the cluster at {address} (from RAY_ADDRESS) could not be asked" in " ".join(
        capsys.readouterr().out.split()
    )
    assert main(["run", "--config", str(config)]) != 0
    err = " ".join(capsys.readouterr().err.split())
    assert f"RAY_ADDRESS: cannot connect to {address}: " in err
    assert "Traceback" not in err


def test_a_cluster_that_never_answers() -> None:
    """A server that takes the connection and says nothing costs the time that is allowed, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ClusterSilent, match="no answer within 8 s"):
            ask_cluster(ClusterAddress(f"127.0.0.1:{silent.getsockname()[1]}", "test"), timeout=8)
        assert time.monotonic() - started < 30
