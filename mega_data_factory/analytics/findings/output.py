"""Findings about what is in the output."""

from __future__ import annotations

from collections.abc import Iterator

from mega_data_factory.analytics.config_diff import config_changes
from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.output_columns import ColumnDrift, column_drift
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import plural

_MOST_NAMED = 5


def drift(recording: Recording, past: EarlierRuns) -> Iterator[Finding]:
    """Yield the columns of the output that are not what they were in the run before."""
    before = past.previous
    if before is None or recording.run.get("status") != "completed":
        return
    found = column_drift(before.output_columns, recording.output_columns)
    if not found:
        return
    columns = list(dict.fromkeys(difference.column for difference in found))
    changed = any(change.matters for change in config_changes(before.config, recording.config))
    large = any(difference.level == "large" for difference in found)
    verb = "differs" if len(columns) == 1 else "differ"
    yield Finding(
        "warning" if large and not changed else "advice",
        "output-drift",
        f"{plural(len(columns), 'column')} of the output {verb} from the run before: {_listed(columns)}",
        f"{'; '.join(difference.text for difference in _first(found))}{_more(found)}. Before: {before.run_id}.",
        {"columns": [difference.as_dict() for difference in found], "before": before.run_id},
        "The configuration was changed." if changed else "Check what was changed in the source.",
        "comparison",
    )


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:_MOST_NAMED])}{' …' if len(names) > _MOST_NAMED else ''}"


def _first(found: list[ColumnDrift]) -> list[ColumnDrift]:
    return sorted(found, key=lambda difference: difference.level != "large")[:_MOST_NAMED]


def _more(found: list[ColumnDrift]) -> str:
    return f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
