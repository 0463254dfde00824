"""Limit of time for one record in an operator, kept by the kernel: code that never returns to Python ends too."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

SIGNAL = signal.SIGALRM
"""Ends a worker whose operator takes too long. Its action is the default one: the process dies at once."""

_AIM = 0.25
"""Share of the limit that a call on several records should take."""

_GROWTH = 8
"""A call is given at most this many times the records of the call before."""


class RecordTimeout(Exception):
    """A record took longer in an operator than `record_timeout` allows.

    Args:
        seconds: The limit.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than record_timeout, {seconds:g} s, in this operator")


class Pace:
    """Sizes of calls for one operator in one worker: few records at first, then as many as its speed allows.

    A call that takes longer than the limit ends the worker, so an operator that is slow on every record must not be
    given a whole batch at once, and a limit for a record is none for a batch.

    Args:
        limit: Seconds that a record may take; 0 for no limit.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._size = 1.0

    def size(self, records: int) -> int:
        """Return how many of `records` the next call should be given."""
        return min(records, int(self._size)) if self.limit else records

    @contextmanager
    def kept(self, records: int) -> Iterator[None]:
        """End this process when the block takes longer than the limit; learn from how long it takes."""
        if not self.limit:
            yield
            return
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, self.limit)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.learn(records, time.perf_counter() - started)

    def learn(self, records: int, seconds: float) -> None:
        """Learn how many records fit into a call from the seconds that one has taken."""
        fitting = records * self.limit * _AIM / max(1e-9, seconds)
        self._size = max(1.0, min(fitting, max(self._size, records) * _GROWTH))
