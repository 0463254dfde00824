"""Table of the stages of a run that were timed as a whole, without operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mega_data_factory.formats import count, percent, rate, seconds

TITLE = "Stages without operators"
COLUMNS = ("workers", "in", "out", "pass", "time", "records per second")
NOTE = "Stages that were tracked as a whole; time: seconds of the busiest worker."


def tracked_rows(stages: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return name and `COLUMNS` of each stage.

    Args:
        stages: rows of the table `stages` without operators, in the order of the plan.
    """
    return [
        (
            row["stage_name"],
            count(row["num_workers"]),
            count(row["input_records"]),
            count(row["output_records"]),
            percent(row["pass_rate"]),
            seconds(row["total_time"]),
            rate(row["input_records"] / row["total_time"] if row["input_records"] and row["total_time"] else None),
        )
        for row in stages
    ]
