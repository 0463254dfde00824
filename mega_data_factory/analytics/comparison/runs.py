"""Comparison of a run with another, or with several, on every level.

How differences are distinguished from noise is in the modules beside: `speed`, `pass_rates`, `decomposition`. The least
differences that are reported were chosen on runs of the same pipeline; see `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mega_data_factory.analytics.comparison.baselines import pooled
from mega_data_factory.analytics.comparison.decomposition import account_of, decompose
from mega_data_factory.analytics.comparison.differences import (
    Comparison,
    OperatorDifference,
    ReasonDifference,
    StageDifference,
)
from mega_data_factory.analytics.comparison.disturbance import LEAST_CORRECTED, corrected
from mega_data_factory.analytics.comparison.pass_rates import PointsDifference, Tally, design_effect, difference
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
from mega_data_factory.analytics.comparison.surroundings import node_differences, surroundings
from mega_data_factory.analytics.config_diff import config_changes
from mega_data_factory.analytics.runs.exits import exit_differences
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.analytics.series.ratio import Ratio

LEAST_PASS_POINTS = 0.5
"""Least difference in pass rate, in percentage points, that is reported between runs of different records."""


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
        self._others = [others_took_cpu(side) for side in (*baseline, after)]
        self._disturbed = len(baseline) < LEAST_RUNS and any(self._others)
        self._same = all(_same_source(recording, after) for recording in baseline)
        self._effects = _design_effects(self._before), _design_effects(after)

    def comparison(self) -> Comparison:
        before, after = self._before, self._after
        throughput = throughput_ratio(self._baseline, after)
        ends = _ends(before), _ends(after)
        kept = self._kept()
        old = {(o.stage, o.name) for o in before.operator_totals}
        common = [o for o in after.operator_totals if o.counts_records and (o.stage, o.name) in old]
        cost, cost_speed, cost_measure = self._cost(common)
        return Comparison(
            before=before,
            after=after,
            baseline=self._baseline,
            throughput=throughput,
            speed=judged(throughput, LEAST_SPEED if self._least is None else self._least, more_is="faster"),
            kept=kept,
            pass_changed=self._pass_changed(kept, *ends),
            by_chance=kept.points is not None and not self._same and not _beyond_chance(*ends[0], *ends[1]),
            same_source=self._same,
            exits=tuple(exit_differences(before, after)),
            operators=tuple(self._operators()),
            changes=tuple(config_changes(self._baseline[0].config, after.config)),
            parts=tuple(decompose({(): account_of(before)}, {(): account_of(after)})),
            sliced_parts=tuple(decompose(*slices) if (slices := sliced_accounts(before, after)) else ()),
            stages=tuple(self._stages()),
            errors=self._errors(),
            surroundings=tuple(surroundings(self._baseline[0], after)),
            nodes=tuple(node_differences(before, after)),
            cost=cost,
            cost_speed=cost_speed,
            cost_measure=cost_measure,
            cpu_taken=any(self._others),
            disturbed=self._disturbed,
        )

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _kept(self) -> PointsDifference:
        sides = self._before, self._after
        # The design effect of a run is not known from its intervals: the largest of any operator stands for it.
        effects = [max(effects.values(), default=1.0) for effects in self._effects]
        tallies = [Tally(*_ends(side), effect) for side, effect in zip(sides, effects, strict=True)]
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
        cost, verdict, measure = judged_cost(self._baseline, self._after, operators, self._least, self._others)
        return cost, "unclear" if self._disturbed else verdict, measure

    def _stage(self, old: StageTotals, new: StageTotals) -> StageDifference:
        cost = self._cost(new.operators)
        tallies = [
            Tally(stage.input, stage.output, max(effects[stage.name, operator.name] for operator in stage.operators))
            for effects, stage in zip(self._effects, (old, new), strict=True)
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
        old = {(o.stage, o.name): o for o in self._before.operator_totals}
        new = {(o.stage, o.name): o for o in self._after.operator_totals}
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
        cost, speed, measure = judged_cost(self._baseline, self._after, (new,), self._least, self._others)
        key = (new.stage, new.name)
        effects = self._effects[0][key], self._effects[1][key]
        earlier = self._earlier(new)
        passed = self._difference(
            Tally(old.input, old.output, effects[0]),
            Tally(new.input, new.output, effects[1]),
            [operator.output / operator.input for operator in earlier],
        )
        changed = self._pass_changed(passed, (old.input, old.output), (new.input, new.output))
        reasons = self._reasons(old, new, effects, earlier)
        return OperatorDifference(old, new, cost, speed, changed, measure, passed, reasons)

    def _earlier(self, operator: OperatorTotals) -> list[OperatorTotals]:
        """Return an operator in every run of the baseline in which it had records."""
        every = [o for recording in self._baseline for o in recording.operator_totals]
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

    def _pass_changed(self, found: PointsDifference, before: tuple[int, int], after: tuple[int, int]) -> bool:
        """Return whether a pass rate changed.

        Where both runs read the same source, equally many records in are the same records, and any difference in the
        output is a change; otherwise one with p < 0.01 and of 0.5 points or more.

        Args:
            found: The difference of the pass rates.
            before, after: Records in and out.
        """
        if found.points is None:
            return False
        (came_before, passed_before), (came_after, passed_after) = before, after
        runs = len(self._baseline)
        if self._same and came_before == runs * came_after:
            return passed_before != runs * passed_after
        beyond = _beyond_chance(came_before, passed_before, came_after, passed_after)
        return beyond and abs(found.points) >= LEAST_PASS_POINTS


def _one_sided(old: OperatorTotals | None, new: OperatorTotals | None) -> OperatorDifference:
    """Return an operator that only one of the runs has, with its shares there."""

    def known(cause: tuple[str, str]) -> ReasonDifference:
        counts = [_causes(operator).get(cause, 0) if operator else 0 for operator in (old, new)]
        share = PointsDifference(_percent_of(old, counts[0]), _percent_of(new, counts[1]))
        return ReasonDifference(*cause, counts[0], counts[1], share)

    passed = PointsDifference(_percent_of(old, old.output if old else 0), _percent_of(new, new.output if new else 0))
    found = new or old
    reasons = tuple(map(known, _causes(found))) if found else ()
    return OperatorDifference(old, new, None, "unclear", False, passed=passed, reasons=reasons)


def _percent_of(operator: OperatorTotals | None, records: int) -> float | None:
    return 100 * records / operator.input if operator and operator.input else None


def _causes(operator: OperatorTotals) -> dict[tuple[str, str], int]:
    causes = {("rejected", reason): records for reason, records in operator.reasons.items()}
    return {**causes, **({("error", ""): operator.errors} if operator.errors else {})}


def _ends(recording: Recording) -> tuple[int, int]:
    run = recording.run
    return run.get("total_input_records") or 0, run.get("total_output_records") or 0


def _set_aside(recording: Recording) -> int:
    run = recording.run
    return (run.get("total_errors") or 0) + (run.get("dead_lettered_records") or 0)


def _design_effects(recording: Recording) -> dict[tuple[str, str], float]:
    """Return the design effect of the pass rate of every operator, by stage and name."""
    return {(o.stage, o.name): _design_effect(recording, o) for o in recording.operator_totals}


def _design_effect(recording: Recording, operator: OperatorTotals) -> float:
    mine = recording.samples.filter(at_operator(operator))
    came, passed = (mine[name].to_numpy().astype(np.float64) for name in ("input_records", "output_records"))
    return design_effect(came, passed)


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
