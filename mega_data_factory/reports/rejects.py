"""Rejected records of a run that kept all of them, as a table of rules with the record nearest to each threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.rejects import find_rejects, is_missing
from mega_data_factory.errors import MdfError
from mega_data_factory.formats import count, percent, plural, size
from mega_data_factory.redaction import without_credentials

COLUMNS = ("reason", "records", "of all rejects", "for it alone", "text", "nearest record", "score (threshold)")
NOTE = (
    "For it alone: records that fail no other rule of the operator. Nearest record: the one whose score is nearest to "
    "the threshold of the rule."
)
MOST_RULES = 40
_NEEDED = ("stage", "operator", "reason", "record_id", "score", "threshold")
_LONGEST_ID = 120


@dataclass(frozen=True)
class RejectTable:
    """Rules that rejected records.

    Attributes:
        rows: operator, and a cell for each of `COLUMNS`.
        note: what the columns mean, and how many rules are left out.
        problem: why there are no rows; None if there are.
    """

    rows: tuple[tuple[str, ...], ...] = ()
    note: str = NOTE
    problem: str | None = None


def reject_table(recording: Recording) -> RejectTable | None:
    """Return the rejected records of a run by rule; None if it kept no ledger."""
    try:
        ledger = find_rejects(recording.run)
        if ledger is None:
            return None
        if is_missing(ledger, recording.run):
            return RejectTable(problem="the files of the rejected records are missing: they were moved or removed")
        counts = ledger.counts().to_pylist()
        near = {_rule(row): row for row in ledger.nearest(1, columns=_NEEDED).to_pylist()}
    except MdfError as error:
        return RejectTable(problem=without_credentials(error.message))
    if not counts:
        return RejectTable(problem="no record was rejected")
    total = sum(row["records"] for row in counts)
    rows = tuple(_cells(row, total, near.get(_rule(row))) for row in counts[:MOST_RULES])
    left_out = len(counts) - len(rows)
    return RejectTable(rows, f"{NOTE} {plural(left_out, 'rarer rule')} not shown." if left_out else NOTE)


def _rule(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["stage"], row["operator"], row["reason"]


def rule_place(row: Mapping[str, Any]) -> str:
    """Return where a row of counts is of: `stage / operator`, and the slice where the records have one."""
    return f"{row['stage']} / {row['operator']}" + ("" if row["slice"] is None else f" / {row['slice']}")


def _cells(row: Mapping[str, Any], total: int, near: Mapping[str, Any] | None) -> tuple[str, ...]:
    nearest = (
        ("", "") if near is None else (_short(near["record_id"]), f"{near['score']:.6g} ({near['threshold']:.6g})")
    )
    share = percent(100 * row["records"] / total)
    counts = (count(row["records"]), share, count(row["alone"]), size(row["bytes"]))
    return rule_place(row), row["reason"], *counts, *nearest


def _short(record_id: str | None) -> str:
    text = record_id or ""
    return text if len(text) <= _LONGEST_ID else f"{text[:_LONGEST_ID]}…"
