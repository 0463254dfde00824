"""Shared fixtures: nothing here touches the network, and a process is started only for the first run of a session."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from mega_data_factory.framework.metrics import MetricsCollector
from mega_data_factory.testing import FakeClock
from tests.nursery import servers_from_nursery

gc.disable()  # what is imported while tests are collected stays; no collection of garbage looks at it then or later

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what is in its background so; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run: a change is judged by what it changed. HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A file runs in one process from end to end, so those that take minutes start first and short ones fill the rest.
LONGEST = (
    "superset/test_real_superset.py",
    "observe/test_spark.py",
    "observe/test_ray_data_cluster.py",
    "engines/test_poison.py",
    "engines/test_kills.py",
    "engines/test_shapes.py",
    "test_exit.py",
    "observe/test_ray_data.py",
    "engines/test_resume.py",
    "engines/test_cluster.py",
    "engines/test_record_timeout.py",
    "engines/test_deduplication.py",
    "mlflow/test_real_mlflow.py",
    "browser/",
    "engines/",
    "observe/",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files of the slow tests by time, the longest first; their order is random otherwise."""
    if config.option.markexpr == "slow":
        items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST)))


def pytest_collection_finish() -> None:
    """Leave all that collecting the tests has made out of later collections of garbage."""
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Let the interpreter free all that was left out: DuckDB reports what lives on as leaks."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def cheap_fork_servers() -> Iterator[None]:
    """Fork servers of local runs come from one process of the session; see `tests.nursery`."""
    with servers_from_nursery():
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def collector(clock: FakeClock) -> MetricsCollector:
    return MetricsCollector("run_test", clock=clock, now=clock.now)
