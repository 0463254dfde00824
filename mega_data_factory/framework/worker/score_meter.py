"""Meter of scores: what the rules of a filter made of all records that it judged."""

from __future__ import annotations

from collections.abc import Sequence

from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.scoring import scores_of
from mega_data_factory.framework.worker.applying import Outcome


class ScoreMeter:
    """Measures the scores of filters."""

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> tuple[Detail, ...]:
        """Return the scores of an operator, where it judged records."""
        judgements = [outcome.judgement for outcome in outcomes if outcome.judgement is not None]
        return add_up(scores for judgement in judgements for scores in scores_of(stage, operator.name, judgement))
