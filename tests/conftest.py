"""Shared fixtures: nothing here starts a server or touches the network."""

import pytest

from mega_data_factory.framework.metrics import MetricsCollector
from mega_data_factory.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def collector(clock):
    return MetricsCollector("run_test", clock=clock, now=clock.now)
