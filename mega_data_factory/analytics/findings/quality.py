"""Findings about pass rates and rejects, and their usual range."""

from __future__ import annotations

from collections.abc import Iterator

from mega_data_factory.analytics.baseline import UsualRange, pass_rate_noise, usual_range
from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.formats import count, percent

_LEAST_POINTS = 1.0
"""A pass rate that is off by fewer percentage points is not reported."""

_ENOUGH_RECORDS = 100

_LARGE_SHARE = 0.5
"""Share of all records read that must leave for one reason before that is reported: every filter has a main one."""


def unusual_pass_rates(recording: Recording, past: EarlierRuns) -> Iterator[Finding]:
    """Find the pass rate of the run, or of operators, off the range of the earlier runs."""
    run = recording.run
    read, rate = run.get("total_input_records") or 0, run.get("overall_pass_rate")
    if run.get("status") != "completed" or read < _ENOUGH_RECORDS or rate is None:
        return
    unusual = []
    for operator in recording.operator_totals:
        if operator.input < _ENOUGH_RECORDS or operator.pass_share is None:
            continue
        own = 100 * operator.pass_share
        usual = _usual(past.pass_rates.get((operator.stage, operator.name), []), own, operator.input)
        if usual and not usual.contains(own):
            unusual.append((abs(own - usual.middle), operator, own, usual))
    overall = _usual(past.values("overall_pass_rate"), rate, read)
    if overall and not overall.contains(rate):
        suspects = sorted(unusual, key=lambda entry: -entry[0])[:3]
        names = "; ".join(f"{o.label} passed {percent(own)}, usually {percent(u.middle)}" for _, o, own, u in suspects)
        yield Finding(
            "warning",
            "pass-rate",
            f"{percent(rate)} of the records were kept; usual for this pipeline: {percent(overall.middle)}",
            f"Expected {percent(overall.low)} to {percent(overall.high)} from its last {overall.runs} runs. "
            f"{f'The difference comes from: {names}.' if names else ''}".strip(),
            {"pass_rate": rate, "usual": overall.middle, "low": overall.low, "high": overall.high},
            "Other data or another threshold? Check what was changed in the configuration.",
            "comparison",
        )
        return
    hidden = " The overall pass rate is within its usual range and hides it." if overall else ""
    for _, operator, own, usual in sorted(unusual, key=lambda entry: -entry[0])[:3]:
        yield Finding(
            "warning",
            "operator-pass-rate",
            f"{operator.label} passed {percent(own)}; {percent(usual.middle)} is usual",
            f"{count(operator.input)} records came in. Expected {percent(usual.low)} to {percent(usual.high)} from the "
            f"last {usual.runs} runs.{hidden}",
            {"operator": operator.label, "pass_rate": own, "low": usual.low, "high": usual.high},
            "Look at its rejected samples.",
        )


def _usual(values: list[float], now: float, records: int) -> UsualRange | None:
    """Return the usual range of a pass rate, cut to what a percentage can be."""
    found = usual_range(values, least_width=_LEAST_POINTS + pass_rate_noise(now, records))
    if found is None:
        return None
    return UsualRange(found.middle, max(0.0, found.low), min(100.0, found.high), found.runs)


def _passed(operator: OperatorTotals) -> float:
    """Return the pass rate in percent; 0 if nothing came in."""
    return 100 * (operator.pass_share or 0.0)


def main_reason(recording: Recording, past: EarlierRuns) -> Iterator[Finding]:
    """Find the one reason for which half of all records go, if that is not usual for the pipeline."""
    rejected = sum(o.rejected for o in recording.operator_totals)
    reasons = [
        (number, reason, operator)
        for operator in recording.operator_totals
        for reason, number in operator.reasons.items()
    ]
    if not reasons or rejected < _ENOUGH_RECORDS:
        return
    number, reason, operator = max(reasons, key=lambda entry: entry[0])
    read = recording.run.get("total_input_records") or recording.stages[0].input
    created = sum(o.created for o in recording.operator_totals)
    there = read + created
    if not there or number < _LARGE_SHARE * there:
        return
    usual = _usual(past.pass_rates.get((operator.stage, operator.name), []), _passed(operator), operator.input)
    if usual and usual.contains(_passed(operator)):
        return
    yield Finding(
        "advice",
        "main-reason",
        f"{percent(100 * number / there)} of all records read{' or created' if created else ''} were rejected for one "
        f"reason: {reason} ({operator.label})",
        f"{count(number)} of {count(there)} records; {count(rejected)} were rejected in total.",
        {"reason": reason, "operator": operator.label, "records": number, "rejected": rejected},
        "If that is more than you want to lose, look at rejected samples before you change the threshold.",
    )
