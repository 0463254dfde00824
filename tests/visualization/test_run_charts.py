"""Charts of runs: each is drawn from every kind of run, is bounded, and holds no markup of users."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mega_data_factory.analytics.comparison import compare
from mega_data_factory.analytics.performance.bottleneck import find_bottleneck
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.series import operator_series, stage_series
from mega_data_factory.analytics.runs.totals import StageTotals, WorkerTotals
from mega_data_factory.visualization.charts import flow, latency, nodes, runs, timeline, workers
from mega_data_factory.visualization.theme import DARK, LIGHT, Theme
from tests.made_runs import START, Op, Pool, recorded
from tests.present import present

CHARTS: dict[str, Callable[[Recording, Theme], go.Figure]] = {
    "funnel": lambda run, theme: flow.funnel(flow_of(run), theme),
    "sankey": lambda run, theme: flow.sankey(flow_of(run), theme),
    "stages": lambda run, theme: timeline.stages_over_time(stage_series(run), theme),
    "cost": lambda run, theme: timeline.operator_cost_over_time(operator_series(run), theme),
    "latency": lambda run, theme: latency.latency_ridges([o for s in run.stages for o in s.operators], theme),
    "workers": lambda run, theme: workers.worker_spread(run.stages, theme),
    "utilisation": lambda run, theme: workers.utilisation(present(find_bottleneck(run)), theme),
    "nodes": lambda run, theme: nodes.nodes_and_operators(run.nodes, operator_series(run, 200), theme),
    "trends": lambda run, theme: runs.trends([run.run], theme, run.run_id),
    "comparison": lambda run, theme: runs.cost_comparison(compare(run, run), theme),
}

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "empty": {"records": 0},
    "without-samples": {"samples": False},
    "one-interval": {"intervals": 1},
    "nodes": {"nodes": [50.0, 90.0]},
    "going-on": {"status": "running", "end_time": None, "heartbeat": START + timedelta(seconds=40)},
}

POOLS = [Pool("clean", [Op("x", 0.004), Op("f_filter", 0.001, {"r": 0.2}, errors=0.01)]), Pool("judge", [Op("y")])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_drawn_of_every_kind_of_run(tmp_path: Path, chart: str, kind: str) -> None:
    """Whatever is missing of a run, there is a figure with a height, and it can be written as JSON."""
    figure = CHARTS[chart](recorded(tmp_path, POOLS, **KINDS[kind]), DARK)
    assert figure.layout.height >= 100
    assert json.loads(figure.to_json())["data"] is not None


@pytest.mark.parametrize("chart", CHARTS)
def test_no_chart_grows_with_the_run(tmp_path: Path, chart: str) -> None:
    """A run of 40 operators and 700 intervals gives figures of 200 kB at most, without anything that users wrote."""
    pools = [
        Pool(f"<b>s{n}", [Op(f"<img>{n}{m}" + "z" * 90, 0.001, {"<i>": 0.01}) for m in range(5)], 1) for n in range(8)
    ]
    run = recorded(tmp_path, pools, records=8_000, intervals=700, nodes=[50.0])
    text = CHARTS[chart](run, LIGHT).to_json()
    assert len(text) < 200_000
    shown = json.dumps(json.loads(text), ensure_ascii=False)
    assert not [mark for mark in ("<img", "<b>s", "<i>") if mark in shown]


def test_the_sankey_accounts_for_every_record(tmp_path: Path) -> None:
    """What flows out of the source is what ends in exits and in the output."""
    (drawn,) = flow.sankey(flow_of(recorded(tmp_path, POOLS))).data
    ends = set(drawn.link.target) - set(drawn.link.source)
    assert sum(v for v, target in zip(drawn.link.value, drawn.link.target, strict=True) if target in ends) == 10_000


def test_reasons_in_the_sankey_read_unlike_where_they_are(tmp_path: Path) -> None:
    """Two long reasons of one operator that differ in one word keep that word."""
    reasons = {"mean_word_length_below_minimum": 0.2, "mean_word_length_above_maximum": 0.1}
    figure = flow.sankey(flow_of(recorded(tmp_path, [Pool(f"s{n}", [Op("o", 0.001, reasons)]) for n in range(6)])))
    exits = [label for label in figure.data[0].node.label if "…" in label]
    assert any("below" in label for label in exits)
    assert any("above" in label for label in exits)


def test_labels_of_the_last_exits_have_a_column_of_their_own(tmp_path: Path) -> None:
    """Plotly turns the labels of the last column to the left, so nothing that has one is there."""
    (drawn,) = flow.sankey(flow_of(recorded(tmp_path, POOLS))).data
    labels = drawn.node.label
    last = set(drawn.link.target) - set(drawn.link.source)
    written = next(at for at, label in enumerate(labels) if label.startswith("written"))
    assert written not in last
    unseen = [at for at in last if not labels[at]]
    assert [drawn.node.color[at] for at in unseen] == ["rgba(0,0,0,0)"]


def test_a_node_that_falls_silent_leaves_a_gap(tmp_path: Path) -> None:
    """Steps in which a node gave no sample have no value, rather than 0."""
    run = recorded(tmp_path, POOLS, nodes=[50.0, 60.0])
    late = pc.greater(run.nodes["timestamp"], pa.scalar(START + timedelta(seconds=60), pa.timestamp("us")))
    heard = run.nodes.filter(pc.invert(pc.and_(late, pc.equal(run.nodes["node_id"], "node-1"))))
    load = nodes.nodes_and_operators(heard, {}).data[0].z
    assert load[0][-1] == 50
    assert load[1][-1] != load[1][-1]  # NaN


def _span(axis: Sequence[str | float]) -> float:
    """Length of a date axis in seconds, however its ends are written."""
    low, high = (np.datetime64(end, "ms") if isinstance(end, str) else np.datetime64(int(end), "ms") for end in axis)
    return float((high - low) / np.timedelta64(1, "s"))


def test_a_single_sample_of_nodes_is_a_cell_with_a_width(tmp_path: Path) -> None:
    """Cells reach from edge to edge: one step alone is drawn, and steps begin where they began."""
    figure = CHARTS["nodes"](recorded(tmp_path, POOLS, intervals=1, nodes=[50.0]), LIGHT)
    for heat in figure.data:
        edges = np.asarray(heat.x, dtype=float)
        assert len(edges) == len(heat.z[0]) + 1
        assert edges[1] - edges[0] == 5000.0


@pytest.mark.parametrize("chart", ["stages", "cost", "trends"])
def test_a_single_point_in_time_has_an_axis_of_seconds(tmp_path: Path, chart: str) -> None:
    """One sample, or one run, stands in the middle of some seconds, not of half-milliseconds."""
    figure = CHARTS[chart](recorded(tmp_path, POOLS, intervals=1), LIGHT)
    assert _span(figure.layout.xaxis.range) == 10


def test_a_long_time_has_the_axis_of_its_points(tmp_path: Path) -> None:
    """Where points are seconds apart Plotly chooses the range."""
    figure = CHARTS["stages"](recorded(tmp_path, POOLS), LIGHT)
    assert figure.layout.xaxis.range is None


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("number", [2, 7, 8, 30])
def test_every_pipeline_has_a_colour_of_its_own(theme: Theme, number: int) -> None:
    """As many pipelines as there are colours are told apart and named; of more the smallest share one grey."""
    rows = [
        {
            "run_id": f"r{at}",
            "pipeline": f"p{at % number}",
            "status": "completed",
            "start_time": START,
            "avg_throughput": 1,
        }
        for at in range(3 * number)
    ]
    figure = runs.trends(rows, theme)
    named = {trace.name: set(trace.marker.color) for trace in figure.data if trace.showlegend}
    colours = [next(iter(colour)) for colour in named.values()]
    assert len(set(colours)) == len(named) == min(number, len(theme.palette))
    assert all(len(colour) == 1 for colour in named.values())
    assert (f"{number - len(theme.palette) + 1} other pipelines" in named) == (number > len(theme.palette))
    assert sum(len(trace.x) for trace in figure.data) == 2 * len(rows)


def test_runs_that_failed_are_crosses() -> None:
    """Failure is a shape, which also stands beside the colour of a pipeline."""
    rows = [{"run_id": s, "pipeline": s, "status": s, "start_time": START} for s in ("completed", "failed")]
    symbols = {trace.name: trace.marker.symbol[0] for trace in runs.trends(rows).data}
    assert symbols == {"completed": "circle", "failed": "x"}


def test_slow_and_long_busy_workers_stand_out() -> None:
    """In each half of the chart: a worker at half the speed of the median, and workers that were busy twice as long."""
    rows = [WorkerTotals(f"w-{n}", 2000 if n == 4 else 1000, 4.0 if n in (4, 5) else 2.0, 10) for n in range(8)]
    left, right = workers.worker_spread([StageTotals("clean", 0, (), tuple(rows), 8, 8)], LIGHT).data
    assert np.flatnonzero(left.marker.color).tolist() == [5]
    assert np.flatnonzero(right.marker.color).tolist() == [4, 5]
    assert left.marker.colorscale == ((0, LIGHT.colour(0)), (1, LIGHT.bad))
