"""Operator rows added up over workers, in plan order, and the check of their books.

Whatever shows or exports an operator or a stage takes it from here, so that all show the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mega_data_factory.formats import NOTHING, count
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics


def by_instance(rows: Iterable[OperatorMetrics]) -> list[list[OperatorMetrics]]:
    """Return rows in groups, one for each operator instance of each stage.

    Groups are in the order of the plan: stages by `stage_index`, their operators by `operator_index`. What has the
    same index, as in rows made by hand, is in the order of its first row.
    """
    stages: dict[str, dict[str, list[OperatorMetrics]]] = {}
    for row in rows:
        stages.setdefault(row.stage_name, {}).setdefault(row.operator_name, []).append(row)
    groups = [list(operators.values()) for operators in stages.values()]
    groups.sort(key=lambda operators: operators[0][0].stage_index)
    return [rows for operators in groups for rows in sorted(operators, key=lambda rows: rows[0].operator_index)]


def over_workers(rows: Iterable[OperatorMetrics]) -> list[OperatorMetrics]:
    """Return one row for each operator instance, added up over its workers and named `*`, in plan order."""
    return [OperatorMetrics.merged(group) for group in by_instance(rows)]


def top_reason(reasons: Mapping[str, int], rejected: int) -> str:
    """Return the reason that most rejects of an operator carry, and how many of all: `too_short 1,203 of 1,500`.

    The number is left out where it is that of all rejects. Of equally frequent reasons the first by name is taken.

    Args:
        reasons: records rejected, by reason.
        rejected: records rejected, also without a reason.
    """
    if not reasons:
        return NOTHING if rejected else ""
    reason, number = min(reasons.items(), key=lambda item: (-item[1], item[0]))
    return reason if number == rejected else f"{reason} {count(number)} of {count(rejected)}"


# ── the books ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Difference:
    """A place at which the books do not balance.

    Attributes:
        text: what differs there, with the numbers.
        records: by how many records.
    """

    text: str
    records: int


def account_differences(rows: Iterable[OperatorMetrics]) -> list[Difference]:
    """Return the operators of which input + created is not output + rejected + errors."""
    return [difference for row in over_workers(rows) if (difference := _account_difference(row))]


def flow_differences(
    rows: Iterable[OperatorMetrics], records_in: int | None = None, records_out: int | None = None
) -> list[Difference]:
    """Return where operators that follow each other lose records, or give more than they account for.

    Checked on every operator: input + created = output + rejected + errors. Between neighbours in plan order: what the
    one passed on came in to the next. At both ends: against what was handed to the first and taken from the last.

    Args:
        rows: operator rows of all stages and workers.
        records_in: records handed to the first operator, where known.
        records_out: records taken from the last operator, where known.
    """
    found = []
    flow, where = records_in, "the loader gave"
    for row in over_workers(rows):
        name = f"{row.stage_name}/{row.operator_name}"
        if flow is not None and flow != row.input_records:
            text = f"{where} {flow:,} records, {name} was offered {row.input_records:,}"
            found.append(Difference(text, abs(flow - row.input_records)))
        if difference := _account_difference(row):
            found.append(difference)
        flow, where = row.output_records, f"{name} passed on"
    if flow is not None and records_out is not None and flow != records_out:
        found.append(Difference(f"{where} {flow:,} records, the writer took {records_out:,}", abs(flow - records_out)))
    return found


def unbalanced_records(
    rows: Iterable[OperatorMetrics], records_in: int | None = None, records_out: int | None = None
) -> int:
    """Return the number of records that the operators' books do not account for; 0 when the books balance.

    Differences, as `flow_differences` finds them, are added up without sign, so that one does not hide another.
    """
    return sum(difference.records for difference in flow_differences(rows, records_in, records_out))


def balance_equation(created: int | None = 0) -> str:
    """Return what holds on every operator whose books balance, in words.

    Args:
        created: records that operators created; None if that is not known.
    """
    return f"input{' + created' if created else ''} = output + rejected + errors"


def _account_difference(row: OperatorMetrics) -> Difference | None:
    if not row.unbalanced_records:
        return None
    made = f" + created {row.created_records:,}" if row.created_records else ""
    gone = row.output_records + row.rejected_records + row.error_count
    text = f"{row.stage_name}/{row.operator_name}: input {row.input_records:,}{made}, "
    return Difference(f"{text}output + rejected + errors {gone:,}", abs(row.unbalanced_records))
