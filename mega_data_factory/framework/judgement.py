"""Judgements of filters: rules over a table, and what they decide for each record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Rule:
    """One test of a filter over a whole table.

    Attributes:
        reason: short stable name of the test, snake case; a rejected record carries it.
        failed: boolean array, True if the record fails; null counts as not failed.
        score: the number that was compared, float64, where a number decides.
        threshold: what it was compared with.
        parameter: parameter of the operator that is the threshold, so that `mdf whatif` can say what another value
            would do; a path such as `max_top_ngram.2` where the parameter is a mapping.
        fails: how a score compares to the threshold where it fails; learnt from the scores when None.
    """

    reason: str
    failed: pa.Array
    score: pa.Array | None = None
    threshold: float | None = None
    parameter: str | None = None
    fails: Literal["<", "<=", ">", ">="] | None = None


@dataclass(frozen=True)
class Judgement:
    """Decisions of a filter, one entry per record of its input table.

    Attributes:
        reason: string array; null means the record stays.
        score: float64 array or None; the number that decided, null if none did.
        threshold: float64 array or None; what that number was compared with.
        rules: the rules that were judged by, also those that decided nothing; empty if they are not known.
        parts: judgements of disjoint parts of the records that this one was put together from; each has its own rules.
        order: with parts, int64 array: which record of the parts, one after another, each record here is.
        holder: uint64 array or None; of a duplicate, the record that it lost to, its `owner_keys` as a number.
    """

    reason: pa.Array
    score: pa.Array | None = None
    threshold: pa.Array | None = None
    rules: tuple[Rule, ...] = ()
    parts: tuple[Judgement, ...] = ()
    order: pa.Array | None = None
    holder: pa.Array | None = None
    _counted: Mapping[str, int] | None = field(default=None, init=False, repr=False, compare=False)
    """Records rejected by reason, if they were counted while judging; a copy with other reasons does not have it."""

    @classmethod
    def of(cls, num_records: int, rules: Iterable[Rule]) -> Judgement:
        """Judge by rules in order: a record is rejected for the first rule that it fails.

        Args:
            num_records: rows of the table.
            rules: may be a generator; it is read to its end.
        """
        reason = pa.nulls(num_records, pa.string())
        score = pa.nulls(num_records, pa.float64())
        threshold = pa.nulls(num_records, pa.float64())
        judged = []
        counted: Counter[str] = Counter()
        for rule in rules:
            judged.append(rule)
            hit = pc.and_(pc.fill_null(as_array(rule.failed), False), pc.is_null(reason))
            hits = hit.true_count
            if not hits:
                continue
            name = pa.scalar(rule.reason, pa.string())  # what is counted is what the records get
            if name.is_valid:
                counted[name.as_py()] += hits
            reason = pc.if_else(hit, name, reason)
            if rule.score is not None:
                score = pc.if_else(hit, as_array(rule.score).cast(pa.float64()), score)
            if rule.threshold is not None:
                threshold = pc.if_else(hit, float(rule.threshold), threshold)
        judgement = cls(reason, score, threshold, tuple(judged))
        object.__setattr__(judgement, "_counted", counted)
        return judgement

    @classmethod
    def merged(cls, parts: Sequence[Judgement], rows: Sequence[Sequence[int]]) -> Judgement:
        """Put judgements of disjoint parts of a table together.

        Args:
            parts: at least one judgement that has scores and thresholds.
            rows: of every part the rows of the table that it judged; together all rows, each once.
        """
        order = pa.array(np.argsort(np.concatenate([np.asarray(of, np.int64) for of in rows])), pa.int64())
        reason, score, threshold = (
            pa.concat_arrays([getattr(part, name) for part in parts]).take(order)
            for name in ("reason", "score", "threshold")
        )
        return cls(reason, score, threshold, parts=tuple(parts), order=order)

    @property
    def kept(self) -> pa.Array:
        """Boolean array, True if the record stays."""
        return pc.is_null(self.reason)

    def rejected_by_reason(self) -> Mapping[str, int]:
        """Return how many records are rejected for each reason; a reason without a record is absent."""
        if self._counted is not None:
            return self._counted
        if self.reason.null_count == len(self.reason):
            return {}
        texts = self.reason.cast(pa.string())  # nulls among views of strings can be neither dropped nor counted
        names, counts = texts.drop_null().value_counts().flatten()
        return dict(zip(names.to_pylist(), counts.to_pylist(), strict=True))

    def failed_rules(self) -> pa.Array:
        """Return the reasons of all rules that each record fails, in their order, as a list array of strings.

        Null if it is not known: the operator gave no rules.
        """
        if self.order is not None:
            return pa.concat_arrays([part.failed_rules() for part in self.parts]).take(self.order)
        if not self.rules:
            return pa.nulls(len(self.reason), pa.list_(pa.string()))
        failed = np.stack([_true(rule.failed) for rule in self.rules], axis=1)
        names = pa.array([rule.reason for rule in self.rules], pa.string())
        offsets = np.concatenate([[0], np.cumsum(failed.sum(axis=1))])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), names.take(pa.array(np.nonzero(failed)[1])))


def _true(values: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return where the values are true; null counts as false."""
    return np.asarray(pc.fill_null(as_array(values), False).to_numpy(zero_copy_only=False), np.bool_)


def as_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return values as one array: those that a filter computes of a column of a table come in chunks."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
