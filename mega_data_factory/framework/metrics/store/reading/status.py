"""Status of a run by its heartbeat: running or aborted."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.host import host_name, is_driver_alive

MISSED_BEATS = 3
"""Heartbeats of a running run that may be missing before it counts as dead ..."""

LEAST_SILENCE = 15.0
"""... and seconds at least, for a busy machine or a clock that is slightly off."""

STATUS_COLUMNS = ("status", "heartbeat", "flush_interval", "hostname", "pid")


def with_aborted(runs: pa.Table, now: datetime) -> pa.Table:
    """Return runs, as `aborted` if they say `running` and their heartbeat is too old for a living run.

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


def with_deaths(runs: pa.Table, now: datetime) -> pa.Table:
    """Return the same, and `aborted` at once where the driver was a process of this machine that is not there any more.

    For who looks. Who removes files waits for the heartbeat: two containers may share a name and not their processes.

    Args:
        runs: rows of the table `runs` with `STATUS_COLUMNS`.
        now: naive UTC, by a clock that goes like those of the drivers.
    """
    runs = with_aborted(runs, now)
    here = pc.and_(pc.equal(runs["status"], "running"), pc.equal(runs["hostname"], host_name()))
    places = [place for place, local in enumerate(here.to_pylist()) if local]
    drivers = runs.select(["pid", "heartbeat"]).take(pa.array(places, pa.int64())).to_pylist()
    dead = [place for place, driver in zip(places, drivers, strict=True) if not _may_live(**driver)]
    if not dead:
        return runs
    status = runs["status"].to_pylist()
    for place in dead:
        status[place] = "aborted"
    index = runs.schema.get_field_index("status")
    return runs.set_column(index, runs.schema.field(index), pa.array(status, pa.string()))


def _may_live(pid: int | None, heartbeat: datetime | None) -> bool:
    """Return whether the driver that gave a heartbeat may still run; where nothing is known the heartbeat decides."""
    if pid is None or heartbeat is None:
        return True
    return is_driver_alive(pid, heartbeat.replace(tzinfo=UTC).timestamp())
