"""Shared fixtures: nothing here starts a server or touches the network."""

import signal

import pytest

from mega_data_factory.framework.metrics import MetricsCollector
from mega_data_factory.testing import FakeClock

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what is in its background so; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def collector(clock):
    return MetricsCollector("run_test", clock=clock, now=clock.now)
