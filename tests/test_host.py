"""Processes of this host, and pauses between attempts."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from mega_data_factory.backoff import Backoff
from mega_data_factory.host import is_driver_alive


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    """A process that started after the driver was seen is another one of the same number."""
    started = psutil.Process().create_time()
    assert is_driver_alive(os.getpid(), started + 5.0)
    assert not is_driver_alive(os.getpid(), started - 5.0)


def test_a_process_that_has_ended_is_not_alive() -> None:
    """Neither before its parent has waited for it, nor after."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    seen = psutil.Process(child.pid).create_time()
    assert is_driver_alive(child.pid, seen)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_driver_alive(child.pid, seen)
    child.communicate()
    assert not is_driver_alive(child.pid, seen)


def test_pauses_double_up_to_the_longest() -> None:
    """Each failure in a row doubles the pause; a success returns to the first one."""
    backoff = Backoff(2.0, 15.0)
    pauses = []
    for _ in range(5):
        pauses.append(backoff.pause)
        backoff.failed()
    assert pauses == [2.0, 4.0, 8.0, 15.0, 15.0]
    assert backoff.is_failing
    backoff.succeeded()
    assert backoff.pause == 2.0
    assert not backoff.is_failing


def test_an_interval_beyond_the_longest_pause_stays() -> None:
    """Work that is repeated every minute is not repeated sooner because it failed."""
    backoff = Backoff(60.0, 15.0)
    for _ in range(2000):
        backoff.failed()
    assert backoff.pause == 60.0
