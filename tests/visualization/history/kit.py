"""Times, and how many examples, for the tests of history."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import settings

MANY = settings(deadline=None, max_examples=100)
"""For laws that cost microseconds."""

FEW = settings(deadline=None, max_examples=25)
"""For laws that compress chunks."""

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
NAN = float("nan")


def ticks(number: int, every: int = SECOND, start: int = START) -> npt.NDArray[Any]:
    """Timestamps, `every` microseconds."""
    return start + np.arange(number, dtype=np.int64) * every
