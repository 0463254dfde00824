"""Times, and how many examples, for the tests of history."""

import numpy as np
from hypothesis import settings

MANY = settings(deadline=None, max_examples=100)
"""For laws that cost microseconds."""

FEW = settings(deadline=None, max_examples=25)
"""For laws that compress chunks."""

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
NAN = float("nan")


def ticks(number, every=SECOND, start=START):
    """Timestamps, `every` microseconds."""
    return start + np.arange(number, dtype=np.int64) * every
