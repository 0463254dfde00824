"""Where the records of a run went: from the source through every operator to the output, nothing left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals

End = Literal["written", "rejected", "error", "dead_letter", "open"]

NO_REASON = "no reason given"


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
        open: records that neither came out nor are told of: still on their way, or lost where the books do not close.
    """

    read: int
    operators: tuple[OperatorTotals, ...]
    exits: tuple[Exit, ...]
    written: int
    open: int


def flow_of(recording: Recording) -> Flow:
    """The way of the records of a run."""
    run = recording.run
    operators = tuple(operator for stage in recording.stages for operator in stage.operators)
    exits = [
        Exit(None, "error", "could not be read", run.get("loader_errors") or 0),
        Exit(None, "dead_letter", "killed its worker", run.get("dead_lettered_records") or 0),
    ]
    for operator in operators:
        exits += [Exit(operator, "rejected", reason, n) for reason, n in _reasons(operator).items()]
        exits.append(Exit(operator, "error", "raised", operator.errors))
    exits = [exit for exit in exits if exit.records > 0]
    first = operators[0].input if operators else 0
    written = run.get("total_output_records") or 0
    read = max(run.get("total_input_records") or 0, first)
    left = sum(exit.records for exit in exits)
    return Flow(read, operators, tuple(exits), written, max(0, read - left - written))


def _reasons(operator: OperatorTotals) -> Mapping[str, int]:
    """Records rejected by reason; what an old file, or a hand-made row, gives no reason for is named so."""
    known = sum(operator.reasons.values())
    missing = max(operator.rejected, _gone(operator)) - known
    return {**operator.reasons, NO_REASON: missing} if missing > 0 else operator.reasons


def _gone(operator: OperatorTotals) -> int:
    return max(0, operator.input - operator.output - operator.errors)
