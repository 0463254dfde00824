"""Meter of scores: what the rules of a filter made of all records that it judged."""

from __future__ import annotations

from collections.abc import Sequence

from mega_data_factory.framework.contracts import Judgement
from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.framework.metrics.details.scores.codes import coded
from mega_data_factory.framework.metrics.details.scores.operator_scores import OperatorScores
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.scoring import judged_rules
from mega_data_factory.framework.worker.applying import Outcome


class ScoreMeter:
    """Measures the scores of filters: those of all operators of a stage in one pass, when the batch leaves it."""

    def __init__(self) -> None:
        self._judgements: list[tuple[str, str, Judgement]] = []

    def start(self) -> None:
        """Forget what was measured."""
        self._judgements = []

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        """Keep the judgements of an operator."""
        for outcome in outcomes:
            if outcome.judgement is not None:
                self._judgements.append((stage, operator.name, outcome.judgement))

    def details(self) -> tuple[Detail, ...]:
        """Return the scores of all operators that judged records."""
        judged = [
            (stage, operator, rules)
            for stage, operator, judgement in self._judgements
            for rules in judged_rules(judgement)
        ]
        codes = coded([rules.scored for _, _, rules in judged])
        return add_up(
            OperatorScores.from_codes(stage, operator, rules.names, of)
            for (stage, operator, rules), of in zip(judged, codes, strict=True)
        )
