"""Scores behind the decisions of a filter, for the metrics of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import Judgement, Rule
from mega_data_factory.framework.judgement import as_array
from mega_data_factory.framework.metrics.details.scores.buckets import Bools, Floats
from mega_data_factory.framework.metrics.details.scores.codes import Scored
from mega_data_factory.framework.metrics.details.scores.operator_scores import OperatorScores
from mega_data_factory.framework.metrics.details.scores.rule_names import MOST_NAMED, RuleName

_FLOAT = pa.float64()


class Reject(NamedTuple):
    """Records that were rejected by name, without a judgement.

    Attributes:
        reason: Why.
        score: The number that decided.
        threshold: What it was compared with; None if that is unknown.
        records: How many records.
    """

    reason: str
    score: float
    threshold: float | None
    records: int = 1


class JudgedRules(NamedTuple):
    """Rules of an operator, and what they made of some records."""

    names: list[RuleName]
    scored: Scored


def judged_rules(judgement: Judgement) -> Iterator[JudgedRules]:
    """Yield the rules behind a judgement: of each of its parts, where it tells rules or reasons."""
    for part in _parts(judgement):
        judged = _judged(part)
        if judged is not None:
            yield judged


def scores_of(stage: str, operator: str, judgement: Judgement) -> Iterator[OperatorScores]:
    """Yield the scores behind a judgement: of each of its parts, where it tells rules or reasons."""
    for judged in judged_rules(judgement):
        yield OperatorScores.measured(stage, operator, *judged)


def scores_of_rejects(stage: str, operator: str, rejects: Sequence[Reject]) -> OperatorScores:
    """Return the scores of rejected records; of the others none is known.

    Args:
        stage: Name of the stage.
        operator: Name of the operator instance.
        rejects: The rejected records.
    """
    rejects = _bounded(rejects)
    names = list(dict.fromkeys(RuleName(r.reason, None, None, r.threshold, judged=False) for r in rejects))
    place = {(name.reason, name.threshold): number for number, name in enumerate(names)}
    each = np.repeat(np.arange(len(rejects)), [reject.records for reject in rejects])
    failed: Bools = np.zeros((len(names), len(each)), np.bool_)
    scores: Floats = np.full((len(names), len(each)), np.nan)
    rules = np.array([place[reject.reason, reject.threshold] for reject in rejects])[each]
    failed[rules, np.arange(len(each))] = True
    scores[rules, np.arange(len(each))] = np.array([float(reject.score) for reject in rejects])[each]
    return OperatorScores.measured(stage, operator, names, Scored(failed, failed, scores))


def _bounded(rejects: Sequence[Reject]) -> Sequence[Reject]:
    """Return the rejected records: without thresholds, and those of the frequent reasons alone, where these are many.

    Each reason and threshold is a rule, and each rule has a number for every record.
    """
    if len({(reject.reason, reject.threshold) for reject in rejects}) <= MOST_NAMED:
        return rejects
    records: Counter[str] = Counter()
    for reject in rejects:
        records[reject.reason] += reject.records
    frequent = {reason for reason, _ in records.most_common(MOST_NAMED)}
    return [reject._replace(threshold=None) for reject in rejects if reject.reason in frequent]


def _parts(judgement: Judgement) -> Iterator[Judgement]:
    """Yield the judgements of records, at least one, that were judged by the same rules."""
    for part in judgement.parts or (judgement,):
        if len(part.reason):
            yield part


def _judged(judgement: Judgement) -> JudgedRules | None:
    rules = judgement.rules or tuple(_rules_from_reasons(judgement))
    if not rules:
        return None
    known = bool(judgement.rules)
    names = [
        RuleName(
            rule.reason, rule.parameter, rule.fails, None if rule.threshold is None else float(rule.threshold), known
        )
        for rule in rules
    ]
    return JudgedRules(names, _scored(rules, len(judgement.reason)))


def _rules_from_reasons(judgement: Judgement) -> Iterator[Rule]:
    """Yield a rule for every reason and threshold of the rejected records: all that is known without rules.

    Where these are too many, it is a rule for each of the frequent reasons, without a threshold.
    """
    if judgement.reason.null_count == len(judgement.reason):
        return
    threshold = (
        judgement.threshold if judgement.threshold is not None else pa.nulls(len(judgement.reason), pa.float64())
    )
    threshold = pc.add(threshold.cast(pa.float64()), 0.0)  # -0.0 is 0.0
    threshold = pc.if_else(pc.is_nan(threshold), None, threshold)  # which equals nothing, not even itself
    groups = _groups(judgement.reason, threshold)
    if groups.num_rows > MOST_NAMED:
        threshold = pa.nulls(len(judgement.reason), pa.float64())
        groups = _groups(judgement.reason, threshold)
        groups = groups.sort_by([("count_all", "descending"), ("reason", "ascending")]).slice(0, MOST_NAMED)
    for group in groups.sort_by([("reason", "ascending"), ("threshold", "ascending")]).to_pylist():
        same = pc.is_null(threshold) if group["threshold"] is None else pc.equal(threshold, group["threshold"])
        mine = pc.fill_null(pc.and_kleene(pc.equal(judgement.reason, group["reason"]), same), False)
        failed = pc.if_else(mine, True, pa.scalar(None, pa.bool_()))  # of the others it is unknown
        score = None if judgement.score is None else pc.if_else(mine, judgement.score.cast(pa.float64()), None)
        yield Rule(group["reason"], failed, score, group["threshold"])


def _groups(reason: pa.Array, threshold: pa.Array) -> pa.Table:
    """Return each reason and threshold of rejected records, and how many records have both."""
    rejected = pa.table({"reason": reason, "threshold": threshold}).filter(pc.is_valid(reason))
    return rejected.group_by(["reason", "threshold"], use_threads=False).aggregate([([], "count_all")])


def _scored(rules: Sequence[Rule], records: int) -> Scored:
    shape = len(rules), records
    decided = pa.concat_arrays([as_array(rule.failed) for rule in rules])
    judged: Bools | None = None
    if decided.null_count:
        judged = decided.is_valid().to_numpy(zero_copy_only=False).reshape(shape)
        decided = decided.fill_null(False)
    failed: Bools = decided.to_numpy(zero_copy_only=False).reshape(shape)
    if all(rule.score is None for rule in rules):
        return Scored(failed, judged, np.full(shape, np.nan))
    unknown = pa.nulls(records, _FLOAT)
    known = pa.concat_arrays([unknown if rule.score is None else _floats(rule.score) for rule in rules])
    return Scored(failed, judged, known.to_numpy(zero_copy_only=False).reshape(shape))


def _floats(scores: pa.Array | pa.ChunkedArray) -> pa.Array:
    array = as_array(scores)
    return array if array.type == _FLOAT else array.cast(_FLOAT)
