"""What every threshold of a parameter would do: the numbers behind a slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mega_data_factory.analytics.whatif.answer import ScoredRun
from mega_data_factory.analytics.whatif.rules import RuleScores
from mega_data_factory.analytics.whatif.settings import Setting, movable
from mega_data_factory.analytics.whatif.target import candidates


@dataclass(frozen=True)
class ThresholdPoint:
    """One threshold.

    Attributes:
        threshold: The threshold.
        failed: Records that would fail the rule.
        passing: Records that its operator would pass on.
        output: Records that the pipeline would pass.
        low, high: Interval of `output` that holds in 95 of 100 cases.
    """

    threshold: float
    failed: int
    passing: int
    output: int
    low: int
    high: int


@dataclass(frozen=True, eq=False)  # the arrays of a rule have no truth value to compare by
class ThresholdCurve:
    """The thresholds of one rule.

    Attributes:
        setting: The parameter, with all rules whose threshold it is.
        rule: One of these rules.
        points: By threshold, ascending; today's is one of them.
        today: Which of them is today's.
    """

    setting: Setting
    rule: RuleScores
    points: tuple[ThresholdPoint, ...]
    today: int


def threshold_curves(
    run: ScoredRun, operator: tuple[str, str] | None = None, most_points: int = 60
) -> list[ThresholdCurve]:
    """Return the curve of every rule of a run that has a threshold and scores.

    Args:
        run: The run.
        operator: Stage and name of the operator whose rules they are; None for all.
        most_points: Thresholds of each curve at most.
    """
    found = []
    for setting in movable(of for of in run.rules if operator in (None, (of.stage, of.name))):
        for rule in setting.rules:
            if rule.fails is None or not (len(rule.passing.least) or len(rule.failing.least)):
                continue
            found.append(_curve(run, setting, rule, most_points))
    return found


def _curve(run: ScoredRun, setting: Setting, rule: RuleScores, most_points: int) -> ThresholdCurve:
    assert rule.threshold is not None
    allowed = [threshold for threshold in candidates(setting) if rule.can_judge(threshold)]
    thresholds = _spread(allowed, most_points, rule.threshold)
    points = tuple(_point(run, setting, rule, threshold) for threshold in thresholds)
    return ThresholdCurve(setting, rule, points, thresholds.index(rule.threshold))


def _spread(thresholds: Sequence[float], most: int, today: float) -> list[float]:
    """Return some of the thresholds, evenly spread, and today's."""
    places = np.unique(np.linspace(0, len(thresholds) - 1, min(most, len(thresholds))).astype(int))
    return sorted({*(thresholds[place] for place in places.tolist()), today})


def _point(run: ScoredRun, setting: Setting, rule: RuleScores, threshold: float) -> ThresholdPoint:
    answer = run.ask([replace(setting, value=threshold)])
    (failed,) = (round(move.failed.value) for move in answer.rules if move.rule is rule)
    likely = answer.pipeline.likely
    return ThresholdPoint(
        threshold,
        failed,
        round(answer.operators[0].would_pass.value),
        round(likely.value),
        round(likely.low),
        round(likely.high),
    )
