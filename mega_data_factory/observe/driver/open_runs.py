"""Runs of this process that have been started and not ended: what becomes of them when the process ends."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import TypeAlias

from mega_data_factory.observe.driver.notebook import Cell, current_cell

End: TypeAlias = Callable[[BaseException | None], None]
"""Ends a run, with the error that has ended it; None as completed."""

_open: dict[str, tuple[int, Cell | None, End]] = {}


class RestartedError(Exception):
    """The cell of a notebook that started the run has been executed again."""


class KernelEndedError(Exception):
    """The interactive session ended before the run did."""


def note_started(run_id: str, end: End) -> None:
    """Enter a run that is starting; end the one that the same cell of a notebook has started before.

    Args:
        run_id: the run.
        end: ends it.

    Raises:
        RuntimeError: a run of this id is open in this process.
    """
    cell = current_cell()
    for other, (pid, earlier, end_other) in list(_open.items()):
        if cell is not None and earlier is not None and pid == os.getpid() and earlier[:2] == cell[:2]:
            del _open[other]
            end_other(RestartedError("its cell was executed again"))
    if run_id in _open and _open[run_id][0] == os.getpid():
        raise RuntimeError(f"{run_id} is open in this process already: give each run an id of its own, or none")
    _open[run_id] = os.getpid(), cell, end


def note_ended(run_id: str) -> None:
    """Remove a run that has ended."""
    _open.pop(run_id, None)


@atexit.register
def _end_all() -> None:
    """End what is open at the end of the process: by what the script has raised, or as completed."""
    for run_id, (pid, _, end) in list(_open.items()):
        del _open[run_id]
        if pid == os.getpid():  # a forked child has copies of its parent's
            end(_last_error())


def _last_error() -> BaseException | None:
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        return KernelEndedError("the interactive session ended")
    error = getattr(sys, "last_value", None)  # what the interpreter has printed a traceback of
    return error if isinstance(error, BaseException) else None
