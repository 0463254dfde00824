"""Judging a run by the rules of a gate.

A drop or a rise fails where the number is beyond its bound and, unless `certain` is false, beyond noise: the 95 %
interval of the difference (see `analytics.comparison`) leaves out no change, or the difference is exact. Limits (`min`,
`max`) are of the run alone and need no interval. Throughput is not judged where other programs took the CPU of a node:
then a drop says nothing of the pipeline; rules of CPU seconds do.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from mega_data_factory.analytics.comparison import Comparison, OperatorDifference, compare
from mega_data_factory.analytics.comparison.pass_rates import PointsDifference
from mega_data_factory.analytics.comparison.speed import (
    cost_of,
    cost_ratio,
    predicted,
    rate_of,
)
from mega_data_factory.analytics.costs import Prices, cost_of_run
from mega_data_factory.analytics.gate.check import Check, Status, Verdict
from mega_data_factory.analytics.gate.columns import column_drifts, null_shares
from mega_data_factory.analytics.gate.rules import Bound, GateRules, Kind, Rule
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.series.ratio import Ratio
from mega_data_factory.errors import did_you_mean
from mega_data_factory.formats import count, money, percent, rate, seconds

_CPU_TAKEN = "other programs took the CPU of a node, in this run or before"

Judge = Callable[[Rule, Comparison], Iterator[Check]]


def gate(recording: Recording, baseline: tuple[Recording, ...], rules: GateRules) -> Verdict:
    """Judge a run by rules.

    Args:
        recording: The run.
        baseline: The runs that it is compared with, the newest first.
        rules: What it must meet.

    Returns:
        The checks: that the run has completed, then those of every rule.
    """
    comparison = compare(baseline, recording)
    checks = [_completed(recording)]
    for rule in rules.rules:
        checks += _JUDGES[rule.rule](rule, comparison)
    return Verdict(recording.run_id, tuple(side.run_id for side in baseline), tuple(checks))


def _completed(recording: Recording) -> Check:
    status = recording.run.get("status") or "unknown"
    passed: Status = "passed" if status == "completed" else "failed"
    return Check("status", "run", passed, f"the run is {status}")


# ── the rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _books(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    run = comparison.after.run
    balanced = run.get("balanced")
    if balanced is None:
        yield Check(rule.rule, "run", "not judged", "the books were not checked")
    elif balanced:
        yield Check(rule.rule, "run", "passed", "every record is accounted for")
    else:
        missing = count(run.get("unbalanced_records"))
        yield Check(rule.rule, "run", "failed", f"{missing} records are not accounted for")


def _throughput(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    now = rate_of(comparison.after)
    yield from _limits(rule, "run", now, rate)
    if not rule.bounds_change:
        return
    if comparison.cpu_taken:
        yield Check(rule.rule, "run", "not judged", _CPU_TAKEN)
        return
    yield _ratio_check(rule, "run", comparison.throughput, now, rate)


def _cpu(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    after = comparison.after
    every = after.operator_totals
    now = cost_of(after, {(operator.stage, operator.name) for operator in every}, "cpu") or None
    yield from _limits(rule, "run", now, seconds)
    if rule.bounds_change:
        if comparison.cost_measure == "cpu" and comparison.disturbed:
            yield Check(rule.rule, "run", "not judged", _CPU_TAKEN)
            return
        found = cost_ratio(comparison.baseline, after, every, "cpu") if every else None
        yield _ratio_check(rule, "run", found, now, seconds)


def _operator_cost(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    for d in _operators(rule, comparison):
        if isinstance(d, Check):
            yield d
            continue
        if d.before is None or d.after is None:
            yield Check(rule.rule, d.operator.label, "not judged", "only one of the runs has it")
        elif d.measure == "cpu" and not d.corrected and comparison.disturbed:
            yield Check(rule.rule, d.operator.label, "not judged", "other programs took the CPU; too few operators")
        elif d.measure == "busy" and comparison.cpu_taken:
            yield Check(rule.rule, d.operator.label, "not judged", "no seconds of CPU, and other programs took the CPU")
        else:
            kind = "own change within" if d.corrected else "95 % interval"
            yield _ratio_check(rule, d.operator.label, d.cost, d.costs[1], seconds, kind)


def _pass_rate(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    if rule.operator is None:
        yield from _points_checks(rule, "run", comparison.kept)
        return
    for d in _operators(rule, comparison):
        if isinstance(d, Check):
            yield d
        else:
            yield from _points_checks(rule, d.operator.label, d.passed)


def _error_rate(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    yield from _points_checks(rule, "run", comparison.errors)


def _reject_share(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    found = False
    for d in _operators(rule, comparison):
        if isinstance(d, Check):
            yield d
            return
        for reason in d.reasons:
            if reason.kind == "rejected" and fnmatch.fnmatchcase(reason.reason, rule.reason or "*"):
                found = True
                yield from _points_checks(rule, f"{d.operator.label}: {reason.reason}", reason.share)
    if not found and rule.reason is not None:
        known = {reason.reason for d in comparison.operators for reason in d.reasons}
        hint = did_you_mean(rule.reason, known)
        text = f"no record was rejected for {rule.reason} in any of the runs"
        status: Status = "passed" if any(char in rule.reason for char in "*?[") else "not judged"
        yield Check(rule.rule, rule.reason, status, f"{text}; {hint}" if hint else text)
    elif not found:
        yield Check(rule.rule, "run", "passed", "no record was rejected in any of the runs")


def _cost(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    """Yield the check of the cost of a million records read, all runs at the prices of the run in question."""
    prices = Prices.of_run(comparison.after)
    now, *before = (_per_million(side, prices) for side in (comparison.after, *comparison.baseline))
    if prices is None or now is None:
        yield Check(rule.rule, "run", "not judged", "no prices are known, or the nodes were not sampled")
        return
    in_money = partial(money, currency=prices.currency)
    yield from _limits(rule, "run", now, in_money)
    if not rule.bounds_change:
        return
    known = [value for value in before if value is not None]
    ratio = predicted(known, now) if len(known) == len(before) else None
    if comparison.cpu_taken:
        yield Check(rule.rule, "run", "not judged", _CPU_TAKEN)
        return
    rated = comparison.throughput  # a run costs what it takes of time
    if ratio is not None and ratio.low is None and rated is not None and rated.low and rated.high:
        ratio = Ratio(ratio.value, 1 / rated.high, 1 / rated.low)
    yield _ratio_check(rule, "run", ratio, now, in_money)


def _per_million(recording: Recording, prices: Prices | None) -> float | None:
    found = cost_of_run(recording, prices)
    return None if found is None else found.per.get("million records read")


def _null_share(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    for found in null_shares(rule, comparison):
        if isinstance(found, Check):
            yield found
        else:
            yield from _points_checks(rule, *found, " without a value", "the runs before did not measure it")


_JUDGES: Mapping[Kind, Judge] = {
    "books": _books,
    "cost": _cost,
    "cpu": _cpu,
    "drift": column_drifts,
    "error_rate": _error_rate,
    "null_share": _null_share,
    "operator_cost": _operator_cost,
    "pass_rate": _pass_rate,
    "reject_share": _reject_share,
    "throughput": _throughput,
}
"""Kind of a rule → what judges it. A new kind is a function here and a name in `rules.Kind`."""


# ── bounds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _operators(rule: Rule, comparison: Comparison) -> Iterator[OperatorDifference | Check]:
    """Yield the operators that a rule is of; one failed check where it names none that is there."""
    pattern = rule.operator or "*"
    found = [
        d
        for d in comparison.operators
        if fnmatch.fnmatchcase(d.operator.label, pattern) or fnmatch.fnmatchcase(d.operator.name, pattern)
    ]
    yield from found
    if not found and rule.operator is not None:
        hint = did_you_mean(pattern, [d.operator.name for d in comparison.operators])
        text = f"no operator is named {pattern}"
        yield Check(rule.rule, pattern, "failed", f"{text}; {hint}" if hint else text)


def _limits(rule: Rule, subject: str, value: float | None, write: Callable[[float | None], str]) -> Iterator[Check]:
    """Yield the checks of `min` and `max`."""
    for limit, what, beyond in ((rule.min, "least", -1), (rule.max, "most", 1)):
        if limit is None:
            continue
        if value is None:
            yield Check(rule.rule, subject, "not judged", "it is not known")
            continue
        status: Status = "failed" if beyond * (value - limit) > 0 else "passed"
        yield Check(rule.rule, subject, status, f"{write(value)}, at {what} {write(limit)} allowed", after=value)


def _ratio_check(
    rule: Rule,
    subject: str,
    ratio: Ratio | None,
    now: float | None,
    write: Callable[[float | None], str],
    kind: str = "95 % interval",
) -> Check:
    """Return the check of a number that is compared as a ratio."""
    if ratio is None or not now:
        return Check(rule.rule, subject, "not judged", "one of the runs did not measure it")
    moved = 100 * (ratio.value - 1)
    within = ""
    if ratio.low is not None and ratio.high is not None:
        within = f" ({kind} {100 * (ratio.low - 1):+.1f} to {100 * (ratio.high - 1):+.1f} %)"
    beyond = _beyond(rule, moved, 100.0)
    sure = ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high
    status, why = _judged(rule, beyond, sure, known=ratio.low is not None)
    text = f"{write(now)}, {moved:+.1f} %{within}{why}"
    return Check(rule.rule, subject, status, text, now / ratio.value, now, ratio.low, ratio.high, "times")


def _points_checks(
    rule: Rule,
    subject: str,
    found: PointsDifference,
    what: str = "",
    missing: str = "one of the runs has no such records",
) -> Iterator[Check]:
    """Yield the checks of a share of records.

    Args:
        rule: The rule.
        subject: What the share is of.
        found: The share, before and after.
        what: What the records of the share are, in words that follow the number.
        missing: Why the share of one run is not known.
    """
    yield from _limits(rule, subject, found.after, percent)
    if not rule.bounds_change:
        return
    if found.points is None or found.before is None:
        yield Check(rule.rule, subject, "not judged", missing)
        return
    within = " (exact: the same records)" if found.exact else ""
    if found.low is not None and found.high is not None:
        within = f" (95 % interval {found.low:+.2f} to {found.high:+.2f})"
    beyond = _beyond(rule, found.points, found.before)
    status, why = _judged(rule, beyond, found.is_real, known=found.exact or found.low is not None)
    text = f"{percent(found.after)}{what}, {found.points:+.3g} points{within}{why}"
    yield Check(rule.rule, subject, status, text, found.before, found.after, found.low, found.high, "points")


def _beyond(rule: Rule, moved: float, before: float) -> Bound | None:
    """Return the bound that a number is beyond; None if it is within both.

    Args:
        rule: The rule.
        moved: How far it moved, in percent of the number before or in points.
        before: What 100 percent of the number before are, in the unit of `moved`.
    """
    bound = rule.max_rise if moved > 0 else rule.max_drop
    if bound is None:
        return None
    allowed = bound.value * before / 100 if bound.relative else bound.value
    return bound if abs(moved) > allowed * (1 + 1e-9) else None


def _judged(rule: Rule, beyond: Bound | None, sure: bool, *, known: bool) -> tuple[Status, str]:
    """Return what came of a bound, and the end of the sentence that says so."""
    if beyond is None:
        return "passed", ""
    allowed = f"; {beyond} allowed"
    if sure or not rule.certain:
        return "failed", allowed
    if not known:
        return "not judged", f"{allowed}, but too few intervals to distinguish it from noise"
    return "passed", f"{allowed}, within noise"
