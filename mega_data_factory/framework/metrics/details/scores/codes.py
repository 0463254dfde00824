"""Scores of some records as codes of 16 bits: for every rule and record, its bucket and what became of it.

A worker codes the scores of all operators of a stage in one pass, since a batch of a hundred records costs as many
calls of NumPy as one of a million. Codes are counted later, for many batches at once: see `tally`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from mega_data_factory.framework.metrics.details.scores.buckets import LAST_BUCKET, Bools, Floats, buckets_of

SIDES = ("kept", "failed_other", "failed_alone", "failed_both")
"""What became of a record, seen from one rule: it passed all rules, it passed this rule and failed another, it failed
this rule alone, it failed this rule and another."""

UNSCORED = LAST_BUCKET + 1
"""Bucket of records that a rule judged without a number: null or NaN."""

CODES = (LAST_BUCKET + UNSCORED + 1) * len(SIDES)
"""Codes of a rule: `(bucket + LAST_BUCKET) * 4 + side`."""

NOT_JUDGED = 0xFFFF
"""Code of a record that the rule could not decide on."""

_FAILED_SIDES = 2
"""Bit of a code that is set where the record fails the rule."""

Codes: TypeAlias = np.ndarray[Any, np.dtype[np.uint16]]


@dataclass(frozen=True)
class Scored:
    """What the rules of an operator made of some records, as arrays of one row a rule and one column a record.

    Attributes:
        failed: Whether the record fails the rule.
        judged: Whether the rule could decide on the record at all; None if all rules could on all records.
        scores: The number that was compared, or NaN.
    """

    failed: Bools
    judged: Bools | None
    scores: Floats


@dataclass(frozen=True, eq=False)
class ScoreCodes:
    """Codes of some records.

    Attributes:
        codes: Shape (rules, records).
        extremes: Shape (rules, 4): least and negated greatest score of the records that passed, then of those that
            failed; infinity if there is none.
        whole: Shape (rules,): whether all scores are whole numbers.
    """

    codes: Codes
    extremes: Floats
    whole: Bools

    @property
    def judged(self) -> Bools:
        """Whether the rule could decide on the record, of shape (rules, records)."""
        found: Bools = self.codes != NOT_JUDGED
        return found

    @property
    def failed(self) -> Bools:
        """Whether the record fails the rule, of shape (rules, records)."""
        found: Bools = ((self.codes & _FAILED_SIDES) != 0) & self.judged
        return found

    @classmethod
    def joined(cls, parts: Sequence[ScoreCodes]) -> ScoreCodes:
        """Return the codes of all records of some parts, at least one, that have the same rules."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.codes for part in parts], axis=1),
            np.minimum.reduce([part.extremes for part in parts]),
            np.logical_and.reduce([part.whole for part in parts]),
        )

    def to_bytes(self) -> bytes:
        """Return all three arrays, one after the other, little endian."""
        parts = (self.extremes.astype("<f8", copy=False), self.codes.astype("<u2", copy=False), self.whole)
        return b"".join(part.tobytes() for part in parts)

    @classmethod
    def from_bytes(cls, content: bytes, rules: int, records: int) -> Self:
        """Return the codes of which `to_bytes` made `content`."""
        extremes = np.frombuffer(content, "<f8", rules * 4).reshape(rules, 4)
        codes = np.frombuffer(content, "<u2", rules * records, rules * 32).reshape(rules, records)
        return cls(codes, extremes, np.frombuffer(content, np.bool_, rules, rules * (32 + 2 * records)))


def no_extremes(rules: int) -> Floats:
    """Return the extremes of no record."""
    return np.full((rules, 4), np.inf)


def coded(scored: Sequence[Scored]) -> list[ScoreCodes]:
    """Return the codes of what some operators made of their records, each of its own; all in one pass."""
    with_records = [one for one in scored if one.scores.size]
    found = iter(_coded(with_records) if with_records else ())
    return [next(found) if one.scores.size else _none(len(one.scores)) for one in scored]


def _none(rules: int) -> ScoreCodes:
    return ScoreCodes(np.zeros((rules, 0), np.uint16), no_extremes(rules), np.ones(rules, np.bool_))


def _coded(scored: Sequence[Scored]) -> list[ScoreCodes]:
    sizes = [one.scores.size for one in scored]
    rules = [len(one.scores) for one in scored]
    scores = np.concatenate([one.scores.reshape(-1) for one in scored], dtype=np.float64)
    failed = np.concatenate([one.failed.reshape(-1) for one in scored])
    unjudged = None
    if any(one.judged is not None for one in scored):
        judged = [
            np.ones(one.scores.size, np.bool_) if one.judged is None else one.judged.reshape(-1) for one in scored
        ]
        unjudged = ~np.concatenate(judged)
        scores[unjudged] = np.nan
    unscored = np.isnan(scores)
    codes = buckets_of(scores)
    codes += LAST_BUCKET
    np.putmask(codes, unscored, LAST_BUCKET + UNSCORED)
    codes *= len(SIDES)
    codes += failed * np.int32(_FAILED_SIDES)
    ends = np.cumsum(sizes).tolist()
    for one, end, size in zip(scored, ends, sizes, strict=True):
        if len(one.failed) > 1:
            codes[end - size : end] += (np.add.reduce(one.failed, axis=0, dtype=np.int32) > one.failed).reshape(-1)
    if unjudged is not None:
        codes[unjudged] = NOT_JUDGED
    short = codes.astype(np.uint16)
    lengths = np.repeat([size // number for size, number in zip(sizes, rules, strict=True)], rules)
    starts = np.cumsum(lengths) - lengths
    extremes = _extremes(scores, failed, starts)
    whole = np.logical_and.reduceat((scores == np.rint(scores)) | unscored, starts)
    result = []
    first = 0
    for end, size, number in zip(ends, sizes, rules, strict=True):
        of_rules = slice(first, first + number)
        result.append(ScoreCodes(short[end - size : end].reshape(number, -1), extremes[of_rules], whole[of_rules]))
        first += number
    return result


def _extremes(scores: Floats, failed: Bools, starts: np.ndarray[Any, np.dtype[Any]]) -> Floats:
    """Return the extremes of every rule, of shape (rules, 4).

    Args:
        scores: Of one rule after another; NaN if a record has none.
        failed: Whether these records fail the rule.
        starts: Where each rule starts.
    """
    extremes = no_extremes(len(starts))
    some_failed = bool(failed.any())
    sides = [np.where(failed, np.nan, scores), np.where(failed, scores, np.nan)] if some_failed else [scores]
    for side, values in enumerate(sides):
        extremes[:, 2 * side] = np.fmin.reduceat(values, starts)
        np.negative(np.fmax.reduceat(values, starts), out=extremes[:, 2 * side + 1])
    np.putmask(extremes, np.isnan(extremes), np.inf)
    return extremes
