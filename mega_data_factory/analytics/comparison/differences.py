"""What differs between two runs: of the run, its stages, its operators, and their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.comparison.decomposition import Part
from mega_data_factory.analytics.comparison.pass_rates import NO_DIFFERENCE, PointsDifference
from mega_data_factory.analytics.comparison.speed import Measure, Verdict
from mega_data_factory.analytics.comparison.surroundings import NodeDifference, Surrounding
from mega_data_factory.analytics.config_diff import Change
from mega_data_factory.analytics.runs.exits import ExitDifference
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.analytics.series.ratio import Ratio


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
        before, after: its totals; None if a run does not have it.
        cost: seconds per record, after / before.
        speed: what `cost` says, judged.
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
        throughput: records per second while they worked, after / before; None if one did nothing.
        speed: what `throughput` says, judged.
        pass_changed: of the overall pass rate, as for an operator.
        by_chance: whether two samples of the same data, of these sizes, differ in pass rate as much as these do (p ≥
            0.01); False if both runs read the same source, as nothing was sampled.
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
        cost_speed, cost_measure: Verdict on `cost`, and the clock that it was measured by.
        sliced_parts: The same as `parts` within each slice of the records, where both runs were sliced alike.
        cpu_taken: Whether other programs took the CPU of a node, in one of the runs.
        disturbed: Whether they did, and there are too few runs to know what that changes.
    """

    before: Recording
    after: Recording
    throughput: Ratio | None
    speed: Verdict
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
    sliced_parts: tuple[Part, ...]
    cpu_taken: bool
    disturbed: bool

    @property
    def pass_points(self) -> float | None:
        """Overall pass rate after - before, percentage points; None if one has none."""
        return self.kept.points

    @property
    def same_configuration(self) -> bool:
        """Whether both were to do the same in the same way."""
        return not any(change.matters for change in self.changes)


def most_changed(comparison: Comparison, limit: int = 5) -> Sequence[OperatorDifference]:
    """Return the operators that became faster or slower, those first that moved most seconds."""
    moved = [d for d in comparison.operators if d.speed in ("faster", "slower") and d.before and d.after]
    return sorted(moved, key=lambda d: -abs((d.after.busy if d.after else 0) - (d.before.busy if d.before else 0)))[
        :limit
    ]


def _cost(operator: OperatorTotals | None, measure: Measure) -> float | None:
    if operator is None or not operator.input:
        return None
    return (operator.cpu if measure == "cpu" else operator.busy) / operator.input
