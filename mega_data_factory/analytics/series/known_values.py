"""Statistics of arrays over what is known: NaN is a missing value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]  # of integers or floats, of any width
Floats = npt.NDArray[np.float64]


def quantile_of_known(values: Floats, share: float) -> Floats:
    """Return the quantile `share` over axis 1, interpolated as numpy does; NaN if fewer than two values are known.

    Args:
        values: shape (series, n) or (series, n, k).
        share: 0 to 1.

    Returns:
        Shape (series,) or (series, k).
    """
    ordered = np.sort(values, axis=1)  # NaN come last
    last = np.isfinite(ordered).sum(axis=1, keepdims=True) - 1
    place = share * np.maximum(last, 0)
    below = place.astype(np.intp)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, np.maximum(last, 0)), axis=1)
    found: Floats = np.where(last > 0, low + (place - below) * (high - low), np.nan)
    return found[:, 0]


def mean_of_known(values: Floats, axis: int) -> Floats:
    """Return the mean over an axis; NaN if no value is known."""
    present = np.isfinite(values)
    if present.all():
        return np.asarray(values.mean(axis=axis))
    total: Floats = np.where(present, values, 0.0).sum(axis=axis) / present.sum(axis=axis)
    return total
