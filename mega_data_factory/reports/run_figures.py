"""Figures of a run in a list of runs, as terminal and dashboard show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mega_data_factory.analytics.runs.recording import run_seconds
from mega_data_factory.formats import count, moment, percent, rate, seconds

RUN_FIGURES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "started (UTC)": lambda run: moment(run.get("start_time")),
    "duration": lambda run: seconds(run_seconds(run)),
    "read": lambda run: count(run.get("total_input_records")),
    "written": lambda run: count(run.get("total_output_records")),
    "pass": lambda run: percent(run.get("overall_pass_rate")),
    "throughput": lambda run: rate(run.get("avg_throughput")),
    "errors": lambda run: count(run.get("total_errors")),
}
"""Heading → text of a run's row."""


def run_cells(run: Mapping[str, Any]) -> list[str]:
    """Return the texts of a run's row, in the order of `RUN_FIGURES`."""
    return [figure(run) for figure in RUN_FIGURES.values()]
