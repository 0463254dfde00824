"""What is asked wrongly, or cannot be read, gets a sentence; the reasons stay in the log."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsReader
from tests.dashboard.visiting import PAGE, TABLE, Visitor, found, texts
from tests.made_runs import Op, Pool, make_run

_POOLS = (Pool("clean", [Op("length", 0.001)], workers=70),)
_ASKED = "/_dash-update-component"


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A dashboard over one run of very many workers."""
    path = tmp_path_factory.mktemp("metrics")
    make_run(path, _POOLS, "run_1")
    with Visitor(path) as found:
        yield found


@pytest.mark.parametrize(
    "sent",
    [
        {"data": "{torn", "content_type": "application/json"},
        {"data": b"\xff\x00"},
        {"json": []},
        {"json": {}},
        {"json": {"output": 7, "inputs": [], "changedPropIds": []}},
        {"json": {"output": "nothing.children", "inputs": [], "changedPropIds": []}},
        {"json": {"output": PAGE, "inputs": "all", "changedPropIds": []}},
        {"json": {"output": PAGE, "outputs": [], "inputs": [], "changedPropIds": []}},
    ],
)
def test_nonsense_is_refused(visitor: Visitor, sent: dict[str, Any]) -> None:
    """Whatever is posted: a client's fault is 400, and no answer tells of the inside."""
    answer = visitor.client.post(_ASKED, **sent)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_values_of_the_wrong_kind_tell_nothing(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """A question of ours with values that no control has: 500 at most, and the reason in the log alone."""
    names = ("runs-text", "runs-pipeline", "runs-period", "runs-status")
    inputs: list[Any] = [{"id": name, "property": "value", "value": {"a": 1}} for name in names]
    inputs += [{"id": "look", "property": "data", "value": 3}]
    inputs += [{"id": "tick", "property": "n_intervals", "value": "x"}]
    outputs = [("runs-body", "children"), ("runs-address", "data"), ("runs-version", "data")]
    answer = visitor.client.post(
        _ASKED,
        json={
            "output": TABLE,
            "outputs": [{"id": name, "property": prop} for name, prop in outputs],
            "inputs": inputs,
            "state": [
                {"id": "url", "property": "search", "value": 5},
                {"id": "runs-picked", "property": "data", "value": 1},
                {"id": "runs-version", "property": "data"},
            ],
            "changedPropIds": ["runs-text.value"],
        },
    )
    assert answer.status_code == 500
    assert "The log of the dashboard says why" in answer.text
    assert ".py" not in answer.text
    assert "could not be answered" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("GET", "/assets/dashboard.css", 200),
        ("GET", "/assets/nothing.js", 404),
        ("GET", "/assets/..%2fapp.py", 404),
        ("GET", "/_dash-component-suites/dash/../../setup.py", 400),
        ("PUT", "/", 405),
        ("DELETE", _ASKED, 405),
    ],
)
def test_other_requests_get_what_they_should(visitor: Visitor, method: str, path: str, status: int) -> None:
    """Files of ours are served and nothing beside them; other methods are not allowed."""
    answer = visitor.client.open(path, method=method)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    answer.close()  # lets the file go that is being served


def test_there_are_no_tools_for_developers(visitor: Visitor) -> None:
    """No debugger, no validation of ours in the browser, no reloading."""
    config = visitor.client.get("/").text
    assert '"ui":false' in config
    assert '"hot_reload"' not in config
    assert not visitor.app.server.debug


def test_very_many_workers_are_cut_and_said_to_be(visitor: Visitor) -> None:
    """A table has at most fifty workers, and says how many there are."""
    for path in ("/run/run_1/stage/clean", "/run/run_1/stage/clean/operator/length"):
        page = visitor.page(path)["content"]["children"]
        assert "The 50 slowest of 70 workers." in texts(page)
        assert sum(text.startswith("clean-") for text in texts(page)) == 50


def test_a_store_that_is_deleted_becomes_an_empty_one(tmp_path: Path) -> None:
    """While it is shown, the folder goes: the list is empty, the run is missing, and nothing fails."""
    make_run(tmp_path / "metrics", _POOLS[:1], "run_1")
    with Visitor(tmp_path / "metrics") as visitor:
        assert visitor.page("/run/run_1")["title"]["data"] == "run_1"
        shutil.rmtree(tmp_path / "metrics")
        deadline = time.monotonic() + 10
        while "No runs yet" not in texts(visitor.table()["runs-body"]["children"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "This cannot be shown" in texts(visitor.page("/run/run_1")["content"]["children"])


def test_the_newest_runs_are_there_before_all_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many runs the last are shown at once, with a note of how many are still being read."""
    from mega_data_factory.dashboard import store

    monkeypatch.setattr(store, "_FIRST_RUNS", 2)
    seen: list[tuple[list[str], int]] = []
    real = MetricsReader.newest_runs

    def watched(reader: MetricsReader, most: int) -> Any:
        runs, left = real(reader, most)
        seen.append((runs.column("run_id").to_pylist(), left))
        return runs, left

    monkeypatch.setattr(MetricsReader, "newest_runs", watched)
    for number in range(5):
        make_run(tmp_path, (Pool("clean", [Op("length")]),), f"run_{number}", samples=False)
    with Visitor(tmp_path) as visitor:
        deadline = time.monotonic() + 10
        while visitor.store.runs().unread or visitor.store.runs().table.num_rows < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert [(len(runs), runs[0], left) for runs, left in seen] == [
            (2, "run_3", 3),
            (4, "run_1", 1),
            (5, "run_0", 0),
        ]
        visitor.store.stop()
        first = store.RunList(visitor.store.runs().table.slice(3), 1, None, True, 3)
        visitor.store._list = first
        body = visitor.table()["runs-body"]["children"]
        assert "These are the newest; 3 older runs are being read." in texts(body)
        assert found(body, "Graph")
