"""Shared fixtures: nothing here starts a server or touches the network."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

from mega_data_factory.framework.metrics import MetricsCollector
from mega_data_factory.testing import FakeClock

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what is in its background so; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run: a change is judged by what it changed. HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def collector(clock: FakeClock) -> MetricsCollector:
    return MetricsCollector("run_test", clock=clock, now=clock.now)
