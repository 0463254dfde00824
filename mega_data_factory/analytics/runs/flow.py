"""Flow of the records of a run: from the source through every operator to the output, without gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorChain, OperatorTotals

End = Literal["written", "rejected", "error", "dead_letter", "open"]

NO_REASON = "no reason given"

NOT_WRITTEN = "could not be written"
"""Reason of errors of the writer."""


@dataclass(frozen=True)
class Exit:
    """Records that left at one place.

    Attributes:
        operator: where; None for the loader and for workers that died.
        kind: how.
        reason: why, of rejected records.
        records: how many.
    """

    operator: OperatorTotals | None
    kind: End
    reason: str
    records: int


@dataclass(frozen=True)
class Flow:
    """The way of all records.

    Attributes:
        read: records that the source gave, those that could not be read included.
        operators: operator instances in plan order.
        exits: where records left, by place and size.
        written: records that reached the output.
        created: records that operators made beside those that came in.
        open: records that are unaccounted for: in flight, or lost where the books do not balance.
    """

    read: int
    operators: tuple[OperatorTotals, ...]
    exits: tuple[Exit, ...]
    written: int
    open: int
    created: int = 0


def flow_of(recording: Recording) -> Flow:
    """Return the way of the records of a run."""
    run = recording.run
    operators = recording.operator_totals
    exits = [
        Exit(None, "error", "could not be read", run.get("loader_errors") or 0),
        Exit(None, "dead_letter", "killed its worker", run.get("dead_lettered_records") or 0),
    ]
    for operator in operators:
        exits += [Exit(operator, "rejected", reason, n) for reason, n in _reasons(operator).items()]
        exits.append(Exit(operator, "error", "raised", operator.errors))
    exits.append(Exit(None, "error", NOT_WRITTEN, run.get("writer_errors") or 0))
    exits = [exit for exit in exits if exit.records > 0]
    first = operators[0].input if operators else 0
    written = run.get("total_output_records") or (operators[-1].output if operators and _hand_made(run) else 0)
    read = max(run.get("total_input_records") or 0, first)
    left = sum(exit.records for exit in exits)
    created = sum(operator.created for operator in operators)
    # Steps of an observed run may be on branches, so that what the last one put out is not all that is left.
    unknown = recording.is_observed and bool(run.get("balanced"))
    open_records = 0 if unknown else max(0, read + created - left - written)
    return Flow(read, operators, tuple(exits), written, open_records, created)


@dataclass(frozen=True)
class Step(OperatorChain):
    """Operators that are taken as one on the way: a single one, or those of a stage.

    Attributes:
        name: of the operator or the stage.
        label: distinct in the run.
        operators: in order; not empty.
        exits: what left there.
    """

    name: str
    label: str
    operators: tuple[OperatorTotals, ...]
    exits: tuple[Exit, ...]

    @property
    def rejected(self) -> int:
        """Records that came in or were created, and neither raised an error nor were passed on."""
        return self.input + self.created - self.output - self.errors


def steps_of(flow: Flow, most: int) -> list[Step]:
    """Return the way as steps: the operators where they are `most` or fewer, else the stages."""
    exits: dict[tuple[str, str], list[Exit]] = {}
    for exit in flow.exits:
        if exit.operator is not None:
            exits.setdefault((exit.operator.stage, exit.operator.name), []).append(exit)
    single = len(flow.operators) <= most
    groups: dict[tuple[str, str], list[OperatorTotals]] = {}
    for operator in flow.operators:
        groups.setdefault((operator.stage, operator.name if single else ""), []).append(operator)
    return [
        Step(
            operators[0].name if single else stage,
            operators[0].label if single else stage,
            tuple(operators),
            tuple(exit for operator in operators for exit in exits.get((stage, operator.name), ())),
        )
        for (stage, _), operators in groups.items()
    ]


def _hand_made(run: Mapping[str, Any]) -> bool:
    """Return whether nothing was noted of loader and writer, as in rows of version 0: the operators say it then."""
    return not run.get("total_input_records") and not run.get("committed_records")


def _reasons(operator: OperatorTotals) -> Mapping[str, int]:
    """Return rejects by reason; those without a reason (old files, hand-made rows) are labelled so."""
    known = sum(operator.reasons.values())
    missing = max(operator.rejected, _gone(operator)) - known
    return {**operator.reasons, NO_REASON: missing} if missing > 0 else operator.reasons


def _gone(operator: OperatorTotals) -> int:
    return max(0, operator.input + operator.created - operator.output - operator.errors)
