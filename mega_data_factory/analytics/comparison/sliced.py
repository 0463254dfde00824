"""Accounts of two runs by slice of their records, for a decomposition that says in which slice something changed."""

from __future__ import annotations

from collections.abc import Mapping

from mega_data_factory.analytics.comparison.decomposition import Account, Cause, Slice, Station
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.slices import SliceTotals

_Values = dict[str, dict[tuple[str, str], SliceTotals]]

OTHER = "other"
"""Slice of the records that cannot be followed: of slices that some operator or run does not count one by one."""


def sliced_accounts(
    before: Recording, after: Recording
) -> tuple[Mapping[Slice, Account], Mapping[Slice, Account]] | None:
    """Return the accounts of both runs by slice of the first column of `slice_by` that both are sliced by.

    Args:
        before, after: The runs.

    Returns:
        None if they are not sliced by one column, or the slices do not hold every record that was read and kept: of
        records that could not be read, killed a worker or could not be written the slice is not known.
    """
    named = ((after.config.get("executor") or {}).get("metrics") or {}).get("slice_by") or []
    common_columns = {found.by for found in before.slices} & {found.by for found in after.slices}
    by = next((column for column in (*named, *sorted(common_columns)) if column in common_columns), None)
    if by is None:
        return None
    values = [_exact_values(side, by) for side in (before, after)]
    common = sorted({*values[0]} & {*values[1]})
    accounts = [_accounts(side, by, own, common) for side, own in zip((before, after), values, strict=True)]
    if accounts[0] is None or accounts[1] is None:
        return None
    return accounts[0], accounts[1]


def _exact_values(recording: Recording, by: str) -> _Values:
    """Return the slices that every operator counts by themselves and without a miss: label → place → totals."""
    found: _Values = {}
    for totals in recording.slices:
        if totals.by == by and totals.kind != OTHER and not totals.missed:
            label = "(no value)" if totals.value is None else totals.value
            found.setdefault(label, {})[totals.stage, totals.operator] = totals
    first = next(((o.stage, o.name) for o in recording.operator_totals if o.counts_records), None)
    return {label: places for label, places in found.items() if first in places}


def _accounts(recording: Recording, by: str, values: _Values, common: list[str]) -> dict[Slice, Account] | None:
    """Return an account of each common slice and one of all other records; None if records are missing."""
    flow = flow_of(recording)
    operators = [operator for operator in flow.operators if operator.counts_records]
    if not operators or operators[0].input != flow.read or operators[-1].output != flow.written:
        return None
    found: dict[Slice, Account] = {}
    for label in common:
        stations = []
        for operator in operators:
            totals = values[label].get((operator.stage, operator.name))
            stations.append(Station(operator.stage, operator.name, totals.input if totals else 0, _causes(totals)))
        last = values[label].get((operators[-1].stage, operators[-1].name))
        found[((by, label),)] = Account(stations[0].came, last.output if last else 0, tuple(stations))
    rest = []
    for at, operator in enumerate(operators):
        taken = [account.stations[at] for account in found.values()]
        causes: dict[Cause, int] = {("rejected", reason): n for reason, n in operator.reasons.items()}
        causes |= {("error", "raised"): operator.errors, ("created", ""): operator.created}
        left = {
            cause: records - sum(station.causes.get(cause, 0) for station in taken) for cause, records in causes.items()
        }
        came = operator.input - sum(station.came for station in taken)
        if came < 0 or min(left.values()) < 0:
            return None
        rest.append(Station(operator.stage, operator.name, came, {cause: n for cause, n in left.items() if n}))
    kept = flow.written - sum(account.kept for account in found.values())
    if kept < 0:
        return None
    found[((by, OTHER),)] = Account(rest[0].came, kept, tuple(rest))
    return found


def _causes(totals: SliceTotals | None) -> dict[Cause, int]:
    if totals is None:
        return {}
    causes: dict[Cause, int] = {("rejected", reason): records for reason, records in totals.reasons.items()}
    return {**causes, **({("error", "raised"): totals.errors} if totals.errors else {})}
