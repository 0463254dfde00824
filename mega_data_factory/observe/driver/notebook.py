"""Notebooks: which cell is being executed."""

from __future__ import annotations

import re
import sys
from typing import NamedTuple


class Cell(NamedTuple):
    """A line of a cell while it is executed.

    Attributes:
        file: what IPython calls the cell; a cell of the same text has the same name.
        line: within it.
        execution: number of the execution, `In [n]`.
    """

    file: str
    line: int
    execution: int


def current_cell() -> Cell | None:
    """Return the line of the cell that has called this package; None outside of notebooks and IPython."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return None
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mega_data_factory"):
        frame = frame.f_back
    if frame.f_globals is not shell.user_global_ns:
        return None
    return Cell(_NUMBER.sub("", frame.f_code.co_filename), frame.f_lineno, shell.execution_count)


_NUMBER = re.compile(r"(?<=^<ipython-input-)\d+-")
"""Number of the execution in the name of a cell, `<ipython-input-3-5c1a…>`; Jupyter's names have none."""
