"""Share of a run's work that measuring it took."""

from __future__ import annotations

LEAST_WORK = 1.0
"""Seconds of work from which a share is shown; below it a few milliseconds of start-up distort the share."""


def overhead_share(cost: float | None, work: float) -> float | None:
    """Return the cost of measuring as a share of the work.

    Args:
        cost: seconds that measuring took; None or 0 if it was not measured.
        work: seconds busy in operators, loader and writer, over all workers.

    Returns:
        The share, 1 for as much as the work; None if it was not measured, or there was too little work.
    """
    return cost / work if cost and work >= LEAST_WORK else None
