"""The runs that a run is compared with: which they are, and all of them as one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.framework.metrics.reader import MetricsReader

_LAST = re.compile(r"last:(\d+)")

MOST_RUNS = 100
"""Runs that a run is compared with at most."""


def read_baseline(reader: MetricsReader, recording: Recording, against: str) -> tuple[Recording, ...]:
    """Return the runs that a run is to be compared with, the newest first.

    Args:
        reader: The metrics.
        recording: The run.
        against: The id of a run, or the beginning of one; or `last:N` for the N completed runs of the same pipeline
            that started before it, or as many as there are.

    Raises:
        MetricsQueryError: There is no such run, or it is the run itself.
    """
    if against.startswith("last:"):
        return _last(reader, recording, against)
    found = Recording.read(reader, against)
    if found.run_id == recording.run_id:
        raise MetricsQueryError(
            f"{recording.run_id} would be compared with itself",
            hint="name another run, or `last:N` for the N runs before it",
        )
    return (found,)


def _last(reader: MetricsReader, recording: Recording, against: str) -> tuple[Recording, ...]:
    match = _LAST.fullmatch(against)
    number = int(match[1]) if match else 0
    if not 1 <= number <= MOST_RUNS:
        raise MetricsQueryError(f"{against}: not a number of runs", hint=f"last:1 to last:{MOST_RUNS}, such as last:10")
    pipeline = recording.run.get("pipeline")
    before = (
        []
        if pipeline is None
        else reader.list_runs(
            pipeline=pipeline, status="completed", until=recording.run["start_time"], newest_first=True, limit=number
        )
    )
    if not before:
        what = f"of the pipeline {pipeline}" if pipeline else "of its pipeline, which has no name"
        raise MetricsQueryError(
            f"there is no completed run {what} before {recording.run_id}", hint="name a run to compare it with"
        )
    return tuple(Recording.read(reader, run_id) for run_id in before)


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
