"""Actors and tasks of the Ray engine."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import ray
from ray.exceptions import RayActorError

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.contracts import Loader
from mega_data_factory.framework.engines.commits import GroupMember, write_members
from mega_data_factory.framework.engines.ray.rows import (
    batch_of,
    batch_row,
    failure_row,
    pack_tables,
    row_error,
    staged_row,
    unpack_batch,
)
from mega_data_factory.framework.engines.ray.staging import StagingFolder
from mega_data_factory.framework.engines.worker_errors import as_mdf_error
from mega_data_factory.framework.metrics.nodes.batch_board import Mark, board_of, enter_process
from mega_data_factory.framework.plan import StagePlan
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.claims import ClaimShard, Send, ShardedClaims
from mega_data_factory.framework.worker.quarantine import RunFragment, TimedOut, WorkerDied, isolate_poison
from mega_data_factory.framework.worker.reading import ReadTask, read_batches
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.framework.worker.warm_up import run_example

RESTART_ALWAYS: dict[str, Any] = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
"""Options of actors that hold state: they come back when they are killed, and calls to them are made again."""


class AttemptLedger:
    """Counts how often restarted workers met the same batch. Only they ask, so a run without deaths never does."""

    def __init__(self) -> None:
        self._attempts: dict[str, int] = {}

    def attempt(self, work: str) -> int:
        """Return the number of attempts of this work, including this one."""
        self._attempts[work] = count = self._attempts.get(work, 0) + 1
        return count


def connect_claims(shards: Sequence[Any]) -> ShardedClaims | None:
    """Return claims over shard actors; None if there are no shards."""

    def sender(shard: Any) -> Send:
        def call(verb: str, packed: bytes) -> bytes | None:
            answer: bytes | None = ray.get(getattr(shard, verb).remote(packed))
            return answer

        return call

    return ShardedClaims([sender(shard) for shard in shards]) if shards else None


def enter_on_board(board: str | None) -> None:
    """Enter this process on the board of its node as one of the run.

    Args:
        board: Names the run on the boards; None if nodes are not watched.
    """
    if board is not None:
        enter_process(board_of(board, ray.get_runtime_context().get_node_id()))


class ClaimShardActor(ClaimShard):
    """A shard of the deduplication state, known as a process of its run.

    Args:
        log: Path of its log.
        board: Names the run on the boards; None if nodes are not watched.
    """

    def __init__(self, log: str, board: str | None) -> None:
        super().__init__(log)
        enter_on_board(board)


@dataclass(frozen=True)
class StageJob:
    """Job of a stage worker.

    Attributes:
        plan: the stage.
        settings: of the run.
        shards: actors that hold the deduplication state.
        ledger: the attempt ledger.
        max_attempts: deaths before a batch goes to quarantine.
        staging: on the last stage, the folder that its tables are staged in.
        board: names the run on the boards where workers mark that they hold a batch; None if they are not read.
    """

    plan: StagePlan
    settings: StageSettings
    shards: Sequence[Any]
    ledger: Any
    max_attempts: int
    staging: str | None
    board: str | None = None


class _RayWorker:
    """Base of reading and stage workers: they count attempts and always answer with a row."""

    def __init__(self, ledger: Any) -> None:
        pa.set_cpu_count(1)
        for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        self._ledger = ledger
        self._restarted: bool = ray.get_runtime_context().was_current_actor_reconstructed

    def _deaths(self, work: str) -> int:
        """Return how often restarted workers met this work: at most once more than workers died over it."""
        return int(ray.get(self._ledger.attempt.remote(work))) if self._restarted else 0


class ReadStage(_RayWorker):
    """Reads a split: one row in, a row for every batch out."""

    def __init__(
        self, loader: Component | Loader, batch_size: int, ledger: Any, max_attempts: int, board: str | None
    ) -> None:
        super().__init__(ledger)
        enter_on_board(board)
        self._source = loader
        self._batch_size = batch_size
        self._max_attempts = max_attempts
        self._loader: Loader | None = None

    def __call__(self, row: pa.Table) -> Iterator[pa.Table]:
        """Read the split that the row names."""
        task = ReadTask.from_json(json.loads(row.column("read")[0].as_py()))
        try:
            if self._deaths(f"read/{task.index}") > self._max_attempts:
                params = dict(task.split.params)
                raise WorkerLostError(f"data_loader: {self._max_attempts} workers died over reading {params}")
            if self._loader is None:
                self._loader = self._source.build() if isinstance(self._source, Component) else self._source
            for batch in read_batches(self._loader, task, self._batch_size):
                yield batch_row(batch)
        except Exception as error:  # noqa: BLE001 - the driver ends the run with it; Ray Data would retry or wrap it
            yield failure_row(as_mdf_error(error, "data_loader"))


class StageActor(_RayWorker):
    """Runs one stage: one row in, one row out."""

    def __init__(self, job: StageJob) -> None:
        super().__init__(job.ledger)
        self._job = job
        self._claims = connect_claims(job.shards)
        self._worker_id = f"{job.plan.name}-{(ray.get_runtime_context().get_actor_id() or '')[:8]}"
        self._stage: Stage | None = None
        self._holding: Callable[[], AbstractContextManager[None]] = nullcontext
        if job.board is not None:
            self._holding = Mark(board_of(job.board, ray.get_runtime_context().get_node_id())).held

    def __call__(self, row: pa.Table) -> pa.Table:
        """Run the stage on the batch of the row."""
        if row_error(row) is not None:
            return row
        try:
            with self._holding():
                return self._answer(self._run(batch_of(row)))
        except Exception as error:  # noqa: BLE001 - the driver ends the run with it; Ray Data would retry or wrap it
            return failure_row(as_mdf_error(error, f"stage `{self._job.plan.name}`"))

    def _run(self, batch: Batch) -> Batch:
        if self._stage is None:
            self._stage = Stage(self._job.plan, self._worker_id, self._job.settings, self._claims)
            run_example(self._job.settings)
        deaths = self._deaths(f"{self._job.plan.index}/{batch.id}")
        batch = replace(batch, attempts=max(batch.attempts, deaths))
        if deaths >= self._job.max_attempts:
            run, attempts, columns = self._in_sandbox(), self._job.max_attempts, self._job.settings.unit_columns
            return isolate_poison(batch, self._job.plan, run, attempts, self._claims, columns=columns)
        return self._stage(batch)

    def _in_sandbox(self) -> RunFragment:
        sandboxes: list[Any] = []
        limits = [operator.record_timeout for operator in self._job.plan.operators if operator.record_timeout]

        def run(batch: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
            started = math.inf
            try:
                if not sandboxes:
                    sandbox = ray.remote(Sandbox).options(num_cpus=0, max_restarts=0)
                    sandboxes.append(sandbox.remote(replace(self._job, staging=None), self._worker_id))
                    ray.get(sandboxes[0].ready.remote())
                started = time.monotonic()
                tables = pack_tables(batch).to_pybytes()
                header, tables = ray.get(sandboxes[0].run.remote(batch.header(), tables, operators, too_slow))
            except RayActorError as error:
                sandboxes.clear()
                # Ray does not say how a process has ended; one that lived shorter than any limit has not met it.
                timed_out = limits and time.monotonic() - started >= min(limits)
                raise (TimedOut if timed_out else WorkerDied)("worker died") from error
            return unpack_batch(header, pa.py_buffer(tables))

        return run

    def _answer(self, batch: Batch) -> pa.Table:
        if self._job.staging is None:
            return batch_row(batch)
        if not batch.table.num_rows and batch.rejects is None:
            return staged_row(batch, None)
        return staged_row(batch, StagingFolder(self._job.staging).put(batch))


class Sandbox:
    """A worker that may die: runs a stage on parts of a batch that keeps killing its workers."""

    def __init__(self, job: StageJob, worker_id: str) -> None:
        self._stage = Stage(job.plan, worker_id, job.settings, connect_claims(job.shards))

    def ready(self) -> None:
        """Answer when the stage is set up."""

    def run(self, header: str, tables: bytes, operators: int | None, too_slow: bool) -> tuple[str, bytes]:
        """Run the stage on a part, as `Stage.__call__` does."""
        batch = unpack_batch(header, pa.py_buffer(tables))
        result = self._stage(batch, operators, too_slow=too_slow)
        return result.header(), pack_tables(result).to_pybytes()


def write_group(
    writer: Component, output: OutputFolder, members: Sequence[GroupMember], board: str | None = None
) -> dict[str, Any]:
    """Write staged batches as one file.

    Args:
        writer: encodes.
        output: where to.
        members: the batches, ordered by id.
        board: Names the run on the boards; None if nodes are not watched.

    Returns:
        `commits`, the commit records as plain values, or `failed`, the error as plain values.
    """
    enter_on_board(board)
    try:
        return {"commits": write_members(writer.build(), output, members, StagingFolder.read)}
    except Exception as error:  # noqa: BLE001 - the driver ends the run with it
        return {"failed": as_mdf_error(error, f"data_writer `{writer.name}`").as_dict()}
