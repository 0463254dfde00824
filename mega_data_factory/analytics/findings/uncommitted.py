"""What has passed all stages and is in no file yet, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mega_data_factory.formats import NOTHING, count, seconds

COLUMN = "not in a file"
NOTE = "not in a file: records in → out of batches that passed the stage and are in no file yet; counted nowhere else"


def uncommitted_text(run: Mapping[str, Any]) -> str:
    """Return how many records passed all stages and are in no file yet; an empty text if there are none.

    Args:
        run: columns of a run row.
    """
    entered = run.get("uncommitted_input_records")
    if not entered:
        return ""
    more = "1 more record" if entered == 1 else f"{count(entered)} more records"
    waiting = f"{count(run.get('uncommitted_output_records'))} of them to be written"
    if run.get("status") == "running":
        return f"{more} {'has' if entered == 1 else 'have'} passed all stages and wait for their file, {waiting}"
    return f"{more} had passed all stages and were in no file yet, {waiting}"


def uncommitted_cell(entered: int | None, left: int | None, busy: float | None = None) -> str:
    """Return `5,340 → 4,180, 1.20 s`: records in, out and seconds busy of batches that are in no file yet."""
    if not entered:
        return NOTHING
    return f"{count(entered)} → {count(left)}{f', {seconds(busy)}' if busy else ''}"
