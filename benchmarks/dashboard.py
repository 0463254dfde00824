"""Speed of the dashboard over many runs: what its server needs for a page and for every filter.

The store is that of `metrics_store.py`, as it is written and compacted. Times are of the server alone, over HTTP in one
process; a browser adds its drawing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from metrics_store import make_store

from mega_data_factory.dashboard.app import create_app
from mega_data_factory.framework.metrics.upkeep.compaction import compact

PAGE = "..content.children...title.data...shown.data.."
TABLE = "..runs-body.children...runs-address.data...runs-version.data.."
ROUNDS = 7


class Visitor:
    """Asks what the frame of the dashboard asks."""

    def __init__(self, folder: Path) -> None:
        started = time.perf_counter()
        server = create_app(folder).server
        self.store, self.client = server.config["store"], server.test_client()
        self.store.runs(patience=600.0)
        self.until_first = time.perf_counter() - started
        before = time.perf_counter()
        first_page(self)
        self.while_reading = time.perf_counter() - before
        while self.store.runs().unread:
            time.sleep(0.02)
        self.until_all = time.perf_counter() - started

    def page(self, path: str, search: str = "") -> None:
        values = {"url.pathname": path, "url.search": search, "look.data": "light", "tick.n_intervals": 1}
        self._ask(PAGE, values, {"shown.data": None}, "url.pathname")

    def table(self, search: str = "", **chosen: Any) -> None:
        values = {f"runs-{name}.value": chosen.get(name) for name in ("text", "pipeline", "period", "status")}
        values |= {"look.data": "light", "tick.n_intervals": 1}
        states: dict[str, Any] = {"url.search": search, "runs-picked.data": [], "runs-version.data": None}
        self._ask(TABLE, values, states, "runs-text.value")

    def _ask(self, output: str, inputs: dict[str, Any], states: dict[str, Any], changed: str) -> None:
        asked = {
            "output": output,
            "outputs": [_named(name) for name in output.strip(".").split("...")],
            "inputs": [{**_named(name), "value": value} for name, value in inputs.items()],
            "state": [{**_named(name), "value": value} for name, value in states.items()],
            "changedPropIds": [changed],
        }
        answer = self.client.post("/_dash-update-component", json=asked)
        assert answer.status_code == 200, answer.text


def first_page(visitor: Visitor) -> None:
    visitor.client.get("/")
    visitor.page("/")
    visitor.table()


def _named(name: str) -> dict[str, str]:
    component, _, prop = name.rpartition(".")
    return {"id": component, "property": prop}


def median(work: Callable[[], None]) -> str:
    """Return median and maximum of some rounds, in milliseconds, without the first round."""
    work()
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return f"{1e3 * statistics.median(seconds):.0f} ms (most {1e3 * max(seconds):.0f})"


def measure(folder: Path, what: str) -> None:
    visitor = Visitor(folder)
    run_id = visitor.store.runs().table.column("run_id")[-1].as_py()
    print(f"| {what}: from start to the newest runs | {visitor.until_first:.2f} s | 1 s |")
    print(f"| {what}: the very first page, others being read | {1e3 * visitor.while_reading:.0f} ms | 1 s |")
    print(f"| {what}: from start to all runs | {visitor.until_all:.2f} s | |")

    rows: list[tuple[str, Callable[[], None], str]] = [
        ("first page: frame, controls, table and trends", lambda: first_page(visitor), "1 s"),
        ("filter: text", lambda: visitor.table(text=run_id[-5:]), "300 ms"),
        ("filter: text that most runs have", lambda: visitor.table(text="run_"), "300 ms"),
        ("filter: status", lambda: visitor.table(status=["completed"]), "300 ms"),
        ("filter: period and pipeline", lambda: visitor.table(period="30d", pipeline="none"), "300 ms"),
        ("sorted by duration, page 100", lambda: visitor.table("?sort=duration&page=100"), "300 ms"),
        ("one run, read before", lambda: visitor.page(f"/run/{run_id}"), ""),
    ]
    for name, work, target in rows:
        print(f"| {what}: {name} | {median(work)} | {target} |")
    visitor.store.stop()


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_store(folder, runs)
        print(f"| {runs} runs | measured | target |")
        print("|---|---|---|")
        measure(folder, "as written")
        compact(folder, min_age=timedelta(0))
        measure(folder, "compacted")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    main(parser.parse_args().runs)
