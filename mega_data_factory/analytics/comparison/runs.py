"""Comparison of a run with another, or with several, on every level.

How differences are distinguished from noise is in the modules beside: `speed`, `pass_rates`, `decomposition`. The least
differences that are reported were chosen on runs of the same pipeline; see `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from mega_data_factory.analytics.comparison.decomposition import Part, account_of, decompose
from mega_data_factory.analytics.comparison.disturbance import LEAST_CORRECTED, corrected
from mega_data_factory.analytics.comparison.pass_rates import (
    NO_DIFFERENCE,
    PointsDifference,
    Tally,
    design_effect,
    difference,
)
from mega_data_factory.analytics.comparison.sliced import sliced_accounts
from mega_data_factory.analytics.comparison.speed import (
    LEAST_RUNS,
    LEAST_SPEED,
    Measure,
    Verdict,
    at_operator,
    judged,
    judged_cost,
    others_took_cpu,
    own_verdict,
    spread,
    throughput_ratio,
)
from mega_data_factory.analytics.comparison.surroundings import (
    NodeDifference,
    Surrounding,
    node_differences,
    surroundings,
)
from mega_data_factory.analytics.config_diff import Change, config_changes
from mega_data_factory.analytics.runs.exits import ExitDifference, exit_differences
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.analytics.series.ratio import Ratio

LEAST_PASS_POINTS = 0.5
"""Least difference in pass rate, in percentage points, that is reported between runs of different records."""


@dataclass(frozen=True)
class ReasonDifference:
    """Records that left an operator for one reason, in percent of those that came in to it.

    Attributes:
        kind: `rejected`, or `error`.
        reason: Why, of rejected records.
        before, after: Records.
        share: The difference of their shares.
    """

    kind: str
    reason: str
    before: int
    after: int
    share: PointsDifference


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
        measure: Seconds that `cost` is of: of CPU, or busy.
        passed: The pass rates, and the interval of their difference.
        reasons: Why records left it, the largest difference first.
        corrected: Whether what other programs did to all operators was taken out of `cost`; see `disturbance`.
    """

    before: OperatorTotals | None
    after: OperatorTotals | None
    cost: Ratio | None
    speed: Verdict
    pass_points: float | None
    pass_changed: bool
    measure: Measure = "busy"
    passed: PointsDifference = NO_DIFFERENCE
    reasons: tuple[ReasonDifference, ...] = ()
    corrected: bool = False

    @property
    def operator(self) -> OperatorTotals:
        """The operator as the later run has it, else as the earlier one."""
        found = self.after or self.before
        assert found is not None  # one of the two has it
        return found

    @property
    def costs(self) -> tuple[float | None, float | None]:
        """Seconds per record in both runs, of the kind that `measure` says."""
        sides = (self.before, self.after)
        return tuple(_cost(side, self.measure) for side in sides)  # type: ignore[return-value]


@dataclass(frozen=True)
class StageDifference:
    """One stage in two runs; a stage that only one of them has is known by its operators.

    Attributes:
        name: The stage.
        cost: Seconds per record over its operators, after / before; see `OperatorDifference`.
        speed, measure: As of an operator.
        passed: The pass rates, and the interval of their difference.
        rejected, errors: Records rejected and set aside, before and after.
    """

    name: str
    cost: Ratio | None
    speed: Verdict
    measure: Measure
    passed: PointsDifference
    rejected: tuple[int, int]
    errors: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """Two runs, the earlier one being what is compared with.

    Attributes:
        before, after: the runs. Where several are compared with, `before` has the records and samples of them all, and
            the row of the newest.
        throughput: records per second while they worked, after / before; None where one did nothing.
        speed: what `throughput` says, judged.
        pass_points, pass_changed: of the overall pass rate, as for an operator.
        by_chance: whether two samples of the same data, of these sizes, differ in pass rate as much as these do (p ≥
            0.01); False where both runs read the same source, as nothing was sampled.
        same_source: whether both completed, with the same `data_loader` and as many records read.
        exits: places and reasons at which another share of the records left, the largest difference first.
        operators: in the order of the later run, those that only the earlier one has at the end.
        changes: keys of the configuration that differ.
        baseline: The runs that are compared with, the newest first; one or more.
        kept: The overall pass rates, and the interval of their difference.
        parts: What the difference of the share kept is made of; their points add up to `kept.points`.
        stages: The stages that both runs have.
        errors: Share of records read that were set aside as errors or dead letters.
        surroundings: Versions, engine, input, workers.
        nodes: The machines.
        cost: Seconds per record read, over all operators; see `OperatorDifference`.
        cost_speed, cost_measure: What `cost` says, and of what it is.
        sliced_parts: The same as `parts` within each slice of the records, where both runs were sliced alike.
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
    baseline: tuple[Recording, ...]
    kept: PointsDifference
    parts: tuple[Part, ...]
    stages: tuple[StageDifference, ...]
    errors: PointsDifference
    surroundings: tuple[Surrounding, ...]
    nodes: tuple[NodeDifference, ...]
    cost: Ratio | None
    cost_speed: Verdict
    cost_measure: Measure
    sliced_parts: tuple[Part, ...] = ()

    @property
    def same_configuration(self) -> bool:
        """Whether both were to do the same in the same way."""
        return not any(change.matters for change in self.changes)


def compare(
    before: Recording | Sequence[Recording], after: Recording, *, least_speed: float | None = None
) -> Comparison:
    """Compare a run with another one, or with several of the same pipeline.

    Args:
        before: what is compared with; of several the newest first.
        after: the run in question.
        least_speed: share below which a difference in speed is noise; `LEAST_SPEED` of seconds on the clock and
            `LEAST_CPU` of seconds of CPU by default.
    """
    baseline = (before,) if isinstance(before, Recording) else tuple(before)
    return _Comparing(baseline, after, least_speed).comparison()


class _Comparing:
    """One comparison while it is made.

    Args:
        baseline: What is compared with, the newest first.
        after: The run in question.
        least: See `compare`.
    """

    def __init__(self, baseline: tuple[Recording, ...], after: Recording, least: float | None) -> None:
        self._baseline, self._after, self._least = baseline, after, least
        self._before = baseline[0] if len(baseline) == 1 else pooled(baseline)
        sides = (*baseline, after)
        self._disturbed = len(baseline) < LEAST_RUNS and any(others_took_cpu(side) for side in sides)
        self._same = all(_same_source(recording, after) for recording in baseline)

    def comparison(self) -> Comparison:
        before, after = self._before, self._after
        throughput = throughput_ratio(self._baseline, after)
        speed = judged(throughput, LEAST_SPEED if self._least is None else self._least, more_is="faster")
        ends = _ends(before), _ends(after)
        points, changed = self._pass_difference(*ends)
        by_chance = points is not None and not self._same and not _beyond_chance(*ends[0], *ends[1])
        parts = decompose({(): account_of(before)}, {(): account_of(after)})
        every = [operator for stage in after.stages for operator in stage.operators if operator.counts_records]
        old = {(o.stage, o.name) for stage in before.stages for o in stage.operators}
        common = [operator for operator in every if (operator.stage, operator.name) in old]
        cost = self._cost(common)
        return Comparison(
            before,
            after,
            throughput,
            speed,
            points,
            changed,
            by_chance,
            self._same,
            tuple(exit_differences(before, after)),
            tuple(self._operators()),
            tuple(config_changes(self._baseline[0].config, after.config)),
            self._baseline,
            self._kept(),
            tuple(parts),
            tuple(self._stages()),
            self._errors(),
            tuple(surroundings(self._baseline[0], after)),
            tuple(node_differences(before, after)),
            *cost,
            tuple(decompose(*slices) if (slices := sliced_accounts(before, after)) else ()),
        )

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _kept(self) -> PointsDifference:
        sides = self._before, self._after
        tallies = [Tally(*_ends(side), design_effect=_effect_of_run(side)) for side in sides]
        shares = [out / came for came, out in map(_ends, self._baseline) if came]
        return self._difference(tallies[0], tallies[1], shares)

    def _errors(self) -> PointsDifference:
        tallies = [Tally(_ends(side)[0], _set_aside(side)) for side in (self._before, self._after)]
        shares = [_set_aside(side) / came for side in self._baseline if (came := _ends(side)[0])]
        return self._difference(tallies[0], tallies[1], shares)

    def _difference(self, before: Tally, after: Tally, shares: Sequence[float]) -> PointsDifference:
        """Return the difference of two shares; where runs of the baseline differ among themselves, their spread is in.

        Args:
            before, after: The records of both sides.
            shares: The share of every run of the baseline, 0 to 1.
        """
        exact = self._same and len({*shares}) <= 1 and before.records == after.records * len(self._baseline)
        return spread(difference(before, after, exact=exact), shares)

    # ── stages and operators ──────────────────────────────────────────────────────────────────────────────────────

    def _stages(self) -> list[StageDifference]:
        old = {stage.name: stage for stage in self._before.stages}
        return [self._stage(old[stage.name], stage) for stage in self._after.stages if stage.name in old]

    def _cost(self, operators: Sequence[OperatorTotals]) -> tuple[Ratio | None, Verdict, Measure]:
        """Return the cost of several operators; not judged where it may be other programs that changed it."""
        if not operators:
            return None, "unclear", "busy"
        cost, verdict, measure = judged_cost(self._baseline, self._after, operators, self._least)
        return cost, "unclear" if self._disturbed else verdict, measure

    def _stage(self, old: StageTotals, new: StageTotals) -> StageDifference:
        cost = self._cost(new.operators)
        tallies = [
            Tally(stage.input, stage.output, max(_effect(side, operator) for operator in stage.operators))
            for side, stage in ((self._before, old), (self._after, new))
        ]
        shares = [
            stage.output / stage.input
            for recording in self._baseline
            for stage in recording.stages
            if stage.name == new.name and stage.input
        ]
        passed = self._difference(tallies[0], tallies[1], shares)
        return StageDifference(new.name, *cost, passed, (old.rejected, new.rejected), (old.errors, new.errors))

    def _operators(self) -> list[OperatorDifference]:
        old = {(o.stage, o.name): o for stage in self._before.stages for o in stage.operators}
        new = {(o.stage, o.name): o for stage in self._after.stages for o in stage.operators}
        found = [self._operator(old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old])]
        return self._without_disturbance(found) if self._disturbed else found

    def _without_disturbance(self, found: list[OperatorDifference]) -> list[OperatorDifference]:
        """Return the operators, judged by their own part of the change of their seconds of CPU."""
        of_cpu = [at for at, d in enumerate(found) if d.measure == "cpu" and d.cost is not None]
        for at, ratio in zip(of_cpu, corrected([found[at].cost for at in of_cpu]), strict=True):
            least = LEAST_CORRECTED if self._least is None else self._least
            verdict = own_verdict(ratio, least)
            found[at] = replace(found[at], cost=ratio or found[at].cost, speed=verdict, corrected=ratio is not None)
        return found

    def _operator(self, old: OperatorTotals | None, new: OperatorTotals | None) -> OperatorDifference:
        if old is None or new is None:
            return _one_sided(old, new)
        cost, speed, measure = judged_cost(self._baseline, self._after, (new,), self._least)
        points, changed = self._pass_difference((old.input, old.output), (new.input, new.output))
        effects = _effect(self._before, old), _effect(self._after, new)
        earlier = self._earlier(new)
        passed = self._difference(
            Tally(old.input, old.output, effects[0]),
            Tally(new.input, new.output, effects[1]),
            [operator.output / operator.input for operator in earlier],
        )
        reasons = self._reasons(old, new, effects, earlier)
        return OperatorDifference(old, new, cost, speed, points, changed, measure, passed, reasons)

    def _earlier(self, operator: OperatorTotals) -> list[OperatorTotals]:
        """Return an operator in every run of the baseline in which it had records."""
        every = [o for recording in self._baseline for stage in recording.stages for o in stage.operators]
        return [o for o in every if (o.stage, o.name) == (operator.stage, operator.name) and o.input]

    def _reasons(
        self,
        old: OperatorTotals,
        new: OperatorTotals,
        effects: tuple[float, float],
        earlier: Sequence[OperatorTotals],
    ) -> tuple[ReasonDifference, ...]:
        found = []
        for kind, reason in dict.fromkeys([*_causes(new), *_causes(old)]):
            counts = [_causes(operator).get((kind, reason), 0) for operator in (old, new)]
            share = self._difference(
                Tally(old.input, counts[0], effects[0]),
                Tally(new.input, counts[1], effects[1]),
                [_causes(operator).get((kind, reason), 0) / operator.input for operator in earlier],
            )
            found.append(ReasonDifference(kind, reason, counts[0], counts[1], share))
        return tuple(sorted(found, key=lambda reason: -abs(reason.share.points or 0.0)))

    def _pass_difference(self, before: tuple[int, int], after: tuple[int, int]) -> tuple[float | None, bool]:
        """Return the difference in percentage points, and whether the pass rate changed.

        Where both runs read the same source, equally many records in are the same records, and any difference in the
        output is a change; otherwise one with p < 0.01 and of 0.5 points or more.

        Args:
            before, after: Records in and out.
        """
        (came_before, passed_before), (came_after, passed_after) = before, after
        if not came_before or not came_after:
            return None, False
        points = 100 * (passed_after / came_after - passed_before / came_before)
        runs = len(self._baseline)
        if self._same and came_before == runs * came_after:
            return points, passed_before != runs * passed_after
        beyond = _beyond_chance(came_before, passed_before, came_after, passed_after)
        return points, beyond and abs(points) >= LEAST_PASS_POINTS


def _one_sided(old: OperatorTotals | None, new: OperatorTotals | None) -> OperatorDifference:
    """Return an operator that only one of the runs has, with its shares there."""

    def known(cause: tuple[str, str]) -> ReasonDifference:
        counts = [_causes(operator).get(cause, 0) if operator else 0 for operator in (old, new)]
        share = PointsDifference(_percent_of(old, counts[0]), _percent_of(new, counts[1]))
        return ReasonDifference(*cause, counts[0], counts[1], share)

    passed = PointsDifference(_percent_of(old, old.output if old else 0), _percent_of(new, new.output if new else 0))
    found = new or old
    reasons = tuple(map(known, _causes(found))) if found else ()
    return OperatorDifference(old, new, None, "unclear", None, False, passed=passed, reasons=reasons)


def _percent_of(operator: OperatorTotals | None, records: int) -> float | None:
    return 100 * records / operator.input if operator and operator.input else None


def _causes(operator: OperatorTotals) -> dict[tuple[str, str], int]:
    causes = {("rejected", reason): records for reason, records in operator.reasons.items()}
    return {**causes, **({("error", ""): operator.errors} if operator.errors else {})}


def _cost(operator: OperatorTotals | None, measure: Measure) -> float | None:
    if operator is None or not operator.input:
        return None
    return (operator.cpu if measure == "cpu" else operator.busy) / operator.input


def _ends(recording: Recording) -> tuple[int, int]:
    run = recording.run
    return run.get("total_input_records") or 0, run.get("total_output_records") or 0


def _set_aside(recording: Recording) -> int:
    run = recording.run
    return (run.get("total_errors") or 0) + (run.get("dead_lettered_records") or 0)


def _effect(recording: Recording, operator: OperatorTotals) -> float:
    mine = recording.samples.filter(at_operator(operator))
    came, passed = (mine[name].to_numpy().astype(np.float64) for name in ("input_records", "output_records"))
    return design_effect(came, passed)


def _effect_of_run(recording: Recording) -> float:
    """Return the largest design effect of any operator: that of the run is not known from its intervals."""
    every = (operator for stage in recording.stages for operator in stage.operators)
    return max((_effect(recording, operator) for operator in every), default=1.0)


_ADDED = (
    "total_input_records",
    "total_output_records",
    "total_errors",
    "loader_errors",
    "writer_errors",
    "dead_lettered_records",
    "rejected_records",
    "created_records",
)


def pooled(recordings: Sequence[Recording]) -> Recording:
    """Return several runs as one: records, operators and samples of them all, and the row of the first.

    Args:
        recordings: The runs, the newest first.
    """
    row: Mapping[str, Any] = recordings[0].run
    total = {name: sum(recording.run.get(name) or 0 for recording in recordings) for name in _ADDED}

    def tables(name: str) -> pa.Table:
        return pa.concat_tables([getattr(recording, name) for recording in recordings], promote_options="default")

    names = ("operators", "samples", "nodes", "stage_rows")
    return Recording({**row, **total}, **{name: tables(name) for name in names})


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


def _beyond_chance(came_before: int, passed_before: int, came_after: int, passed_after: int) -> bool:
    """Return whether two pass rates differ with p < 0.01: two-proportion z test, two-sided.

    Where records are created the rate is a mean number of records, over 1; its variance is taken as that of a
    geometric number of records of 1 or more.
    """
    pooled = (passed_before + passed_after) / (came_before + came_after)
    error = math.sqrt(abs(pooled * (1 - pooled)) * (1 / came_before + 1 / came_after))
    return abs(passed_after / came_after - passed_before / came_before) > 2.576 * error


def most_changed(comparison: Comparison, limit: int = 5) -> Sequence[OperatorDifference]:
    """Return the operators that became faster or slower, those first that moved most seconds."""
    moved = [d for d in comparison.operators if d.speed in ("faster", "slower") and d.before and d.after]
    return sorted(moved, key=lambda d: -abs((d.after.busy if d.after else 0) - (d.before.busy if d.before else 0)))[
        :limit
    ]
