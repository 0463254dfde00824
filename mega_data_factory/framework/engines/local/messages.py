"""Messages between the driver and the workers of the local engine; JSON on a socket pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

# ── jobs: the first message to a worker ───────────────────────────────────────────────────────────────────────────────


class ReadJob(TypedDict):
    """Job of a reader."""

    role: Literal["read"]
    name: str  # for errors
    loader: dict[str, Any]  # `Component` as plain values
    batch_size: int
    spool: str


class StageValues(TypedDict):
    """A stage as plain values, see `jobs.stage_plan`."""

    name: str
    index: int
    operators: list[dict[str, Any]]  # `OperatorPlan` as plain values


class StageJob(TypedDict):
    """Job of a worker of a stage."""

    role: Literal["stage"]
    name: str  # for errors
    stage: StageValues
    worker_id: str
    settings: dict[str, Any]  # `StageSettings` as plain values
    claims: Sequence[str]  # addresses of the deduplication shards
    spool: str
    max_attempts: int
    cpu: float | None


class WriteJob(TypedDict):
    """Job of the writer."""

    role: Literal["write"]
    name: str  # for errors
    writer: dict[str, Any]  # `Component` as plain values
    output: dict[str, Any]  # `OutputFolder` as plain values


class ClaimsJob(TypedDict):
    """Job of a deduplication shard."""

    role: Literal["claims"]
    address: str
    log: str


Job = ReadJob | StageJob | WriteJob | ClaimsJob

# ── work: every later message to a worker ─────────────────────────────────────────────────────────────────────────────


class ReadWork(TypedDict):
    """Start to read a split, and answer with a batch."""

    kind: Literal["read"]
    task: dict[str, Any]  # `ReadTask` as plain values
    skip: int  # batches to leave out: an earlier worker has delivered them


class NextBatch(TypedDict):
    """Answer with the next batch of the split."""

    kind: Literal["next"]


class StageWork(TypedDict):
    """Run the stage on a batch."""

    kind: Literal["stage"]
    batch: str  # header
    path: str  # of the table in the spool
    attempt: int
    quarantine: bool  # find the records that kill workers
    timed_out: bool  # a worker has ended over it since a record took too long


class FragmentWork(TypedDict):
    """Run the first operators of the stage on a part of a batch, in a process that may die."""

    kind: Literal["fragment"]
    batch: str  # header
    path: str  # of the table in the spool
    operators: int | None
    too_slow: bool


class WriteWork(TypedDict):
    """Write a group of batches as one file."""

    kind: Literal["write"]
    members: list[tuple[str, str | None]]  # `FileGroup.members()`


class Stop(TypedDict):
    """Close what the role has opened, and end."""

    kind: Literal["stop"]


Work = ReadWork | NextBatch | StageWork | FragmentWork | WriteWork | Stop

# ── answers of a worker ───────────────────────────────────────────────────────────────────────────────────────────────


class Ready(TypedDict):
    """The worker is set up."""

    kind: Literal["ready"]


class Failed(TypedDict):
    """The worker has met an error that ends the run."""

    kind: Literal["failed"]
    error: dict[str, Any]  # `MdfError.as_dict()`


class BatchRead(TypedDict):
    """A batch of the split."""

    kind: Literal["batch_read"]
    batch: str  # header
    path: str  # of the table in the spool
    end: bool  # whether it is the last of the split


class StageDone(TypedDict):
    """A batch as it leaves the stage."""

    kind: Literal["stage_done"]
    batch: str  # header
    path: str  # of its tables in the spool
    records: int
    reject_bytes: int  # of the rows of the reject ledger, in memory
    bytes: int  # in memory


class FileWritten(TypedDict):
    """A group is written and committed."""

    kind: Literal["file_written"]
    commits: list[Any]  # `CommitRecord.to_json()` of each batch


Answer = Ready | Failed | BatchRead | StageDone | FileWritten
