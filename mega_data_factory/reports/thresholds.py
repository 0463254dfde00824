"""Thresholds of a run, as the report and the dashboard show them: a chart, and a slider whose numbers follow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.whatif.answer import ScoredRun
from mega_data_factory.analytics.whatif.curve import ThresholdCurve, ThresholdPoint, threshold_curves
from mega_data_factory.formats import count
from mega_data_factory.reports.figures import Draw
from mega_data_factory.visualization.charts.scores import score_distribution

MOST_SHOWN = 12
"""Rules that a report shows; those that fail most records come first."""


@dataclass(frozen=True)
class ShownThreshold:
    """A rule with its chart and its slider.

    Attributes:
        name: Name of the chart.
        title: What is moved: `stage / operator: parameter`.
        reason: Reason of the records that the rule rejects.
        draw: Makes the chart.
        values: The thresholds.
        sentences: What each of them would do.
        today: Which of them is the run's.
    """

    name: str
    title: str
    reason: str
    draw: Draw
    values: tuple[float, ...]
    sentences: tuple[str, ...]
    today: int

    def as_dict(self) -> dict[str, Any]:
        """Return what the slider of a page needs, as JSON values."""
        return {"values": list(self.values), "sentences": list(self.sentences), "today": self.today}


def shown_thresholds(
    recording: Recording, operator: tuple[str, str] | None = None, most: int = MOST_SHOWN
) -> tuple[ShownThreshold, ...]:
    """Return the rules to show.

    Args:
        recording: The run.
        operator: Stage and name of the operator whose rules they are; None for all.
        most: Rules to return at most.
    """
    run = ScoredRun.from_recording(recording)
    if run is None:
        return ()
    curves = threshold_curves(run, operator)
    failing = sorted(curves, key=lambda curve: -curve.rule.failed)[:most]
    kept = [curve for curve in curves if curve in failing]
    return tuple(_shown(number, curve) for number, curve in enumerate(kept))


def _shown(number: int, curve: ThresholdCurve) -> ShownThreshold:
    rule, today = curve.rule, curve.points[curve.today]
    return ShownThreshold(
        f"scores-{number}",
        f"{rule.stage} / {rule.operator}: {curve.setting.parameter}",
        rule.reason,
        partial(score_distribution, rule),
        tuple(point.threshold for point in curve.points),
        tuple(_sentence(point, today) for point in curve.points),
        curve.today,
    )


def _sentence(point: ThresholdPoint, today: ThresholdPoint) -> str:
    if point == today:
        return (
            f"{_value(point.threshold)}, as in this run: {count(point.failed)} records fail, the operator passes "
            f"{count(point.passing)}, the pipeline {count(point.output)}"
        )
    interval = "" if point.high - point.low < 1 else f", {count(point.low)} to {count(point.high)}"
    return (
        f"{_value(point.threshold)}: {_changed(point.failed, today.failed)} records would fail, the operator would "
        f"pass {_changed(point.passing, today.passing)}, the pipeline about {_changed(point.output, today.output)}"
        f"{interval}"
    )


def _changed(then: int, now: int) -> str:
    return count(then) if then == now else f"{count(then)} ({then - now:+,})"


def _value(threshold: float) -> str:
    return f"{threshold:.6g}"
