"""What the pages of the dashboard show, asked as the browser asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.clock import utc_now
from mega_data_factory.dashboard.pages import nodes as nodes_page
from mega_data_factory.dashboard.parts import breakable
from mega_data_factory.framework.metrics import MetricsWriter, RunMetrics
from mega_data_factory.framework.metrics.nodes.models import NodeMetrics
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from tests.dashboard.visiting import Visitor, found, texts, written
from tests.made_runs import START, Op, Pool, make_run

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"

_POOLS = (
    Pool("clean", [Op("length", 0.001, {"too_short": 0.2}), Op("parser", 0.002, errors=0.01)], workers=3),
    Pool("judge", [Op("quality", 0.004, {"bad words": 0.3, "few words": 0.1})], slow=3.0),
)


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A dashboard over four runs of two pipelines."""
    path = tmp_path_factory.mktemp("metrics")
    make_run(path, _POOLS, "run_1")
    make_run(path, _POOLS, "run_2", start=START + timedelta(hours=1), seed=1, nodes=[40.0, 95.0])
    make_run(path, _POOLS, "run_3", start=START + timedelta(hours=2), pipeline="other", records=500)
    failed = {"status": "failed", "error": f"InputError: cannot read {path}/in/a.txt"}
    make_run(path, _POOLS, "run_4", start=START + timedelta(hours=3), **failed)
    with Visitor(path) as found:
        yield found


def _runs(answer: dict[str, object]) -> list[str]:
    return [text for text in texts(answer["runs-body"]["children"]) if text.startswith("run_")]  # type: ignore[index]


def test_all_runs_stand_in_the_table_the_newest_first(visitor: Visitor) -> None:
    """Every run with its status; the chart has its trends."""
    answer = visitor.table()
    assert _runs(answer) == ["run_4", "run_3", "run_2", "run_1"]
    shown = texts(answer["runs-body"]["children"])
    assert "4 runs: 3 completed, 1 failed" in shown
    assert len(found(answer["runs-body"]["children"], "Graph")) == 1


@pytest.mark.parametrize(
    ("values", "runs", "address"),
    [
        ({"text": "RUN_3"}, ["run_3"], "?q=RUN_3"),
        ({"text": "cannot read"}, ["run_4"], "?q=cannot+read"),
        ({"pipeline": "other"}, ["run_3"], "?pipeline=other"),
        ({"status": ["failed", "running"]}, ["run_4"], "?status=failed&status=running"),
        ({"status": ["completed"], "pipeline": "made"}, ["run_2", "run_1"], "?pipeline=made&status=completed"),
        ({"text": "100%_("}, [], "?q=100%25_%28"),
        ({"period": "24h"}, [], "?period=24h"),
    ],
)
def test_filters_narrow_the_table_and_stand_in_the_address(
    visitor: Visitor, values: dict[str, Any], runs: list[str], address: str
) -> None:
    """Search, pipeline, status and period filter, and the address can be shared."""
    answer = visitor.table(**values)
    assert _runs(answer) == runs
    assert answer["runs-address"]["data"] == address
    if not runs:
        assert "No matching runs" in texts(answer["runs-body"]["children"])


def test_the_order_comes_from_the_address(visitor: Visitor) -> None:
    """A column of the address sorts, and what an address says wrongly is left out."""
    assert _runs(visitor.table("?sort=total_input_records&order=up"))[0] == "run_3"
    assert _runs(visitor.table("?sort=run_id&order=up")) == ["run_1", "run_2", "run_3", "run_4"]
    assert _runs(visitor.table("?sort=nonsense&page=-3&order=sideways")) == ["run_4", "run_3", "run_2", "run_1"]
    assert _runs(visitor.table("?page=999")) == ["run_4", "run_3", "run_2", "run_1"]


def test_a_run_shows_what_its_report_shows(visitor: Visitor) -> None:
    """Findings, tiles, charts and tables of one run, and links to its stages and operators."""
    answer = visitor.page("/run/run_2")
    content = answer["content"]["children"]
    shown = texts(content)
    assert answer["title"]["data"] == "run_2"
    for part in ("What stands out", "Over time", "Latency", "Workers", "Nodes", "Rejects and errors by reason"):
        assert part in shown
    assert {graph["id"] for graph in found(content, "Graph")} >= {
        "run-funnel",
        "run-sankey",
        "run-latency",
        "run-nodes",
    }
    assert "/run/run_2/stage/judge/operator/quality" in [link["href"] for link in found(content, "Link")]


def test_findings_lead_to_sections_of_the_page(visitor: Visitor) -> None:
    """A finding links the section that it rests on, by its id."""
    content = visitor.page("/run/run_2")["content"]["children"]
    links = [link["href"][1:] for link in found(content, "A") if link["href"].startswith("#")]
    assert "errors" in links
    assert set(links) <= {section.get("id") for section in found(content, "Section")}


def test_a_stage_and_an_operator_go_down_to_the_worker(visitor: Visitor) -> None:
    """Every worker has a row; the slow one is seen."""
    stage = texts(visitor.page("/run/run_2/stage/judge")["content"]["children"])
    assert {"judge-0", "judge-1"} <= set(stage)
    operator = texts(visitor.page("/run/run_2/stage/judge/operator/quality")["content"]["children"])
    assert {"judge-0", "judge-1", "bad words", "few words"} <= set(operator)


def test_runs_are_compared_with_the_first(visitor: Visitor) -> None:
    """Of three runs two are held against the first, each with a chart and a table."""
    content = visitor.page("/compare", "?run=run_1&run=run_2&run=run_3")["content"]["children"]
    shown = texts(content)
    assert "run_2 compared with run_1" in shown
    assert "run_3 compared with run_1" in shown
    assert len(found(content, "Graph")) == 2


def test_a_page_is_made_again_only_when_the_run_has_changed(tmp_path: Path) -> None:
    """A tick costs nothing while nothing happens; a flush of the run brings new numbers."""
    now = utc_now()
    running = {"status": "running", "heartbeat": now, "flush_interval": 60.0, "start": now, "end_time": None}
    make_run(tmp_path, _POOLS, "run_live", records=1_000, **running)
    with Visitor(tmp_path) as visitor:
        first = visitor.page("/run/run_live")
        kept = first["shown"]["data"]
        assert "1,000" in texts(first["content"]["children"])
        assert visitor.page("/run/run_live", shown=kept, changed="tick.data") is None
        version = visitor.table()["runs-version"]["data"]
        assert visitor.table(version=version, changed="tick.data") is None
        make_run(tmp_path, _POOLS, "run_live", records=2_000, **(running | {"heartbeat": now + timedelta(seconds=1)}))
        deadline = time.monotonic() + 90
        while (again := visitor.page("/run/run_live", shown=kept, changed="tick.data")) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "2,000" in texts(again["content"]["children"])
        assert visitor.table(version=version, changed="tick.data") is not None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/run/nope", "there is no run nope"),
        ("/run/run_1/stage/nope", "has no stage nope"),
        ("/run/run_1/stage/clean/operator/nope", "has no operator nope"),
        ("/no/such/page", "Page not found"),
        ("/run/%2e%2e%2f/nodes", "there is no run"),
    ],
)
def test_what_is_not_there_gets_a_page_that_helps(visitor: Visitor, path: str, said: str) -> None:
    """No stack trace, but what is missing and a way on."""
    content = visitor.page(path)["content"]["children"]
    assert any(said in text for text in texts(content))
    assert "/" in [link["href"] for link in found(content, "Link")]


def test_an_empty_store_says_how_to_begin(tmp_path: Path) -> None:
    """No folder yet, and an empty one: the page says what to do, and a run appears by itself."""
    with Visitor(tmp_path / "later") as visitor:
        assert "No runs yet" in texts(visitor.table()["runs-body"]["children"])
        make_run(tmp_path / "later", _POOLS, "run_first")
        deadline = time.monotonic() + 90
        while not _runs(visitor.table()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_damaged_file_hides_no_other_run(tmp_path: Path) -> None:
    """What cannot be read is left out; the rest is shown."""
    make_run(tmp_path, _POOLS, "run_good")
    (tmp_path / "runs" / "run_bad.parquet").write_bytes(b"PAR1 torn")
    (tmp_path / "operators" / "operators_bad.parquet").write_bytes(b"")
    with Visitor(tmp_path) as visitor:
        assert _runs(visitor.table()) == ["run_good"]
        assert "length" in texts(visitor.page("/run/run_good")["content"]["children"])


def test_a_store_of_a_newer_version_is_explained(tmp_path: Path) -> None:
    """A folder that this version cannot read gets a page that says so, without the path of the folder."""
    import pyarrow.parquet as pq

    make_run(tmp_path, _POOLS, "run_1")
    file = tmp_path / "runs" / "run_1.parquet"
    table = pq.read_table(file)
    metadata = {**table.schema.metadata, b"mdf.schema_version": b"999"}
    pq.write_table(table.replace_schema_metadata(metadata), file)
    with Visitor(tmp_path) as visitor:
        answer = visitor.table()
        assert any("schema version 999" in text for text in texts(answer["runs-body"]["children"]))
        assert str(tmp_path) not in written(answer)


def test_compaction_is_not_noticed(tmp_path: Path) -> None:
    """The same table and the same page of a run before and after its files were folded."""
    for number in range(3):
        make_run(tmp_path, _POOLS, f"run_{number}", start=START + timedelta(hours=number))
    with Visitor(tmp_path) as visitor:
        before = visitor.table()["runs-body"], visitor.page("/run/run_1")["content"]
        assert compact(tmp_path, min_age=timedelta(0)).runs == 3
        time.sleep(0.1)
        assert (visitor.table()["runs-body"], visitor.page("/run/run_1")["content"]) == before


def test_a_long_list_comes_in_pages(tmp_path: Path) -> None:
    """Fifty runs on a page, links to the others, and all of them in the count."""
    writer = MetricsWriter(tmp_path)
    for number in range(120):
        started = START + timedelta(minutes=number)
        writer.write_run_metrics(RunMetrics(f"run_{number:03d}", started, started, status="completed", pipeline="p"))
    with Visitor(tmp_path) as visitor:
        assert len(_runs(visitor.table())) == 50
        last = visitor.table("?page=3")
        assert _runs(last) == [f"run_{number:03d}" for number in range(19, -1, -1)]
        assert "101 to 120 of 120" in texts(last["runs-body"]["children"])
        assert len(_runs(visitor.table("?page=3", text="run_0"))) == 50  # another filter starts at its first page


def test_neither_paths_nor_secrets_nor_markup_get_out(tmp_path: Path) -> None:
    """Of a run full of them no page tells a path of this machine or a secret, and markup stays text."""
    reasons = {f"reason{EVIL}": 0.1, f"in {tmp_path}/list.txt": 0.1, f"in {tmp_path}/x/list.txt": 0.1}
    pools = (Pool(EVIL, [Op(f"op{EVIL}", 0.001, reasons), Op("b")]),)
    config = {
        "name": EVIL,
        "data_writer": {"type": "x", "params": {"output_path": f"{tmp_path}/out", "token": "[redacted]"}},
        "stages": [{"name": EVIL, "operators": [{"name": f"{tmp_path}/op.py:Mine", "params": {"note": EVIL}}]}],
    }
    error = f"InputError: {EVIL} in {tmp_path}/in/x.json"
    evil = {"config": config, "pipeline": EVIL, "hostname": EVIL}
    make_run(tmp_path, pools, "run_1", status="failed", error=error, total_errors=3, **evil)
    nodes = [NodeMetrics("run_1", EVIL, START + timedelta(seconds=at), cpu_usage=at) for at in range(30)]
    MetricsWriter(tmp_path).write_nodes(nodes, "run_1")
    make_run(tmp_path, pools, "run_2", config=config, pipeline=EVIL, start=START + timedelta(hours=1))
    from urllib.parse import quote

    stage = f"/run/run_1/stage/{quote(EVIL, safe='')}"
    with Visitor(tmp_path) as visitor:
        answers = [visitor.table(), visitor.page("/compare", "?run=run_1&run=run_2"), visitor.client.get("/").text]
        answers += [visitor.page("/run/run_1/nodes", f"?view={view}") for view in nodes_page.VIEWS]
        paths = ("/", "/run/run_1", "/run/run_2", stage, f"{stage}/operator/{quote('op' + EVIL, safe='')}", "/run/x")
        answers += [visitor.page(path) for path in paths]
        for answer in answers:
            assert str(tmp_path) not in written(answer)
        graphs = [graph for answer in answers if isinstance(answer, dict) for graph in found(answer, "Graph")]
        assert len(graphs) > 10
        for graph in graphs:
            for trace in graph["figure"]["data"]:
                trace.pop("meta", None)  # what our own code reads and Plotly never draws
            assert "<script" not in written(graph)
            assert "<img" not in written(graph)
        titles = visitor.page(stage)["content"]["children"]
        assert EVIL in texts(titles)
        assert "in …/list.txt" in texts(visitor.page("/run/run_1")["content"]["children"])


def _ask(visitor: Visitor, output: str, inputs: list[object], states: list[object]) -> Any:
    """Call a callback by its first output with values for its inputs and states."""
    known = visitor.app.callback_map[output]
    body = {
        "output": output,
        "outputs": {"id": output.split(".")[0], "property": output.split(".")[1]},
        "inputs": [{**at, "value": value} for at, value in zip(known["inputs"], inputs, strict=True)],
        "state": [{**at, "value": value} for at, value in zip(known["state"], states, strict=True)],
        "changedPropIds": [f"{known['inputs'][0]['id']}.{known['inputs'][0]['property']}"],
    }
    answer = visitor.client.post("/_dash-update-component", json=body)
    return answer.get_json()["response"]["url"] if answer.status_code == 200 else answer.status_code


def test_the_oldest_run_is_the_baseline(visitor: Visitor) -> None:
    """In whatever order runs are ticked, the one that started first is what the others are compared with."""
    for picked in (["run_3", "run_1", "run_2"], ["run_2", "run_3", "run_1"]):
        assert _ask(visitor, "url.href", [1], [picked]) == {"href": "/compare?run=run_1&run=run_2&run=run_3"}
    assert _ask(visitor, "url.search", [["run_3", "run_1"]], ["?run=run_3"]) == {"search": "?run=run_1&run=run_3"}
    assert _ask(visitor, "url.search", [["run_3", "run_1"]], ["?run=run_3&run=run_1"]) == 204  # a choice of its own


def test_another_run_can_be_made_the_baseline(visitor: Visitor) -> None:
    """Each run but the first has a link that puts it first."""
    content = visitor.page("/compare", "?run=run_1&run=run_2")["content"]["children"]
    assert "baseline" in texts(content)
    assert "/compare?run=run_2&run=run_1" in [link["href"] for link in found(content, "Link")]


def test_the_list_says_why_a_run_failed(tmp_path: Path) -> None:
    """The error stands below the status, without the folders of this machine."""
    make_run(tmp_path, _POOLS, "run_bad", status="failed", error="ValueError: no number in /data/secret/a.jsonl")
    with Visitor(tmp_path) as visitor:
        body = visitor.table()["runs-body"]["children"]
        assert "ValueError: no number in …/a.jsonl" in texts(body)


def test_names_break_at_their_joints() -> None:
    """A name may go to the next line after `_` and the like, and nowhere else."""
    names = [part if isinstance(part, str) else "|" for part in breakable("gopher_quality-filter / a.b")]
    assert "".join(names) == "gopher_|quality-|filter / a.|b"
    assert breakable("plain") == "plain"


def test_a_tick_that_replaces_a_filter_answers_it(visitor: Visitor) -> None:
    """A tick takes the place of a request under way: it renders what is not shown yet, and nothing else."""
    shown = visitor.table()["runs-version"]["data"]
    assert visitor.table(version=shown, changed="tick.data") is None
    assert "run_2" in texts(visitor.table(version=shown, changed="tick.data", text="run_2")["runs-body"]["children"])
