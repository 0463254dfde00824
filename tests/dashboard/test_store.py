"""What the dashboard keeps of a metrics folder, for many requests at once and whatever the store does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mega_data_factory.dashboard.store import RunStore
from tests.made_runs import Op, Pool, make_run

_POOLS = (Pool("clean", [Op("length", 0.001, {"too_short": 0.2})]),)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_store_that_fails_in_a_way_nobody_thought_of_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list stays what it was, says so, and is fresh again once the store answers."""
    make_run(tmp_path, _POOLS, "run_1")
    store = RunStore(tmp_path, refresh=0.01).start()
    try:
        assert store.runs(patience=10.0).table.num_rows == 1
        with monkeypatch.context() as patch:
            patch.setattr(store.reader, "runs", lambda: 1 // 0)
            _until(lambda: store.runs().error is not None)
            assert "cannot be read now" in store.runs().error.message  # type: ignore[union-attr]
            assert store.runs().table.num_rows == 1
        make_run(tmp_path, _POOLS, "run_2")
        _until(lambda: store.runs().table.num_rows == 2)
        assert store.runs().error is None
    finally:
        store.stop()


def test_what_many_ask_for_at_once_is_read_once(tmp_path: Path) -> None:
    """Browsers that look at one run wait for the same reading of it."""
    make_run(tmp_path, _POOLS, "run_1")
    store = RunStore(tmp_path).start()
    try:
        store.runs(patience=10.0)
        readings: list[object] = []
        begun, go_on = threading.Event(), threading.Event()

        def read() -> object:
            readings.append(object())
            begun.set()
            assert go_on.wait(10)
            return readings[-1]

        got: list[object] = []
        asking = [threading.Thread(target=lambda: got.append(store._cached("it", "run_1", read))) for _ in range(4)]
        for thread in asking:
            thread.start()
        assert begun.wait(10)
        go_on.set()
        for thread in asking:
            thread.join(10)
        assert got == readings * 4
    finally:
        store.stop()
