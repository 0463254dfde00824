"""What a command costs: CPU seconds and memory of its whole process tree, and comparisons that noise cannot decide.

Two ways to count CPU seconds (user and system) run at once, because each can only miss something: what the kernel
hands to a parent when a child has been waited for (misses children that a parent refuses to wait for, as Ray's raylet
does), and samples of every process of the tree (miss what a process does after its last sample). The larger counts.
Orphans of the tree come to this process (Linux: it makes itself their "child subreaper"), so none escapes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
_PR_SET_CHILD_SUBREAPER = 36
_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Usage:
    """What one run of a command cost.

    Attributes:
        cpu: CPU seconds of the whole tree, user and system.
        wall: seconds it took.
        peak_bytes: most memory of the tree at one time; shared pages are counted once (PSS), if asked for.
        answer: the JSON object on the last line of its output, if it ends with one.
    """

    cpu: float
    wall: float
    peak_bytes: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """One of the things compared.

    Attributes:
        name: in the table.
        command: what is run, given a fresh empty folder for its output.
        environment: variables added to this process's.
        check: raises when what is in the folder is not the right output.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Path], None] = lambda _: None


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None, *, memory: bool = False) -> Usage:
    """Run a command to its end and to the end of everything that it started.

    Args:
        command: program and arguments.
        environment: variables added to this process's.
        memory: measure memory as well; costs the machine, not the tree, some CPU.

    Raises:
        RuntimeError: the command failed; carries the end of its output.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        process = subprocess.Popen(list(command), stdout=output, stderr=subprocess.STDOUT, env=variables)
        sampler = _Sampler(memory)
        code = process.wait()
        wall = time.monotonic() - started
        _wait_for_orphans()
        sampler.stop()
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if code:
        raise RuntimeError(f"{' '.join(command)} exited with {code}:\n{printed[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    reaped = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(max(reaped, sampler.cpu), wall, sampler.peak, _last_json(printed))


class _Sampler(threading.Thread):
    """Looks at all descendants of this process until stopped."""

    def __init__(self, memory: bool) -> None:
        super().__init__(daemon=True)
        self._memory = memory
        self._seen: dict[tuple[int, float], float] = {}
        self._ended = threading.Event()
        self.peak = 0
        self.start()

    @property
    def cpu(self) -> float:
        return sum(self._seen.values())

    def run(self) -> None:
        me = psutil.Process()
        while not self._ended.wait(_SAMPLE_SECONDS):
            total = 0
            for process in me.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    self._seen[process.pid, process.create_time()] = times.user + times.system
                    total += process.memory_full_info().pss if self._memory else 0
            self.peak = max(self.peak, total)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _wait_for_orphans(patience: float = 20.0) -> None:
    """Reap what the command left behind, so that the kernel's account is complete."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(0.05)
    left = [process.name() for process in psutil.Process().children(recursive=True)]
    raise RuntimeError(f"still running {patience:.0f} s after the command ended: {', '.join(left)}")


def _last_json(printed: str) -> Mapping[str, Any]:
    lines = printed.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        return {}
    answer: Mapping[str, Any] = json.loads(lines[-1])
    return answer


def interleaved(variants: Sequence[Variant], rounds: int, *, memory: bool = False) -> dict[str, list[Usage]]:
    """Run all variants once a round, each round in the opposite order of the last: drift of the machine cancels."""
    results: dict[str, list[Usage]] = {variant.name: [] for variant in variants}
    for number in range(rounds):
        for variant in variants if number % 2 == 0 else list(reversed(variants)):
            with tempfile.TemporaryDirectory(dir=bench_folder()) as folder:
                usage = measure(variant.command(Path(folder)), variant.environment, memory=memory)
                variant.check(Path(folder))
            results[variant.name].append(usage)
            print(f"  round {number + 1}: {variant.name:<28} {usage.cpu:7.2f} CPU-s {usage.wall:7.2f} s", flush=True)
    return results


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some numbers."""

    median: float
    least: float
    greatest: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of the values."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.least:.3f} to {self.greatest:.3f}] (n={self.n})"


def cpu_ratio(results: Mapping[str, Sequence[Usage]], of: str, to: str) -> Spread:
    """Return CPU of one variant over another's, round by round."""
    return Spread.of([a.cpu / b.cpu for a, b in zip(results[of], results[to], strict=True)])


def print_table(results: Mapping[str, Sequence[Usage]], base: str) -> None:
    """Print a line for every variant: CPU, wall time, and the ratio of CPU to the base's."""
    print(f"\n| variant | CPU-s | wall s | CPU / {base} |\n|---|---|---|---|")
    for name, usages in results.items():
        cpu, wall = Spread.of([u.cpu for u in usages]), Spread.of([u.wall for u in usages])
        print(f"| {name} | {cpu} | {wall.median:.1f} | {cpu_ratio(results, name, base)} |")


def bench_folder() -> Path:
    """Return the folder of corpora and outputs: $MDF_BENCH_DIR, or one in the machine's temporary folder."""
    folder = Path(os.environ.get("MDF_BENCH_DIR") or Path(tempfile.gettempdir()) / "mdf-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def python(*arguments: object) -> list[str]:
    """Return a command that runs this interpreter."""
    return [sys.executable, *map(str, arguments)]
