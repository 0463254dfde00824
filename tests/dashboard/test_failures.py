"""What is asked wrongly, or cannot be read, gets a sentence; the reasons stay in the log."""

from __future__ import annotations

import copy
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsReader
from tests.dashboard.visiting import PAGE, Visitor, found, texts
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


_WRONG: tuple[Any, ...] = (0, 1.5, True, "x", [], [1], [None], ["x"], {}, {"a": 1}, None, "\0", "\ud800", "a\nb")


def _questions(visitor: Visitor) -> list[dict[str, Any]]:
    """A body with empty values for each callback that runs on the server."""
    bodies = []
    for output, callback in visitor.app.callback_map.items():
        if "callback" not in callback:
            continue
        parts = callback["output"] if isinstance(callback["output"], list) else [callback["output"]]
        outputs = [{"id": part.component_id, "property": part.component_property} for part in parts]
        body: dict[str, Any] = {"output": output, "outputs": outputs if ".." in output else outputs[0]}
        for part in ("inputs", "state"):
            body[part] = [{**known, "value": None} for known in callback[part]]
        body["changedPropIds"] = [f"{known['id']}.{known['property']}" for known in callback["inputs"][:1]]
        bodies.append(body)
    assert len(bodies) > 3
    return bodies


def test_values_of_the_wrong_type_are_a_bad_request(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """Each value of each callback is given in every type: answered, or 400 with one line in the log."""
    statuses: Counter[int] = Counter()
    for body in _questions(visitor):
        for part in ("inputs", "state"):
            for at in range(len(body[part])):
                for wrong in _WRONG:
                    sent = copy.deepcopy(body)
                    sent[part][at]["value"] = wrong
                    caplog.clear()
                    answer = visitor.client.post(_ASKED, json=sent)
                    statuses[answer.status_code] += 1
                    assert answer.status_code in (200, 204, 400), (sent, caplog.text)
                    assert [record.exc_info for record in caplog.records if record.exc_info] == [], sent
                    if answer.status_code == 400:
                        assert answer.text.count("Bad request") == 2
                        assert len(caplog.messages) == 1
                        assert "\n" not in caplog.messages[0]
    assert min(statuses[400], statuses[204] + statuses[200]) > 50


def test_bodies_of_the_wrong_shape_are_a_bad_request(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """Parts that are missing, of another type, too few, too many, or those of another callback: 400 in one line."""
    for body in _questions(visitor):
        misfits: tuple[Any, ...] = (0, "x", {"a": 1}, [7], [{}], [{"id": {}}])
        shapes = [{**body, key: wrong} for key in body for wrong in misfits]
        shapes += [{key: value for key, value in body.items() if key != left} for left in body if left != "state"]
        shapes += [{**body, "inputs": body["inputs"] * 2}, {**body, "inputs": body["inputs"][1:]}]
        shapes += [{**body, "changedPropIds": ["nothing.value"]}, {**body, "output": "look.data"}]
        for sent in shapes:
            caplog.clear()
            answer = visitor.client.post(_ASKED, json=sent)
            assert answer.status_code == 400, sent
            assert len(caplog.messages) == 1, sent
            assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "path", ["/run/%00", "/run/a%0ab", "/run/%ff", "/run/..%2f..", "/run/" + "x" * 5000, "/\\", ""]
)
def test_odd_addresses_are_pages_that_are_missing(
    visitor: Visitor, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """An address that names no run is answered in a sentence, without a traceback in the log."""
    page = visitor.page(path)["content"]["children"]
    assert texts(page)
    assert "Traceback" not in caplog.text


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
        deadline = time.monotonic() + 90
        while "No runs yet" not in texts(visitor.table()["runs-body"]["children"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "Unavailable" in texts(visitor.page("/run/run_1")["content"]["children"])


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
        deadline = time.monotonic() + 90
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
        assert "Showing the newest runs; loading 3 older runs." in texts(body)
        assert found(body, "Graph")
