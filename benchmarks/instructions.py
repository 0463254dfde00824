"""Counts instructions of forked children under cachegrind, for differences that seconds on a shared machine hide.

A program imports and makes everything once, and forks a child for everything that is to be counted: start-up and the
state of the heap are the same for all. What is wanted is the difference of two children.

`count` starts such a program under valgrind; in it, `in_child` runs some work in a child.
"""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""What makes two counts of one program the same."""


def count(script: Path, *arguments: object) -> list[tuple[Any, int]]:
    """Run a script under valgrind; return the label and the instructions of every child, in their order.

    Args:
        script: A program that calls `in_child`.
        arguments: Of the program.

    Raises:
        SystemExit: The program failed; carries what it printed.
    """
    command = [*_VALGRIND, sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT}, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    counted = {
        int(pid): int(n.replace(",", "")) for pid, n in re.findall(r"==(\d+)==\s+I\s+refs:\s+([\d,]+)", done.stderr)
    }
    children = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["child"')]
    return [(label, counted[pid] - counted[idle]) for _, idle, pid, label in children]


def freeze_heap() -> None:
    """Make the collector of garbage leave alone all that is imported: it would visit it in some child or other."""
    gc.collect()
    gc.freeze()


def in_child(label: object, work: Callable[[], object]) -> None:
    """Run some work in a forked child, whose instructions `count` returns under the label.

    Args:
        label: JSON values.
        work: What to count.

    Raises:
        SystemExit: The child failed.
    """
    idle, child = _forked(lambda: None, label), _forked(work, label)  # a child's count includes that of its parent
    print(json.dumps(["child", idle, child, label]), flush=True)


def _forked(work: Callable[[], object], label: object) -> int:
    child = os.fork()
    if not child:
        work()
        os._exit(0)  # without what ends an interpreter
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{label} has failed: {status}")
    return child
