"""Rules of a run with the scores of their records: how many would fail at another threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mega_data_factory.analytics.whatif.estimate import Estimate
from mega_data_factory.framework.metrics.details.scores.buckets import BUCKETS_PER_DOUBLING, edges_of

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Cells:
    """Records on one side of the threshold, by bucket; arrays of shape (buckets,).

    Attributes:
        least, greatest: Least and greatest score that a record of the bucket can have.
        alone: Records whose decision this rule makes: that pass all rules, or fail this one alone.
        others: Records that fail another rule too.
        whole: Whether all scores are whole numbers.
    """

    least: Floats
    greatest: Floats
    alone: Floats
    others: Floats
    whole: bool

    def failing(self, fails: str, threshold: float) -> tuple[Estimate, Estimate]:
        """Return how many of `alone` and of `others` fail at a threshold."""
        certain, possible = self._certain(fails, threshold), self._possible(fails, threshold)
        share = np.where(possible & ~certain, self._share(fails, threshold), certain)
        alone, others = (
            Estimate(float(share @ records), float(certain @ records), float(possible @ records))
            for records in (self.alone, self.others)
        )
        return alone, others

    def _certain(self, fails: str, threshold: float) -> Bools:
        """Return in which buckets every score fails."""
        worst = self.greatest if fails[0] == "<" else self.least
        return fails_at(worst, fails, threshold)

    def _possible(self, fails: str, threshold: float) -> Bools:
        """Return in which buckets some score may fail."""
        best = self.least if fails[0] == "<" else self.greatest
        return fails_at(best, fails, threshold)

    def _share(self, fails: str, threshold: float) -> Floats:
        """Return the share of each bucket that fails, if scores are spread evenly in it."""
        including = fails in ("<=", ">")  # the share of scores up to the threshold, itself included
        if self.whole:
            last = float(np.floor(threshold) if including else np.ceil(threshold) - 1)  # infinite if there is no limit
            below = (last - self.least + 1) / (self.greatest - self.least + 1)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                below = (threshold - self.least) / (self.greatest - self.least)
        below = np.clip(np.nan_to_num(below, nan=0.5), 0, 1)
        return below if fails[0] == "<" else 1 - below

    @property
    def borders(self) -> Floats:
        """Scores at which the number of failing records may change."""
        return np.concatenate([self.least, self.greatest])


def fails_at(scores: Floats | float, fails: str, threshold: float) -> Bools:
    """Return which scores fail at a threshold, shape as `scores`; `fails` is `<`, `<=`, `>` or `>=`."""
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[fails]
    return np.asarray(compare(scores, threshold), np.bool_)


@dataclass(frozen=True, eq=False)
class RuleScores:
    """One rule of a run.

    Attributes:
        stage, operator: Where it judges.
        index: Its place among the rules of the operator.
        reason: Reason of the records that it rejects.
        parameter: Parameter of the operator that is its threshold; None if none is.
        fails: `<`, `<=`, `>` or `>=`: how a score compares to the threshold where it fails; None if that is unknown.
        threshold: The threshold of the run.
        judged: Records that it decided on; None if only rejected records have scores.
        failed: Records that fail it.
        passing, failing: Records on both sides of the threshold.
    """

    stage: str
    operator: str
    index: int
    reason: str
    parameter: str | None
    fails: str | None
    threshold: float | None
    judged: int | None
    failed: int
    failed_alone: int
    passing: Cells
    failing: Cells

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> RuleScores:
        """Return the rule of a row of the table `scores`."""
        histogram, whole = row["histogram"] or (), bool(row["whole_numbers"])
        passing = _cells(histogram, ("kept", "failed_other"), (row["min_passed"], row["max_passed"]), whole)
        failing = _cells(histogram, ("failed_alone", "failed_both"), (row["min_failed"], row["max_failed"]), whole)
        return cls(
            row["stage_name"],
            row["operator_name"],
            row["rule_index"],
            row["reason"],
            row["parameter"],
            row["fails"] or learnt_comparison(row),
            row["threshold"],
            row["judged_records"],
            row["failed_records"],
            row["failed_alone_records"],
            passing,
            failing,
        )

    @property
    def lower_fails(self) -> bool:
        """Whether it is scores below the threshold that fail."""
        return self.fails in ("<", "<=")

    def can_judge(self, threshold: float) -> bool:
        """Return whether the scores tell who fails at another threshold: a stricter one needs those that pass now."""
        assert self.threshold is not None
        stricter = threshold > self.threshold if self.lower_fails else threshold < self.threshold
        return self.judged is not None or not stricter

    def moved_to(self, threshold: float) -> RuleMove:
        """Return what changes at another threshold; of a rule whose comparison is known."""
        assert self.fails is not None
        kept, passing = self.passing.failing(self.fails, threshold)
        alone, both = self.failing.failing(self.fails, threshold)
        return RuleMove(
            self,
            threshold,
            newly_failing=kept,
            newly_failing_both=passing,
            newly_passing=Estimate.exactly(float(self.failing.alone.sum())) - alone,
            newly_passing_both=Estimate.exactly(float(self.failing.others.sum())) - both,
        )


@dataclass(frozen=True, eq=False)
class RuleMove:
    """A rule at another threshold.

    Attributes:
        rule: The rule.
        threshold: The other threshold.
        newly_failing: Records that pass all rules now and would fail this one.
        newly_failing_both: Records that fail another rule now and would fail this one too.
        newly_passing: Records that fail this rule alone and would pass it.
        newly_passing_both: Records that fail another rule too and would pass this one.
    """

    rule: RuleScores
    threshold: float
    newly_failing: Estimate
    newly_failing_both: Estimate
    newly_passing: Estimate
    newly_passing_both: Estimate

    @property
    def failed(self) -> Estimate:
        """Records that would fail the rule, whatever other rules say."""
        more = self.newly_failing + self.newly_failing_both
        return Estimate.exactly(self.rule.failed) + more - (self.newly_passing + self.newly_passing_both)


def learnt_comparison(row: Mapping[str, Any]) -> str | None:
    """Return how scores compare to the threshold where they fail, if all scores agree on it."""
    threshold = row["threshold"]
    if threshold is None:
        return None
    failed = [row[name] for name in ("min_failed", "max_failed") if row[name] is not None]
    passed = [row[name] for name in ("min_passed", "max_passed") if row[name] is not None]
    if not failed + passed:
        return None
    below = all(score <= threshold for score in failed) and all(score >= threshold for score in passed)
    above = all(score >= threshold for score in failed) and all(score <= threshold for score in passed)
    if below == above:
        return None
    equal_fails = threshold in failed
    return ("<=" if equal_fails else "<") if below else (">=" if equal_fails else ">")


def _cells(histogram: Any, sides: tuple[str, str], extremes: tuple[float | None, float | None], whole: bool) -> Cells:
    """Return the buckets of one side that hold a record."""
    held = [bucket for bucket in histogram if bucket[sides[0]] or bucket[sides[1]]]
    edges = np.array([_span(bucket["bucket"]) for bucket in held]).reshape(-1, 2)
    lowest = -np.inf if extremes[0] is None else extremes[0]
    highest = np.inf if extremes[1] is None else extremes[1]
    least, greatest = np.clip(edges, lowest, highest).T
    if whole:
        least, greatest = np.ceil(least), np.floor(greatest)
    alone, others = (np.array([bucket[side] for bucket in held], np.float64) for side in sides)
    return Cells(least, greatest, alone, others, whole)


def _span(bucket: int) -> tuple[float, float]:
    """Return least and greatest score of a bucket, a little wider where its edges are not exact numbers.

    The edges that are powers of two are exact; a logarithm that is rounded may put a score on the other side of others.
    """
    low, high = edges_of(bucket)
    if bucket == 0:
        return low, high
    open_edge, closed_edge = (low, high) if bucket > 0 else (high, low)
    outward = -1 if bucket > 0 else 1
    inner, outer = abs(bucket) - 1, abs(bucket)
    if inner % BUCKETS_PER_DOUBLING == 0:
        open_edge = math.nextafter(open_edge, -outward * math.inf)
    else:
        open_edge *= 1 - 1e-12
    if outer % BUCKETS_PER_DOUBLING:
        closed_edge *= 1 + 1e-12
    return (open_edge, closed_edge) if bucket > 0 else (closed_edge, open_edge)
