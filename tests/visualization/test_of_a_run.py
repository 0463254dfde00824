"""The nodes of a stored run, and `mdf plot`."""

from __future__ import annotations

import json
import time
from datetime import UTC
from pathlib import Path

import pytest

from mega_data_factory.cli import main
from mega_data_factory.errors import MetricsError, VisualizationError
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.visualization import from_store
from tests.made_runs import Op, Pool, make_run


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metrics folder with a run on two nodes, and one that nobody watched."""
    folder = tmp_path_factory.mktemp("metrics")
    pools = [Pool("clean", [Op("text_length_filter", 0.002)])]
    make_run(folder, pools, "run_blind", seed=1)
    make_run(folder, pools, "run_seen", seed=2, nodes=[40.0, 90.0])
    return folder


def test_the_nodes_of_a_run_are_those_of_the_store(metrics: Path) -> None:
    """Every sample of the table `nodes` is a point; sizes of machines are no metrics."""
    table = MetricsReader(metrics).nodes("run_seen")
    frame = from_store(metrics, "run_seen").to_frame()
    assert len(frame) == table.num_rows
    assert set(frame["node_id"]) == set(table["node_id"].to_pylist())
    assert sorted(frame["cpu_usage"]) == sorted(table["cpu_usage"].to_pylist())
    assert not {"run_id", "hostname", "cpu_count", "memory_total"} & set(frame.columns)
    assert from_store(MetricsReader(metrics), "run_s", theme="dark").theme.dark


def test_the_times_of_a_run_are_utc_wherever_they_are_read(metrics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored time has no zone and is UTC, also on a machine that is not; a plot may show another clock."""
    stored = sorted(at.replace(tzinfo=UTC) for at in MetricsReader(metrics).nodes("run_seen")["timestamp"].to_pylist())
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        visualizer = from_store(metrics, "run_seen")
        local = from_store(metrics, "run_seen", timezone="local")
        first, last = visualizer.history.span() or (0, 0)
        assert (first / 1e6, last / 1e6) == (stored[0].timestamp(), stored[-1].timestamp())
        assert local.history.span() == (first, last)
        assert visualizer.plot_cluster_overview().layout.xaxis.title.text == "UTC"
        assert local.plot_cluster_overview().layout.xaxis.title.text == "local time (UTC+05:45)"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_run_without_nodes_says_so(metrics: Path) -> None:
    """No sample, or no such run: an error that says which."""
    with pytest.raises(VisualizationError, match="no node metrics were recorded for run run_blind"):
        from_store(metrics, "run_blind")
    with pytest.raises(MetricsError, match="run_seeen"):
        from_store(metrics, "run_seeen")


@pytest.mark.parametrize("kind", ["node", "cluster", "heatmap", "correlation"])
def test_every_kind_of_plot_is_written(
    kind: str, metrics: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`mdf plot KIND` writes the file and says which."""
    output = str(tmp_path / "plot.json")
    where = ["--metrics", str(metrics), "--run", "run_seen", "--timezone", "Asia/Kathmandu"]
    assert main(["plot", kind, *where, "-o", output, "--dark", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run_id"], told["kind"], told["output"]) == ("run_seen", kind, output)
    drawn = json.loads(Path(output).read_text())
    assert drawn["data"]
    if kind != "correlation":
        assert drawn["layout"]["xaxis"]["title"]["text"] == "Asia/Kathmandu (UTC+05:45)"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nod", "-o", "x.html"], 2, "did you mean `node`"),
        (["node", "-o", "x.htm"], 1, "did you mean `.html`"),
        (["node", "-o", "x.html", "--node", "nobody"], 1, "no node `nobody`"),
        (["node", "-o", "x.html", "--last", "soon"], 1, "`soon` is not an age"),
        (["node", "-o", "x.html", "--timezone", "Mars"], 1, "no time zone `Mars`"),
        (["node", "-o", "x.html", "--run", "run_blind"], 1, "no node metrics were recorded"),
        (["node", "-o", "x.html", "--metrics", "nowhere"], 2, "no metrics folder nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_one_error(
    arguments: list[str],
    code: int,
    message: str,
    metrics: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One message, an exit code, and no file."""
    monkeypatch.chdir(tmp_path)
    if "--metrics" not in arguments:
        arguments = [*arguments, "--metrics", str(metrics)]
    if "--run" not in arguments:
        arguments = [*arguments, "--run", "run_seen"]
    assert main(["plot", *arguments]) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
