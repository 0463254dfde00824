"""Comparison of two runs, with a test of whether differences exceed the noise.

Speed: the interval of a ratio of rates comes from a bootstrap (`series.ratio`). What the bootstrap of one run cannot
see is that two runs of the same thing differ, by the machine's other work; so a difference counts only from
`LEAST_SPEED` on, or from what earlier runs of the pipeline strayed. Pass rates: where both runs read the same source,
the counts themselves, since no chance is involved; otherwise a two-proportion z test, and a least difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from mega_data_factory.analytics.config_diff import Change, config_changes
from mega_data_factory.analytics.runs.exits import ExitDifference, exit_differences
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.analytics.series.ratio import Ratio, ratio_interval

Floats = npt.NDArray[np.float64]
Verdict = Literal["faster", "slower", "same", "unclear"]

LEAST_SPEED = 0.10
"""A difference in speed below this share cannot be distinguished from the noise between two equal runs."""

LEAST_PASS_POINTS = 0.5
"""Least difference in pass rate, in percentage points, that is reported between runs of different records."""


@dataclass(frozen=True)
class OperatorDifference:
    """One operator in two runs.

    Attributes:
        before, after: its totals; None where a run does not have it.
        cost: seconds per record, after / before.
        speed: what `cost` says, judged.
        pass_points: pass rate after - before, percentage points; None where one has none.
        pass_changed: whether the operator judged differently: any difference in counts where both runs took in equally
            many records of the same source; otherwise one beyond chance and of 0.5 points or more.
    """

    before: OperatorTotals | None
    after: OperatorTotals | None
    cost: Ratio | None
    speed: Verdict
    pass_points: float | None
    pass_changed: bool

    @property
    def operator(self) -> OperatorTotals:
        """The operator as the later run has it, else as the earlier one."""
        found = self.after or self.before
        assert found is not None  # one of the two has it
        return found


@dataclass(frozen=True)
class Comparison:
    """Two runs, the earlier one being what is compared with.

    Attributes:
        before, after: the runs.
        throughput: records per second while they worked, after / before; None where one did nothing.
        speed: what `throughput` says, judged.
        pass_points, pass_changed: of the overall pass rate, as for an operator.
        by_chance: whether two samples of the same data, of these sizes, differ in pass rate as much as these do (p ≥
            0.01); False where both runs read the same source, as nothing was sampled.
        same_source: whether both completed, with the same `data_loader` and as many records read.
        exits: places and reasons at which another share of the records left, the largest difference first.
        operators: in the order of the later run, those that only the earlier one has at the end.
        changes: keys of the configuration that differ.
    """

    before: Recording
    after: Recording
    throughput: Ratio | None
    speed: Verdict
    pass_points: float | None
    pass_changed: bool
    by_chance: bool
    same_source: bool
    exits: tuple[ExitDifference, ...]
    operators: tuple[OperatorDifference, ...]
    changes: tuple[Change, ...]

    @property
    def same_configuration(self) -> bool:
        """Whether both were to do the same in the same way."""
        return not any(change.matters for change in self.changes)


def compare(before: Recording, after: Recording, *, least_speed: float = LEAST_SPEED) -> Comparison:
    """Compare two runs.

    Args:
        before: what is compared with.
        after: the run in question.
        least_speed: share below which a difference in speed is noise.
    """
    throughput = _throughput_ratio(before, after)
    same = _same_source(before, after)
    ends = (*_ends(before), *_ends(after))
    points, changed = _pass_difference(*ends, paired=same)
    by_chance = points is not None and not same and not _beyond_chance(*ends)
    old = {(o.stage, o.name): o for stage in before.stages for o in stage.operators}
    new = {(o.stage, o.name): o for stage in after.stages for o in stage.operators}
    operators = [
        _operator_difference(before, after, old.get(key), new.get(key), least_speed, paired=same)
        for key in dict.fromkeys([*new, *old])
    ]
    changes = tuple(config_changes(before.config, after.config))
    speed = _judged(throughput, least_speed, more_is="faster")
    exits = tuple(exit_differences(before, after))
    return Comparison(
        before, after, throughput, speed, points, changed, by_chance, same, exits, tuple(operators), changes
    )


def _operator_difference(
    before: Recording,
    after: Recording,
    old: OperatorTotals | None,
    new: OperatorTotals | None,
    least: float,
    *,
    paired: bool,
) -> OperatorDifference:
    if old is None or new is None:
        return OperatorDifference(old, new, None, "unclear", None, False)
    cost = _cost_ratio(before, after, old, new)
    points, changed = _pass_difference(old.input, old.output, new.input, new.output, paired=paired)
    return OperatorDifference(old, new, cost, _judged(cost, least, more_is="slower"), points, changed)


def _ends(recording: Recording) -> tuple[int, int]:
    run = recording.run
    return run.get("total_input_records") or 0, run.get("total_output_records") or 0


# ── speed ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _throughput_ratio(before: Recording, after: Recording) -> Ratio | None:
    rates = [
        _ends(recording)[0] / recording.working_seconds if recording.working_seconds else 0.0
        for recording in (before, after)
    ]
    if not all(rates):
        return None
    low, high = ratio_interval(*(_records_by_interval(recording) for recording in (before, after)))
    return Ratio(rates[1] / rates[0], low, high)


def _records_by_interval(recording: Recording) -> tuple[Floats, Floats]:
    """Return input records of the first operator, and seconds, of every interval but the first and the last."""
    stages = recording.stages
    samples = recording.samples
    if not stages or not len(samples):
        return np.zeros(0), np.zeros(0)
    first = stages[0].operators[0]
    mine = samples.filter(_at(first))
    records = mine["input_records"].to_numpy().astype(np.float64)[1:-1]
    return records, mine["interval"].to_numpy()[1:-1]


def _cost_ratio(before: Recording, after: Recording, old: OperatorTotals, new: OperatorTotals) -> Ratio | None:
    if not old.cost or not new.cost:
        return None
    sides = []
    for recording, operator in ((before, old), (after, new)):
        mine = recording.samples.filter(_at(operator))
        sides.append((mine["busy_time"].to_numpy(), mine["input_records"].to_numpy().astype(np.float64)))
    return Ratio(new.cost / old.cost, *ratio_interval(*sides))


def _at(operator: OperatorTotals) -> pc.Expression:
    return (pc.field("stage_name") == operator.stage) & (pc.field("operator_name") == operator.name)


def _judged(ratio: Ratio | None, least: float, *, more_is: Literal["faster", "slower"]) -> Verdict:
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


# ── pass rates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _same_source(before: Recording, after: Recording) -> bool:
    """Return whether both runs completed with the same loader and read as many records."""
    runs = before.run, after.run
    loaders = [recording.config.get("data_loader") for recording in (before, after)]
    return (
        bool(loaders[0])
        and loaders[0] == loaders[1]
        and all(run.get("status") == "completed" for run in runs)
        and _ends(before)[0] == _ends(after)[0] > 0
    )


def _pass_difference(
    came_before: int, passed_before: int, came_after: int, passed_after: int, *, paired: bool
) -> tuple[float | None, bool]:
    """Return the difference in percentage points, and whether the pass rate changed.

    Args:
        came_before, passed_before: Records in and out of the earlier run.
        came_after, passed_after: Records in and out of the later run.
        paired: Whether both runs read the same source. Then equally many records in are the same records, and any
            difference in the output is a change; otherwise one with p < 0.01 and of 0.5 points or more.
    """
    if not came_before or not came_after:
        return None, False
    points = 100 * (passed_after / came_after - passed_before / came_before)
    if paired and came_before == came_after:
        return points, passed_before != passed_after
    beyond = _beyond_chance(came_before, passed_before, came_after, passed_after)
    return points, beyond and abs(points) >= LEAST_PASS_POINTS


def _beyond_chance(came_before: int, passed_before: int, came_after: int, passed_after: int) -> bool:
    """Return whether two pass rates differ with p < 0.01: two-proportion z test, two-sided.

    Where records are created the rate is a mean number of records, over 1; its variance is taken as that of a
    geometric number of records of 1 or more.
    """
    pooled = (passed_before + passed_after) / (came_before + came_after)
    error = math.sqrt(abs(pooled * (1 - pooled)) * (1 / came_before + 1 / came_after))
    return abs(passed_after / came_after - passed_before / came_before) > 2.576 * error


def most_changed(comparison: Comparison, limit: int = 5) -> Sequence[OperatorDifference]:
    """Return operators that became faster or slower, those that moved most seconds first."""
    moved = [d for d in comparison.operators if d.speed in ("faster", "slower") and d.before and d.after]
    return sorted(moved, key=lambda d: -abs((d.after.busy if d.after else 0) - (d.before.busy if d.before else 0)))[
        :limit
    ]
