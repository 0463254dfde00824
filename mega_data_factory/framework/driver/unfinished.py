"""Runs that their callers may stop to iterate: they end before the interpreter does."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Generator
from types import GeneratorType
from typing import TypeVar

_Steps = TypeVar("_Steps", bound=Generator[object, None, None])

_UNFINISHED: weakref.WeakSet[Generator[object, None, None]] = weakref.WeakSet()


def end_at_exit(steps: _Steps) -> _Steps:
    """Return the steps of a run, which are closed when the interpreter ends if they are not finished by then."""
    _UNFINISHED.add(steps)
    return steps


@atexit.register
def _end_unfinished() -> None:
    """End them before the interpreter ends: later nothing could be written any more."""
    for steps in list(_UNFINISHED):
        if isinstance(steps, GeneratorType) and not steps.gi_running:  # a thread may be in it still
            steps.close()
