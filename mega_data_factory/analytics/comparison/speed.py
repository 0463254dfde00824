"""Speed of a run against that of one or several others, with confidence intervals.

Against one run the interval comes from a bootstrap over blocks of interval samples (`series.ratio`). What that cannot
see is that two runs of the same thing differ, by the other work of the machine: a difference counts only from a least
share on. Against three runs or more the interval is that of a prediction: the logarithm of the value lies within
`t · s · √(1 + 1/n)` of the mean of the n others, `s` being their standard deviation and `t` Student's 97.5 % quantile;
how runs differ among themselves is in it.

The cost of an operator is judged by its seconds of CPU, where both runs have them: other programs make a run slower and
change these by 1 or 2 % only. An operator may also wait (for a network, a disk, a GPU), which takes no CPU: its busy
seconds decide where its CPU did not change, but only if no node of either run was short of CPU
for other programs. Without seconds of CPU such runs are not judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from mega_data_factory.analytics.comparison.pass_rates import PointsDifference
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.analytics.series.ratio import Ratio, ratio_interval

Floats: TypeAlias = npt.NDArray[np.float64]
_ByInterval: TypeAlias = "Callable[[Recording], tuple[Floats, Floats]]"
Verdict = Literal["faster", "slower", "same", "unclear"]
Measure = Literal["cpu", "busy"]

LEAST_SPEED = 0.10
"""A difference in seconds on the clock below this share cannot be distinguished from the noise between equal runs."""

LEAST_CPU = 0.05
"""The same of seconds of CPU."""

_FULL = 80.0
"""Percent of CPU usage, in the mean over a run, from which a node had no room left."""

_OTHERS = 10.0
"""Percent of the CPU that other programs used, from which they may have made a run slower."""

LEAST_RUNS = 3
"""Runs from which their own spread is known."""

_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's 97.5 % quantile for 1, 2, … degrees of freedom."""


def student(freedom: int) -> float:
    """Return Student's 97.5 % quantile; beyond 15 degrees of freedom by the first terms of its expansion (Fisher)."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    z = 1.959963984540054
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def predicted(before: Sequence[float], after: float) -> Ratio | None:
    """Return after / (geometric mean of before), with the interval in which another such run would lie.

    Args:
        before: Values of three runs or more; those that are not positive are left out.
        after: The value of the run in question.
    """
    known = [math.log(value) for value in before if value > 0]
    if not known or after <= 0:
        return None
    change = math.log(after) - sum(known) / len(known)
    if len(known) < LEAST_RUNS:
        return Ratio(math.exp(change))
    half = student(len(known) - 1) * float(np.std(known, ddof=1)) * math.sqrt(1 + 1 / len(known))
    return Ratio(*(math.exp(value) for value in (change, change - half, change + half)))


def spread(found: PointsDifference, shares: Sequence[float]) -> PointsDifference:
    """Return a difference of shares with an interval that holds how the runs compared with differ among themselves.

    Args:
        found: The difference, with the interval of chance.
        shares: The share of every run of the baseline; fewer than three, or all alike, change nothing.
    """
    if len(shares) < LEAST_RUNS or found.points is None or len({*shares}) == 1:
        return found
    half = 100 * student(len(shares) - 1) * float(np.std(shares, ddof=1)) * math.sqrt(1 + 1 / len(shares))
    low, high = found.points - half, found.points + half
    if found.low is not None and found.high is not None:
        low, high = min(low, found.low), max(high, found.high)
    return replace(found, low=low, high=high, exact=False)


def judged(ratio: Ratio | None, least: float, *, more_is: Literal["faster", "slower"]) -> Verdict:
    """Return a word for a ratio: above the noise if its interval excludes 1 and it exceeds the least difference."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "unclear"
    edge = math.log1p(least)
    if abs(math.log(ratio.value)) < edge:
        return "same" if ratio.high - ratio.low < 4 * least else "unclear"
    if ratio.low <= 1 <= ratio.high:
        return "unclear"
    less_is: Verdict = "slower" if more_is == "faster" else "faster"
    return more_is if ratio.value > 1 else less_is


def own_verdict(ratio: Ratio | None, least: float) -> Verdict:
    """Return a word for a cost that was corrected for a disturbance: within its interval there is no difference."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "unclear"
    if abs(math.log(ratio.value)) < math.log1p(least) or ratio.low <= 1 <= ratio.high:
        return "same"
    return "slower" if ratio.value > 1 else "faster"


# ── throughput of the run ─────────────────────────────────────────────────────────────────────────────────────────────


def throughput_ratio(before: Sequence[Recording], after: Recording) -> Ratio | None:
    """Return records read per second while working, after / before; None if a run did nothing."""
    rates = [rate_of(recording) for recording in before]
    if len(before) >= LEAST_RUNS:
        return predicted(rates, rate_of(after))
    if not all(rates) or not rate_of(after):
        return None
    sides = _joined(before, _records_by_interval), _records_by_interval(after)
    mean = math.exp(sum(map(math.log, rates)) / len(rates))
    return Ratio(rate_of(after) / mean, *ratio_interval(*sides))


def rate_of(recording: Recording) -> float:
    """Return records read per second while the run worked; 0 if that is not known."""
    read = recording.run.get("total_input_records") or 0
    return read / recording.working_seconds if recording.working_seconds else 0.0


def _records_by_interval(recording: Recording) -> tuple[Floats, Floats]:
    """Return input records of the first operator, and seconds, of every interval but the first and the last."""
    stages = recording.stages
    samples = recording.samples
    if not stages or not len(samples):
        return np.zeros(0), np.zeros(0)
    mine = samples.filter(at_operator(stages[0].operators[0]))
    records = mine["input_records"].to_numpy().astype(np.float64)[1:-1]
    return records, mine["interval"].to_numpy()[1:-1]


def _joined(recordings: Sequence[Recording], intervals: _ByInterval) -> tuple[Floats, Floats]:
    sides = [intervals(recording) for recording in recordings]
    return np.concatenate([side[0] for side in sides]), np.concatenate([side[1] for side in sides])


# ── cost of operators ─────────────────────────────────────────────────────────────────────────────────────────────────


def cost_ratio(
    before: Sequence[Recording], after: Recording, operators: Sequence[OperatorTotals], measure: Measure
) -> Ratio | None:
    """Return seconds per record, after / before, over some operators; None if one of the runs measured none.

    Args:
        before, after: The runs.
        operators: Which operators (their stages and names count): one, those of a stage, or all.
        measure: Seconds of CPU, or busy seconds.
    """
    keys = {(operator.stage, operator.name) for operator in operators}
    costs = [cost_of(recording, keys, measure) for recording in before]
    now = cost_of(after, keys, measure)
    if not all(costs) or not now:
        return None
    if len(before) >= LEAST_RUNS:
        return predicted(costs, now)

    def by_interval(recording: Recording) -> tuple[Floats, Floats]:
        return _cost_by_interval(recording, operators, measure)

    mean = math.exp(sum(map(math.log, costs)) / len(costs))
    return Ratio(now / mean, *ratio_interval(_joined(before, by_interval), by_interval(after)))


def cost_of(recording: Recording, keys: set[tuple[str, str]], measure: Measure) -> float:
    """Return seconds over some operators / records that came in to the first of them; 0 if one is not known."""
    mine = [o for o in recording.operator_totals if (o.stage, o.name) in keys]
    records = next((operator.input for operator in mine if operator.counts_records), 0)
    seconds = sum(operator.cpu if measure == "cpu" else operator.busy for operator in mine)
    return seconds / records if records else 0.0


def _cost_by_interval(
    recording: Recording, operators: Sequence[OperatorTotals], measure: Measure
) -> tuple[Floats, Floats]:
    """Return seconds and records of every interval, shape (n,) each."""
    column = "cpu_time" if measure == "cpu" else "busy_time"
    first = operators[0]
    samples = recording.samples
    own = samples.filter(at_operator(first))
    records = own["input_records"].to_numpy().astype(np.float64)
    if len(operators) == 1:
        return own[column].to_numpy(), records
    wanted = pc.field("stage_name").isin(sorted({operator.stage for operator in operators}))
    added = samples.filter(wanted).group_by("timestamp", use_threads=False).aggregate([(column, "sum")])
    by_time = dict(zip(added["timestamp"].to_pylist(), added[f"{column}_sum"].to_pylist(), strict=True))
    arrived = dict(zip(own["timestamp"].to_pylist(), records.tolist(), strict=True))
    times = sorted({*by_time, *arrived})
    seconds = np.array([by_time.get(time, 0.0) for time in times])
    return seconds, np.array([arrived.get(time, 0.0) for time in times])


def at_operator(operator: OperatorTotals) -> pc.Expression:
    """Return the filter of samples of one operator."""
    return (pc.field("stage_name") == operator.stage) & (pc.field("operator_name") == operator.name)


def judged_cost(
    before: Sequence[Recording],
    after: Recording,
    operators: Sequence[OperatorTotals],
    least: float | None,
    others: Sequence[bool | None],
) -> tuple[Ratio | None, Verdict, Measure]:
    """Return the ratio of costs that decides, what it says, and by which seconds.

    Args:
        before, after: The runs.
        operators: As for `cost_ratio`.
        least: Share below which a difference is noise; `LEAST_CPU` and `LEAST_SPEED` where None.
        others: What `others_took_cpu` returns for every run.
    """
    busy = cost_ratio(before, after, operators, "busy")
    by_clock = judged(busy, LEAST_SPEED if least is None else least, more_is="slower")
    cpu = cost_ratio(before, after, operators, "cpu")
    if cpu is None:
        return busy, "unclear" if any(others) else by_clock, "busy"
    by_cpu = judged(cpu, LEAST_CPU if least is None else least, more_is="slower")
    waits = by_cpu in ("same", "unclear") and by_clock in ("slower", "faster")
    if waits and all(took is False for took in others):
        return busy, by_clock, "busy"
    return cpu, by_cpu, "cpu"


def others_took_cpu(recording: Recording) -> bool | None:
    """Return whether a node was short of CPU for other programs, in the mean over the run; None if not sampled."""
    nodes = recording.nodes
    if not len(nodes) or not {"cpu_usage", "run_cpu_usage"} <= {*nodes.column_names}:
        return None
    means = nodes.group_by("node_id", use_threads=False).aggregate([("cpu_usage", "mean"), ("run_cpu_usage", "mean")])
    usage = zip(means["cpu_usage_mean"].to_pylist(), means["run_cpu_usage_mean"].to_pylist(), strict=True)
    known = [(node, own) for node, own in usage if node is not None and own is not None]
    return any(node >= _FULL and node - own >= _OTHERS for node, own in known) if known else None
