"""Distribution of latency: curves of the histograms, and the share of time in the slow tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.framework.metrics.rows.histogram import BUCKETS_PER_DOUBLING, ZERO_BUCKET, middle_of

Floats = npt.NDArray[np.float64]

LONG_TAIL = 10.0
"""p99 / p50 from which a tail is called long."""

_MUCH_OF_THE_TIME = 0.1
_ENOUGH_BATCHES = 500
"""Batches of which the slowest 1 % are five or more: not one that was held up by chance."""

_LEAST_OF_THE_WORK = 0.03


@dataclass(frozen=True)
class Tail:
    """The slow end of an operator.

    Attributes:
        operator: which.
        p50, p99: seconds per record.
        share: share of the operator's time that its slowest 1 % of records take, 0 to 1.
    """

    operator: OperatorTotals
    p50: float
    p99: float
    share: float


def seconds_of(operator: OperatorTotals) -> Floats:
    """Return the seconds per record of the buckets of an operator's histogram, shape (b,); off by 0.54 % at most."""
    return np.array([middle_of(int(bucket)) for bucket in operator.buckets], np.float64)


def density(operator: OperatorTotals, per_doubling: int = 4) -> tuple[Floats, Floats]:
    """Return the share of records by latency, on a logarithmic axis.

    Args:
        operator: whose.
        per_doubling: bins for each doubling of the latency; a divisor of 64.

    Returns:
        Middles of the bins in seconds, and the percent of records in each, both of shape (bins,), gaps filled with 0.
    """
    seen = operator.buckets != ZERO_BUCKET
    if not seen.any():
        return np.zeros(0), np.zeros(0)
    width = BUCKETS_PER_DOUBLING // per_doubling
    bins = np.floor_divide(operator.buckets[seen], width)
    shares = np.zeros(int(bins[-1] - bins[0]) + 1)
    np.add.at(shares, bins - bins[0], 100 * operator.counts[seen] / operator.counts.sum())
    middles = np.exp2((np.arange(bins[0], bins[-1] + 1) + 0.5) / per_doubling)
    return middles, shares


def long_tails(operators: Sequence[OperatorTotals]) -> list[Tail]:
    """Return operators whose slowest 1 % of records take 10 times the median each, 10 % of time and 3 % of all work.

    The worst comes first.
    Latency is known for each batch, as its time / its records: what is slow is a batch.
    """
    found = []
    work = sum(operator.busy for operator in operators)
    for operator in operators:
        p50, p99 = operator.histogram.quantile(0.5), operator.histogram.quantile(0.99)
        if not p50 or not p99 or operator.batches < _ENOUGH_BATCHES or p99 < LONG_TAIL * p50:
            continue
        share = slow_share(operator)
        if share >= _MUCH_OF_THE_TIME and share * operator.busy >= _LEAST_OF_THE_WORK * work:
            found.append(Tail(operator, p50, p99, share))
    return sorted(found, key=lambda tail: -tail.share * tail.operator.busy)


def slow_share(operator: OperatorTotals, slowest: float = 0.01) -> float:
    """Return the share of an operator's time that the slowest records take, 0 to 1.

    Args:
        operator: whose.
        slowest: which share of the records.
    """
    values, counts = seconds_of(operator), operator.counts
    whole = float((values * counts).sum())
    if not whole:
        return 0.0
    wanted = slowest * counts.sum()
    above = np.concatenate([np.cumsum(counts[::-1])[::-1][1:], [0]])  # records in slower buckets
    taken = np.clip(wanted - above, 0, counts)
    return float((values * taken).sum()) / whole
