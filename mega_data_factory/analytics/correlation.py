"""Which series changed in a window, and which series move together. Arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

_QUANTILES = 32


def changed_scores(baseline: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """How much each series differs in the window from what it does in its baseline; higher is stranger.

    Args:
        baseline: shape (series, n_b).
        window: shape (series, n_w), with n_b >= 2 * n_w.

    Returns:
        Shape (series,).
    """
    width = window.shape[1]
    blocks = max(2, baseline.shape[1] // width)
    at = np.minimum(((np.arange(_QUANTILES) + 0.5) / _QUANTILES * width).astype(int), width - 1)
    now = np.sort(window, axis=1)[:, at]
    before = np.sort(baseline[:, -blocks * width :].reshape(len(baseline), blocks, width), axis=2)[:, :, at]
    usual = before.mean(axis=1, keepdims=True)
    wander = np.abs(before - usual).mean(axis=2).max(axis=1)
    spread = baseline.std(axis=1) + 1e-9 * (1 + np.abs(baseline.mean(axis=1)))
    scores: npt.NDArray[np.float64] = np.abs(now - usual[:, 0]).mean(axis=1) / (wander + 0.1 * spread)
    return scores
