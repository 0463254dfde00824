"""Whether a run goes on, told by its heartbeat."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

MISSED_BEATS = 3
"""So many heartbeats of a running run may be missing before it counts as dead ..."""

LEAST_SILENCE = 15.0
"""... and so many seconds at least, for a machine that is busy, or a clock that is a little off."""

STATUS_COLUMNS = ("status", "heartbeat", "flush_interval")


def silence_allowed(flush_interval: float | None) -> timedelta:
    """How old the heartbeat of a living run may be: max(3 flush intervals, 15 s)."""
    return timedelta(seconds=max(MISSED_BEATS * (flush_interval or 0.0), LEAST_SILENCE))


def with_aborted(runs: pa.Table, now: datetime) -> pa.Table:
    """Runs with the status `aborted` where they say `running` and their heartbeat is older than a living run's.

    A run that says `running` without a heartbeat (written by hand, or by a version that had none) is left as it is.

    Args:
        runs: rows of the table `runs` with the columns `status`, `heartbeat` and `flush_interval`.
        now: naive UTC, by a clock that goes like those of the drivers.
    """
    seconds = pc.max_element_wise(pc.multiply(pc.fill_null(runs["flush_interval"], 0.0), MISSED_BEATS), LEAST_SILENCE)
    silence = pc.cast(pc.multiply(seconds, 1e6), pa.int64(), safe=False).cast(pa.duration("us"))
    latest_death = pc.subtract(pa.scalar(now, pa.timestamp("us")), silence)
    dead = pc.and_(pc.equal(runs["status"], "running"), pc.less(runs["heartbeat"], latest_death))
    status = pc.if_else(pc.fill_null(dead, False), "aborted", runs["status"])
    index = runs.schema.get_field_index("status")
    return runs.set_column(index, runs.schema.field(index), status)
