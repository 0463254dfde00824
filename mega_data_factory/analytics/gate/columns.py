"""Rules of the output's columns: shares of nulls, and drift."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator

from mega_data_factory.analytics.comparison import Comparison
from mega_data_factory.analytics.comparison.pass_rates import PointsDifference
from mega_data_factory.analytics.gate.check import Check
from mega_data_factory.analytics.gate.rules import Rule
from mega_data_factory.analytics.output_columns import ColumnSummary, column_drift
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.errors import did_you_mean

_WIDTH = 1.96
"""Standard errors on either side of a difference that make a 95 % interval."""


def null_shares(rule: Rule, comparison: Comparison) -> Iterator[tuple[str, PointsDifference] | Check]:
    """Yield the columns that a rule names with their null shares; one check where they are not known.

    The shares of several runs of the baseline are those of their records together.
    """
    columns = _named(rule, comparison.after)
    if isinstance(columns, Check):
        yield columns
        return
    for column in columns:
        known = [
            old
            for recording in comparison.baseline
            for old in recording.output_columns
            if (old.name, old.type) == (column.name, column.type) and old.records
        ]
        records, nulls = sum(old.records for old in known), sum(old.nulls for old in known)
        after = 100 * column.null_share
        if not records or not column.records:
            yield column.name, PointsDifference(None, after)
            continue
        share = nulls / records
        error = math.sqrt(share * (1 - share) / records + column.null_share * (1 - column.null_share) / column.records)
        moved, half = after - 100 * share, 100 * _WIDTH * error
        yield column.name, PointsDifference(100 * share, after, moved, moved - half, moved + half)


def column_drifts(rule: Rule, comparison: Comparison) -> Iterator[Check]:
    """Yield the checks of a rule of drift, against the newest run of the baseline."""
    before = comparison.baseline[0]
    columns = _named(rule, comparison.after, before)
    if isinstance(columns, Check):
        yield columns
        return
    if not before.output_columns:
        yield Check(rule.rule, "run", "not judged", f"the columns of {before.run_id} were not measured")
        return
    levels = ("moderate", "large") if rule.level == "moderate" else ("large",)
    found = [
        drift
        for drift in column_drift(before.output_columns, comparison.after.output_columns)
        if drift.level in levels and fnmatch.fnmatchcase(drift.column, rule.column or "*")
    ]
    for drift in found:
        yield Check(rule.rule, drift.column, "failed", drift.text.removeprefix(drift.column).lstrip(": "))
    if not found:
        yield Check(rule.rule, rule.column or "run", "passed", f"no column differs from {before.run_id}")


def _named(rule: Rule, *recordings: Recording) -> list[ColumnSummary] | Check:
    """Return the columns of the first recording that a rule names; a check where they are not known.

    A pattern that matches no column of any recording is a failure: it is misspelt, or the column is missing.
    """
    first = recordings[0]
    if not first.output_columns:
        return Check(rule.rule, "run", "not judged", "the columns of the output were not measured")
    pattern = rule.column or "*"
    if not any(fnmatch.fnmatchcase(c.name, pattern) for recording in recordings for c in recording.output_columns):
        hint = did_you_mean(pattern, [column.name for column in first.output_columns])
        text = f"no column is named {pattern}"
        return Check(rule.rule, pattern, "failed", f"{text}; {hint}" if hint else text)
    return [column for column in first.output_columns if fnmatch.fnmatchcase(column.name, pattern)]
