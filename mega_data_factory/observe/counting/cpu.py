"""CPU time of many short pieces of work: that of some is measured, and taken for the share of all."""

from __future__ import annotations

import time

_EVERY = 16
"""Of short pieces one of this many is measured: asking for the CPU time of a thread is a system call."""

_LONG = 1e-4
"""Seconds of a piece after which the next one is measured too."""


class CpuShare:
    """Share of the CPU in the time of pieces of work of one thread.

    `start` begins a piece; what runs between `pause` and `resume` is not part of it; `stop` ends it.
    """

    __slots__ = ("_cpu", "_left", "_paused", "_started", "_wall", "measuring")

    def __init__(self) -> None:
        self.measuring = False
        self._left = 0  # short pieces until the next is measured
        self._cpu = self._wall = self._started = self._paused = 0.0

    def start(self) -> None:
        """Begin a piece."""
        self.measuring = self._left <= 0
        if self.measuring:
            self._started = time.thread_time()
        else:
            self._left -= 1

    def pause(self) -> None:
        """Begin what is not part of the piece."""
        if self.measuring:
            self._paused = time.thread_time()

    def resume(self) -> None:
        """End what is not part of the piece."""
        if self.measuring:
            self._started += time.thread_time() - self._paused

    def stop(self, seconds: float) -> None:
        """End a piece.

        Args:
            seconds: how long it took.
        """
        if self.measuring:
            self.measuring = False
            self._cpu += time.thread_time() - self._started
            self._wall += seconds
            self._left = 0 if seconds > _LONG else _EVERY

    def of(self, seconds: float) -> float:
        """Return the CPU seconds of all pieces.

        Args:
            seconds: how long they took together.
        """
        return min(1.0, self._cpu / self._wall) * seconds if self._wall > 0 else 0.0
