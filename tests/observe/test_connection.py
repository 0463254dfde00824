"""Connection of a worker process to a run."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import dask
import pytest

from mega_data_factory.observe import connection, engines
from mega_data_factory.observe.connection import Connection
from mega_data_factory.observe.engines.engine import Engine, Task


class _SlowToMake(Engine):
    name: ClassVar[str] = "slow"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        time.sleep(0.05)

    def task(self) -> Task:
        """Return a task."""
        return Task("task", "attempt", "worker")


def test_all_threads_of_a_worker_share_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that ask for it at the same time: accounts of one task must not be kept by two."""
    monkeypatch.setattr(connection, "loaded_engines", lambda: [_SlowToMake])
    addresses = {"slow": "address", "python": {"run_id": "run_x", "folder": "x"}}
    connected = Connection("run_x", None, lambda: addresses)
    start = threading.Barrier(4)

    def current() -> Engine:
        start.wait()
        return connected.current()[0]

    with ThreadPoolExecutor(4) as pool:
        found = [future.result() for future in [pool.submit(current) for _ in range(4)]]
    assert len({id(engine) for engine in found}) == 1
    assert isinstance(found[0], _SlowToMake)


def test_an_engine_that_another_thread_imports_is_not_asked_before_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes metrics asks engines for their versions, which a half imported module does not have."""
    spec = dask.__spec__
    assert spec is not None
    monkeypatch.setattr(spec, "_initializing", True, raising=False)
    monkeypatch.setattr(engines, "_found", (-1, []))
    assert "dask" not in [engine.name for engine in engines.loaded_engines()]
    monkeypatch.setattr(spec, "_initializing", False)
    assert "dask" in [engine.name for engine in engines.loaded_engines()]
