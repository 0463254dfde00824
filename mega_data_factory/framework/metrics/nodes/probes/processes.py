"""CPU time of the processes of a run on one machine: some root processes, and all that they have started.

Source of the numbers on Linux: proc(5), `/proc/pid/stat` and `/proc/pid/task/tid/children`. The CPU time of a child
that has ended is part of its parent's `cutime` and `cstime`, unless the parent ignores SIGCHLD and never waits.
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
        own: CPU seconds that it used so far.
        reaped: CPU seconds of the children that it has waited for.
    """

    pid: int
    started: float
    parent: int
    own: float
    reaped: float


_Known = dict[tuple[int, float], _Process]


class RunProcesses:
    """A counter of the CPU seconds that the processes of a run used.

    Args:
        roots: Return the process ids that belong to the run; their descendants are found.
    """

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self._roots = roots
        self._known: _Known | None = None
        self._awaited: dict[tuple[int, float], float] = {}
        self._total = 0.0

    def cpu_seconds(self) -> float:
        """Return the CPU seconds used since the first call, which returns 0.

        What a process used after the last call that saw it is lost where no parent of the run waits for it.
        """
        now = {(process.pid, process.started): process for process in _tree(self._roots())}
        if self._known is not None:
            self._total += self._growth(self._known, now)
        self._known = now
        return self._total

    def _growth(self, old: _Known, new: _Known) -> float:
        """Return what was used between two looks; a child that ended counts once, whether its parent took it over."""
        ended = _counted_of_ended(old, new)
        awaited, self._awaited = self._awaited, {}
        growth = 0.0
        for key, process in new.items():
            before = old.get(key)
            growth += process.own - (before.own if before else 0.0)
            taken_over = process.reaped - (before.reaped if before else 0.0)
            counted = ended.get(key, 0.0)
            growth += max(0.0, taken_over - counted - awaited.get(key, 0.0))
            if taken_over < counted:  # it ended between two reads: the parent has it in the next look, or never
                self._awaited[key] = counted - taken_over
        return growth


def _counted_of_ended(old: _Known, new: _Known) -> dict[tuple[int, float], float]:
    """Return the seconds already counted of processes that ended, by the nearest ancestor that lives."""
    by_pid = {process.pid: process for process in old.values()}
    counted: dict[tuple[int, float], float] = {}
    for key, process in old.items():
        heir: _Process | None = process
        while heir is not None and (heir.pid, heir.started) not in new:
            heir = by_pid.get(heir.parent)
        if key not in new and heir is not None:
            place = heir.pid, heir.started
            counted[place] = counted.get(place, 0.0) + process.own + process.reaped
    return counted


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
    """Return a process; None if it has ended."""
    if not _HAS_PROC:
        return _process_elsewhere(pid)
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # the name before may hold anything
    user, system, children_user, children_system = (int(field) * _TICK for field in fields[11:15])
    return _Process(pid, float(fields[19]), int(fields[1]), user + system, children_user + children_system)


def children(pid: int) -> list[int]:
    """Return the process ids of the living children of a process; none if it has ended."""
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
            reaped = times.children_user + times.children_system
            return _Process(pid, process.create_time(), process.ppid(), times.user + times.system, reaped)
    except psutil.Error:
        return None


def _children_elsewhere(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


_HAS_PROC = (_PROC / "self" / "stat").exists()
_HAS_CHILDREN = (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()
