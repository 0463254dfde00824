"""CPU time of the processes of a run on one machine: some root processes, and all that they have started.

Source of the numbers on Linux: proc(5), `/proc/pid/stat` and `/proc/pid/task/tid/children`. The CPU time of a child
that has ended is part of its parent's `cutime` and `cstime`, so the sum over a living tree loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_PROC = Path("/proc")
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Process:
    """One process as it is now.

    Attributes:
        pid: Its number.
        started: When it was started: with `pid` the same for no other process.
        parent: Number of its parent.
        seconds: CPU seconds that it, and the children that it has waited for, used so far.
    """

    pid: int
    started: float
    parent: int
    seconds: float


class RunProcesses:
    """A counter of the CPU seconds that the processes of a run used.

    Args:
        roots: Return the process ids that belong to the run; their descendants are found.
    """

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self._roots = roots
        self._known: dict[tuple[int, float], _Process] | None = None
        self._total = self._highest = 0.0

    def cpu_seconds(self) -> float:
        """Return the CPU seconds used since the first call, which returns 0.

        What a process used after the last call that saw it is lost where its parent is not of the run. The sum falls
        for one call where a child ends between two reads of it and its parent; then the counter stands still.
        """
        now = {(process.pid, process.started): process for process in _tree(self._roots())}
        if self._known is not None:
            self._total += self._growth(self._known, now)
        self._known = now
        self._highest = max(self._highest, self._total)
        return self._highest

    @staticmethod
    def _growth(old: dict[tuple[int, float], _Process], new: dict[tuple[int, float], _Process]) -> float:
        by_pid = {process.pid: process for process in old.values()}

        def is_in_new(process: _Process | None) -> bool:
            """Return whether a process, or the nearest ancestor that lives and has taken over its time, is in `new`."""
            while process is not None:
                if (process.pid, process.started) in new:
                    return True
                process = by_pid.get(process.parent)
            return False

        counted = sum(process.seconds for process in old.values() if is_in_new(process))
        return sum(process.seconds for process in new.values()) - counted


def _tree(roots: Iterable[int]) -> Iterator[_Process]:
    """Yield the processes and all their descendants, each once; those that end meanwhile are left out."""
    waiting, met = list(roots), set[int]()
    while waiting:
        pid = waiting.pop()
        if pid in met:
            continue
        met.add(pid)
        process = _process(pid)
        if process is not None:
            yield process
            waiting += children(pid)


def _process(pid: int) -> _Process | None:
    """Return a process; None where it has ended."""
    if not _HAS_PROC:
        return _process_elsewhere(pid)
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # the name before may hold anything
    return _Process(pid, float(fields[19]), int(fields[1]), sum(map(int, fields[11:15])) * _TICK)


def children(pid: int) -> list[int]:
    """Return the process ids of the living children of a process; none where it has ended."""
    if not _HAS_CHILDREN:
        return _children_elsewhere(pid)
    found: list[int] = []
    try:
        with os.scandir(_PROC / str(pid) / "task") as threads:
            for thread in threads:
                found += map(int, Path(thread.path, "children").read_bytes().split())
    except OSError:
        return found
    return found


def _process_elsewhere(pid: int) -> _Process | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            seconds = times.user + times.system + times.children_user + times.children_system
            return _Process(pid, process.create_time(), process.ppid(), seconds)
    except psutil.Error:
        return None


def _children_elsewhere(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


_HAS_PROC = (_PROC / "self" / "stat").exists()
_HAS_CHILDREN = (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()
