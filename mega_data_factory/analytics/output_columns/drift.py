"""Drift of the output's columns from one run to another.

A difference is reported when chance does not explain it *and* it is large enough to matter: among a million records
every difference is significant, among a hundred no number is precise.

Source: population stability index and its bounds 0.1 and 0.25: Siddiqi, "Credit Risk Scorecards", 2006; why small
samples need a test beside it: Yurdakul, "Statistical Properties of Population Stability Index", 2018. Distance of two
samples: Smirnov, 1939.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from mega_data_factory.analytics.output_columns.summary import ColumnSummary
from mega_data_factory.formats import count, number, percent
from mega_data_factory.framework.metrics.details.columns.value_histogram import Floats, ValueHistogram

Level = Literal["moderate", "large"]

FALSE_ALARMS = 0.001
"""Probability that any column of two runs on the same distribution is reported, over all their columns and tests."""

MODERATE_INDEX, LARGE_INDEX = 0.1, 0.25
"""Population stability index from which a shift is moderate, and large."""

LEAST_DISTANCE = 0.06
"""Kolmogorov-Smirnov distance from which a shift matters: that of a shift by 0.15 standard deviations."""

LARGE_DISTANCE = 0.2
"""Distance from which it is large: that of a shift by half a standard deviation."""

LEAST_NULLS = 0.01
"""Difference of null shares that matters, in shares of 1; ten times that is large."""

LEAST_DISTINCT = 1.25
"""Factor between numbers of distinct values that matters."""

_BINS = 10
_NOT_COMPARED = ("record_id",)
"""Columns that name records: they differ with the source, and say nothing of what is in the records."""


@dataclass(frozen=True)
class ColumnDrift:
    """A difference of one column between two runs that neither chance nor indifference explains.

    Attributes:
        column: the column.
        what: `shift` (of the distribution), `nulls`, `distinct`, `new`, `vanished` or `type`.
        level: how large it is.
        before, after: what differs: medians, shares, numbers of distinct values, or types; None if absent.
        index: population stability index of a shift over ten bins of the run before; None for others.
        distance: Kolmogorov-Smirnov distance of a shift, 0 to 1; None for others.
        is_share: whether `before` and `after` of a shift are shares of true values.
    """

    column: str
    what: Literal["shift", "nulls", "distinct", "new", "vanished", "type"]
    level: Level
    before: float | str | None
    after: float | str | None
    index: float | None = None
    distance: float | None = None
    is_share: bool = False

    @property
    def text(self) -> str:
        """What differs, in words with numbers: `score: median 0.41, was 0.52 (PSI 0.31, KS 0.22)`."""
        if self.what in ("new", "vanished"):
            kind = self.after if self.what == "new" else self.before
            return f"{self.column} ({kind}): {'new' if self.what == 'new' else 'not in the output any more'}"
        now, was = (_in_words(self.what, value) for value in (self.after, self.before))
        if self.what == "shift":
            measured = "true" if self.is_share else "median"
            return f"{self.column}: {measured} {now}, was {was} (PSI {self.index:.2f}, KS {self.distance:.2f})"
        return f"{self.column}: {now}, was {was}"

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "column": self.column,
            "what": self.what,
            "level": self.level,
            "before": self.before,
            "after": self.after,
            "population_stability_index": self.index,
            "kolmogorov_smirnov": self.distance,
        }


def _in_words(what: str, value: float | str | None) -> str:
    if isinstance(value, str) or value is None:
        return f"type {value}"
    if what == "nulls":
        return f"{percent(100 * value)} without a value"
    return f"{count(value)} distinct values" if what == "distinct" else number(value)


def column_drift(before: Sequence[ColumnSummary], after: Sequence[ColumnSummary]) -> list[ColumnDrift]:
    """Return what differs between the outputs of two runs, in the order of the columns of the second.

    Nothing is reported where one of them has no columns: it wrote nothing, or did not measure. Columns of times are
    compared by their nulls alone, for time goes by; columns of record ids are left out. A column with few values that
    the other run, of few records, does not have is no difference: loaders of JSON make the columns that they meet.

    Args:
        before: columns of the run that is compared with.
        after: columns of the run that is looked at.
    """
    old, new = _by_name(before), _by_name(after)
    if not old or not new:
        return []
    alarm = FALSE_ALARMS / (3 * len(old.keys() | new.keys()))
    found: list[ColumnDrift] = []
    for name, now in new.items():
        if name not in old:
            if _is_missed(now, old, alarm):
                found.append(ColumnDrift(name, "new", "moderate", None, now.type))
        else:
            found += _differences(old[name], now, alarm)
    found += [
        ColumnDrift(name, "vanished", "large", column.type, None)
        for name, column in old.items()
        if name not in new and _is_missed(column, new, alarm)
    ]
    return found


def _is_missed(column: ColumnSummary, others: Mapping[str, ColumnSummary], alarm: float) -> bool:
    """Return whether chance does not explain that a run has no value of a column, given how many the other run has.

    A column without any value was declared, not met by chance.

    Args:
        column: of the other run.
        others: columns of the run without it.
        alarm: probability of a false alarm.
    """
    records = max(other.records for other in others.values())
    return not 0.0 < column.null_share < 1.0 or column.null_share**records < alarm


def _by_name(columns: Sequence[ColumnSummary]) -> Mapping[str, ColumnSummary]:
    """Return columns by name; of a name with several types, the one with the most values."""
    found: dict[str, ColumnSummary] = {}
    for column in columns:
        known = found.get(column.name)
        if column.name not in _NOT_COMPARED and (known is None or column.known > known.known):
            found[column.name] = column
    return found


def _differences(old: ColumnSummary, new: ColumnSummary, alarm: float) -> Iterator[ColumnDrift]:
    if not old.records or not new.records:
        return
    yield from _nulls(old, new, alarm)
    if not old.known or not new.known:
        return
    if old.type != new.type:
        yield ColumnDrift(new.name, "type", "moderate" if old.kind == new.kind else "large", old.type, new.type)
    if old.kind == new.kind and new.kind != "time":
        yield from _shift(old, new, alarm)
        yield from _distinct(old, new)


def _nulls(old: ColumnSummary, new: ColumnSummary, alarm: float) -> Iterator[ColumnDrift]:
    difference = abs(new.null_share - old.null_share)
    if difference >= LEAST_NULLS and _differ(old.nulls, old.records, new.nulls, new.records, alarm):
        level: Level = "large" if difference >= 10 * LEAST_NULLS else "moderate"
        yield ColumnDrift(new.name, "nulls", level, old.null_share, new.null_share)


def _differ(first: int, of_first: int, second: int, of_second: int, alarm: float) -> bool:
    """Return whether two shares differ by more than chance: the test of two proportions, with the pooled variance."""
    pooled = (first + second) / (of_first + of_second)
    variance = pooled * (1 - pooled) * (1 / of_first + 1 / of_second)
    if variance == 0:
        return False
    distance = abs(first / of_first - second / of_second) / math.sqrt(variance)
    return math.erfc(distance / math.sqrt(2)) < alarm


def _shift(old: ColumnSummary, new: ColumnSummary, alarm: float) -> Iterator[ColumnDrift]:
    if new.kind == "boolean":
        shares = np.array([[1 - (c.true_share or 0.0), c.true_share or 0.0] for c in (old, new)])
        counts, middles = (old.known, new.known), (old.true_share, new.true_share)
        distance = float(abs(shares[0, 1] - shares[1, 1]))
    else:
        counts = old.values.total, new.values.total
        if not all(counts):
            return
        edges, first, second = _cumulated(old.values, new.values)
        distance = float(np.max(np.abs(first - second), initial=0.0))
        shares = _binned(edges, first, second)
        middles = old.quantiles["p50"], new.quantiles["p50"]
    index = _stability_index(shares, counts)
    by_distance = distance >= LEAST_DISTANCE and distance > _chance_distance(counts, alarm)
    by_index = index >= MODERATE_INDEX and _differ_in_bins(shares, counts, alarm)
    if by_distance or by_index:
        large = (by_index and index >= LARGE_INDEX) or (by_distance and distance >= LARGE_DISTANCE)
        yield ColumnDrift(
            new.name, "shift", "large" if large else "moderate", *middles, index, distance, new.kind == "boolean"
        )


def _cumulated(old: ValueHistogram, new: ValueHistogram) -> tuple[Floats, Floats, Floats]:
    """Return the upper ends of common buckets, and the share of either histogram up to each, shape (buckets,)."""
    dropped = max(old.dropped_bits, new.dropped_bits)
    first, second = old.coarser(dropped), new.coarser(dropped)
    buckets = np.union1d(first.buckets, second.buckets)
    shares = []
    for histogram in (first, second):
        counts = np.zeros(len(buckets))
        counts[np.searchsorted(buckets, histogram.buckets)] = histogram.counts
        shares.append(np.cumsum(counts) / histogram.total)
    _, ends = ValueHistogram(dropped, buckets, np.ones(len(buckets), np.int64)).edges()
    return ends, shares[0], shares[1]


def _binned(edges: Floats, first: Floats, second: Floats) -> Floats:
    """Return the shares of both in bins between the deciles of the first, shape (2, bins).

    Bins end where buckets end, so that a value that many records share is in one bin.
    """
    wanted = np.arange(1, _BINS) / _BINS
    ends = np.unique(np.minimum(np.searchsorted(first, wanted - 1e-12), len(edges) - 1))
    ends = ends[ends < len(edges) - 1]
    limits = [np.concatenate([[0.0], share[ends], [1.0]]) for share in (first, second)]
    return np.diff(np.array(limits), axis=1)


def _stability_index(shares: Floats, counts: tuple[int, int]) -> float:
    """Return the population stability index; an empty bin counts as half a record."""
    first = np.maximum(shares[0], 0.5 / counts[0])
    second = np.maximum(shares[1], 0.5 / counts[1])
    return float(np.sum((second - first) * np.log(second / first)))


def _chance_distance(counts: tuple[int, int], alarm: float) -> float:
    """Return the Kolmogorov-Smirnov distance that two samples of one distribution exceed with probability `alarm`."""
    first, second = counts
    return math.sqrt(-math.log(alarm / 2) / 2) * math.sqrt((first + second) / (first * second))


def _differ_in_bins(shares: Floats, counts: tuple[int, int], alarm: float) -> bool:
    """Return whether two samples are spread over bins in ways that chance does not explain: Pearson's test.

    The index itself is no test: among few records its logarithms make false alarms ten times as frequent.

    Args:
        shares: of either sample in each bin, shape (2, bins).
        counts: records of either sample.
        alarm: probability of a false alarm; the quantile of chi-squared is Wilson and Hilferty's.
    """
    sizes = np.array(counts)[:, None]
    observed = shares * sizes
    expected = observed.sum(axis=0) / sizes.sum() * sizes
    used = expected > 0
    statistic = float(np.sum((observed[used] - expected[used]) ** 2 / expected[used]))
    freedom = max(shares.shape[1] - 1, 1)
    spread = 2 / (9 * freedom)
    return bool(statistic > freedom * (1 - spread + NormalDist().inv_cdf(1 - alarm) * math.sqrt(spread)) ** 3)


def _distinct(old: ColumnSummary, new: ColumnSummary) -> Iterator[ColumnDrift]:
    """Report a change of the number of distinct values, where the numbers of values allow a comparison.

    Larger samples have more distinct values. So their number is compared between runs of similar size; else, where
    nearly all values of the larger one are distinct, their share, which a smaller one must have too.
    """
    if not old.distinct or not new.distinct:
        return
    sizes = new.known / old.known
    larger = new if sizes > 1 else old
    if 1 / LEAST_DISTINCT <= sizes <= LEAST_DISTINCT and min(old.distinct, new.distinct) >= 20:
        factor = new.distinct / old.distinct
    elif (larger.distinct or 0) > 0.9 * larger.known:
        factor = (new.distinct / new.known) / (old.distinct / old.known)
    else:
        return
    noise = 1 + 6 * math.hypot(old.distinct_error or 0.0, new.distinct_error or 0.0)
    if max(factor, 1 / factor) > max(LEAST_DISTINCT, noise) and min(old.known, new.known) >= 200:
        level: Level = "large" if max(factor, 1 / factor) >= 2 else "moderate"
        yield ColumnDrift(new.name, "distinct", level, float(old.distinct), float(new.distinct))
