"""Operators at other thresholds: records that they would pass on and do not, and the other way round."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mega_data_factory.analytics.whatif.estimate import Estimate
from mega_data_factory.analytics.whatif.rules import RuleMove, RuleScores


@dataclass(frozen=True)
class OperatorRules:
    """Rules of one operator.

    Attributes:
        stage, name: The operator.
        rules: Its rules, in the order in which they decide.
        patterns: Rules that records failed together, by `rule_index` → records.
        other_patterns: Records that failed together in other ways.
    """

    stage: str
    name: str
    rules: tuple[RuleScores, ...]
    patterns: Mapping[frozenset[int], int] = field(default_factory=dict)
    other_patterns: int = 0


@dataclass(frozen=True)
class Exchange:
    """Records that change sides.

    Attributes:
        gain: Records that would pass, and do not.
        loss: Records that would not pass, and do.
    """

    gain: Estimate
    loss: Estimate

    @property
    def change(self) -> Estimate:
        """Records that would pass beyond those that do."""
        return self.gain - self.loss


def exchange_of(operator: OperatorRules, moves: Sequence[RuleMove]) -> Exchange:
    """Return the records of an operator that change sides when some of its rules move.

    One rule alone is as exact as its histogram: it knows which of its records fail other rules. For several rules the
    bounds hold whatever the records have in common; the single number takes their scores to be independent.

    Args:
        operator: The operator.
        moves: Its rules that move.
    """
    if len(moves) == 1:
        return Exchange(moves[0].newly_passing, moves[0].newly_failing)
    return Exchange(_gain(operator, moves), _loss(moves))


def _loss(moves: Sequence[RuleMove]) -> Estimate:
    """Return records that pass all rules, and would fail one or more: the union of those of each rule."""
    by_reason: dict[str, list[RuleMove]] = defaultdict(list)
    for move in moves:
        by_reason[move.rule.reason].append(move)
    # Rules of one reason with different thresholds are those of different languages: of disjoint records.
    parts = [Estimate.total(move.newly_failing for move in group) for group in by_reason.values()]
    kept = [sum(float(move.rule.passing.alone.sum()) for move in group) for group in by_reason.values()]
    most = max(kept)
    stay = math.prod(1 - part.value / records for part, records in zip(parts, kept, strict=True) if records)
    return Estimate(most * (1 - stay), max(part.low for part in parts), min(most, sum(part.high for part in parts)))


def _gain(operator: OperatorRules, moves: Sequence[RuleMove]) -> Estimate:
    """Return records that fail one rule or more, and would fail none."""
    alone = Estimate.total(move.newly_passing for move in moves)
    together_value = together_most = 0.0
    by_index = {move.rule.index: move for move in moves}
    for pattern, records in operator.patterns.items():
        if len(pattern) < 2 or not pattern <= by_index.keys():
            continue
        shares, most = [], float(records)
        for index in pattern:
            move = by_index[index]
            others = float(move.rule.failing.others.sum())
            shares.append(move.newly_passing_both.value / others if others else 0.0)
            most = min(most, move.newly_passing_both.high)
        together_value += records * math.prod(shares)
        together_most += most
    if sum(move.newly_passing_both.high > 0 for move in moves) > 1:
        together_most += operator.other_patterns
    newly_failing = sum(move.newly_failing_both.high for move in moves)
    value = alone.value + together_value
    low = max(0.0, alone.low - newly_failing)
    return Estimate(max(value, low), low, alone.high + together_most)
