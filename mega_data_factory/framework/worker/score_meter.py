"""Meter of scores: what the rules of a filter made of all records that it judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import Judgement, Rule
from mega_data_factory.framework.metrics.details.detail import add_up
from mega_data_factory.framework.metrics.details.score_buckets import Bools, Floats
from mega_data_factory.framework.metrics.details.scores import OperatorScores, RuleName, Scored
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.worker.applying import Outcome


class ScoreMeter:
    """Measures the scores of filters."""

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> Iterator[OperatorScores]:
        """Yield the scores of an operator, where it judged records."""
        judgements = [outcome.judgement for outcome in outcomes if outcome.judgement is not None]
        scores = [scores_of(stage, operator.name, part) for judgement in judgements for part in _parts(judgement)]
        for total in add_up([found for found in scores if found is not None]):
            assert isinstance(total, OperatorScores)
            yield total


def _parts(judgement: Judgement) -> Iterator[Judgement]:
    """Yield the judgements of records, at least one, that were judged by the same rules."""
    for part in judgement.parts or (judgement,):
        if len(part.reason):
            yield part


def scores_of(stage: str, operator: str, judgement: Judgement) -> OperatorScores | None:
    """Return the scores behind a judgement; None where it tells neither rules nor reasons."""
    rules = judgement.rules or tuple(_rules_from_reasons(judgement))
    if not rules:
        return None
    known = bool(judgement.rules)
    names = [
        RuleName(
            rule.reason,
            rule.parameter,
            rule.fails,
            None if rule.threshold is None else float(rule.threshold),
            known,
        )
        for rule in rules
    ]
    return OperatorScores.measured(stage, operator, names, _scored(rules, len(judgement.reason)))


def _rules_from_reasons(judgement: Judgement) -> Iterator[Rule]:
    """Yield a rule for every reason and threshold of the rejected records: all that is known without rules."""
    if judgement.reason.null_count == len(judgement.reason):
        return
    threshold = (
        judgement.threshold if judgement.threshold is not None else pa.nulls(len(judgement.reason), pa.float64())
    )
    kinds = pa.table({"reason": judgement.reason, "threshold": threshold.cast(pa.float64())})
    groups = kinds.group_by(["reason", "threshold"]).aggregate([]).filter(pc.is_valid(pc.field("reason")))
    for group in groups.sort_by([("reason", "ascending"), ("threshold", "ascending")]).to_pylist():
        same = pc.is_null(threshold) if group["threshold"] is None else pc.equal(threshold, group["threshold"])
        failed = pc.fill_null(pc.and_kleene(pc.equal(judgement.reason, group["reason"]), same), False)
        score = None if judgement.score is None else pc.if_else(failed, judgement.score.cast(pa.float64()), None)
        yield Rule(group["reason"], failed, score, group["threshold"])


def _scored(rules: Sequence[Rule], records: int) -> Scored:
    failed: Bools = np.zeros((len(rules), records), np.bool_)
    judged: Bools = np.ones((len(rules), records), np.bool_)
    scores: Floats = np.full((len(rules), records), np.nan)
    for place, rule in enumerate(rules):
        decided = _flat(rule.failed)
        if decided.null_count:
            judged[place] = pc.is_valid(decided).to_numpy(zero_copy_only=False)
            decided = pc.fill_null(decided, False)
        failed[place] = decided.to_numpy(zero_copy_only=False)
        if rule.score is not None:
            scores[place] = _flat(rule.score).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return Scored(failed, judged, scores)


def _flat(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
