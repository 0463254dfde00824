"""The limit of time for a record ends a process, and the pace keeps slow operators away from it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from mega_data_factory.framework.worker.time_limit import SIGNAL, Pace

HANGS = """
import re
from mega_data_factory.framework.worker.time_limit import Pace
with Pace(60.0).kept(1):
    pass
print("in time", flush=True)
with Pace(0.3).kept(1):
    re.match("(a+)+$", "a" * 60 + "b")  # never lets go of the interpreter
"""


def test_code_that_never_returns_to_python_is_ended() -> None:
    """A regular expression that backtracks for years, inside C code, ends with its process."""
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, timeout=100, check=False)
    assert ended.stdout == b"in time\n"
    assert ended.returncode == -SIGNAL


def test_calls_grow_as_fast_as_the_operator_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast operator soon gets whole batches; a slow one never more than fits into a part of the limit."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def sizes(seconds_per_record: float, overhead: float = 0.0) -> list[int]:
        pace, left, taken = Pace(1000.0), 3000, []
        while left:
            size = pace.size(min(left, 1000))
            with pace.kept(size):
                now[0] += overhead + size * seconds_per_record
            left -= size
            taken.append(size)
        return taken

    assert sizes(0.001) == [1, 8, 64, 512, 1000, 1000, 415]
    assert max(sizes(10.0)) == 25
    assert set(sizes(900.0)) == {1}
    assert max(sizes(0.001, overhead=100.0)) == 1000, "what a call costs by itself is no reason for small ones"


def test_without_a_limit_nothing_is_cut() -> None:
    """A limit of 0 is none: whole batches at once."""
    pace = Pace(0.0)
    with pace.kept(5):
        assert pace.size(5000) == 5000
