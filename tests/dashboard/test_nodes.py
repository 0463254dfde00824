"""The page of the nodes under a run: its views, what is chosen in them, and what it says where there is nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mega_data_factory.clock import utc_now
from mega_data_factory.dashboard.pages.nodes import VIEWS, search_of
from tests.dashboard.visiting import Visitor, found, texts
from tests.made_runs import Op, Pool, make_run

_POOLS = (Pool("clean", [Op("length", 0.001)]),)


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A dashboard over a run of three nodes, one that nobody watched, and one that has just begun."""
    path = tmp_path_factory.mktemp("metrics")
    make_run(path, _POOLS, "run_nodes", nodes=[40.0, 95.0, 10.0], intervals=60)
    make_run(path, _POOLS, "run_unwatched")
    now = utc_now()
    make_run(path, _POOLS, "run_new", status="running", heartbeat=now, start=now, flush_interval=60.0, end_time=None)
    with Visitor(path) as found:
        yield found


def _page(visitor: Visitor, search: str, run: str = "run_nodes") -> object:
    return visitor.page(f"/run/{run}/nodes", search)["content"]["children"]


def _title(page: object) -> str:
    (graph,) = found(page, "Graph")
    return str(graph["figure"]["layout"]["title"]["text"])


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_something(visitor: Visitor, view: str) -> None:
    """Each view has its chart, or says in words that there is nothing, and leads to the others."""
    page = _page(visitor, f"?view={view}")
    assert "3 nodes" in texts(page)
    assert len(found(page, "Graph")) == 1 or {"No anomalies were found."} & set(texts(page))
    links = [link["href"] for link in found(page, "Link")]
    assert [f"/run/run_nodes/nodes?view={name}" for name in VIEWS] == [href for href in links if "?view=" in href]


def test_an_unknown_view_is_the_first_one(visitor: Visitor) -> None:
    """What an address says wrongly is left out."""
    assert _title(_page(visitor, "?view=nonsense&range=forever")) == _title(_page(visitor, ""))


def test_nodes_and_metrics_of_the_address_are_shown(visitor: Visitor) -> None:
    """One node and one metric: the chart is of these, and the controls say so."""
    page = _page(visitor, "?view=node&node=node-1&metric=cpu_usage&range=1m")
    assert _title(page) == "node-1"
    (graph,) = found(page, "Graph")
    drawn = {trace.get("meta", {}).get("metric") for trace in graph["figure"]["data"]} - {None}
    assert drawn == {"cpu_usage"}
    values = {control["id"]: control["value"] for control in found(page, "Dropdown")}
    assert values == {"nodes-nodes": ["node-1"], "nodes-metrics": ["cpu_usage"], "nodes-period": "1m"}
    assert "/run/run_nodes/nodes?view=heat&node=node-1&metric=cpu_usage&range=1m" in [
        link["href"] for link in found(page, "Link")
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_not_there_is_said(visitor: Visitor, view: str) -> None:
    """A node or metric that the run does not have is no failure of the page."""
    for search in (f"?view={view}&node=nobody", f"?view={view}&metric=nothing"):
        page = _page(visitor, search)
        assert "The log of the dashboard says why." not in texts(page)
        assert found(page, "Dropdown")


@pytest.mark.parametrize(("run", "said"), [("run_unwatched", "metrics.node_interval"), ("run_new", "next flush")])
def test_a_run_without_nodes_says_why(visitor: Visitor, run: str, said: str) -> None:
    """Nobody watched, or nothing was written yet."""
    assert any(said in text for text in texts(_page(visitor, "", run)))


def test_the_address_says_what_the_controls_say() -> None:
    """The view, nodes, metrics and time, letters escaped; nothing for what is not chosen."""
    assert search_of("node", ["a b", "c&d"], ["cpu_usage"], "1h") == (
        "?view=node&node=a+b&node=c%26d&metric=cpu_usage&range=1h"
    )
    assert search_of("nonsense", [], None, None) == "?view=cluster"
