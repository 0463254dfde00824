"""The threshold that reaches a pass rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from mega_data_factory.analytics.whatif.answer import ScoredRun, WhatIf
from mega_data_factory.analytics.whatif.settings import Setting, find_setting, parse_settings
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.formats import percent

Of = Literal["operator", "pipeline"]


def threshold_for(run: ScoredRun, key: str, rate: float, of: Of = "operator", others: Sequence[str] = ()) -> WhatIf:
    """Return the answer for the threshold whose pass rate is nearest to a wanted one; of equals the nearest to today's.

    Args:
        run: The run.
        key: `STAGE.OPERATOR.PARAM`.
        rate: The wanted share of records, 0 to 1.
        of: Whether it is the share of the operator's input that it passes on, or of the run's input that comes out.
        others: Other thresholds that are set at the same time, `STAGE.OPERATOR.PARAM=VALUE`.

    Raises:
        MetricsQueryError: There is no such threshold, or no value of it comes near the rate.
    """
    if not 0 <= rate <= 1:
        raise MetricsQueryError(f"a target pass rate of {rate:g} is not between 0 and 1")
    setting = find_setting(key, run.rules)
    fixed = parse_settings(others, run.rules)
    answers = [(run.ask([*fixed, replace(setting, value=value)]), value) for value in candidates(setting)]
    if not answers:
        raise MetricsQueryError(f"{setting.key}: no record has a score")
    today = setting.rules[0].threshold or 0.0
    best, _ = min(answers, key=lambda found: (abs(_rate(found[0], setting, of) - rate), abs(found[1] - today)))
    rates = [_rate(answer, setting, of) for answer, _ in answers]
    if not min(rates) - 0.005 <= rate <= max(rates) + 0.005:
        raise MetricsQueryError(
            f"no value of {setting.key} passes {percent(100 * rate)}: it reaches {percent(100 * min(rates))} to "
            f"{percent(100 * max(rates))} of the {of}"
        )
    return best


def _rate(answer: WhatIf, setting: Setting, of: Of) -> float:
    if of == "pipeline":
        return answer.pipeline.likely.value / answer.input if answer.input else 0.0
    (mine,) = (a for a in answer.operators if (a.stage, a.name) == (setting.operator.stage, setting.operator.name))
    return mine.would_pass.value / mine.input if mine.input else 0.0


def candidates(setting: Setting) -> list[float]:
    """Return thresholds at which the number of failing records may change, and those half-way between; finite ones."""
    borders = np.concatenate([cells.borders for rule in setting.rules for cells in (rule.passing, rule.failing)])
    if all(cells.whole for rule in setting.rules for cells in (rule.passing, rule.failing)):
        borders = np.concatenate([borders, borders + 1, np.rint(borders)])
    else:
        known = np.unique(borders[np.isfinite(borders)])
        borders = np.concatenate([known, (known[1:] + known[:-1]) / 2, known[-1:] * 1.01 + 1e-9])
    found = [_short(value) for value in np.unique(borders[np.isfinite(borders)]).tolist()]
    today = [rule.threshold for rule in setting.rules if rule.threshold is not None]
    return sorted({*found, *today})


def _short(value: float) -> float:
    """Return a threshold as one would write it: four digits."""
    return float(f"{value:.4g}") if abs(value) < 1e6 else value
