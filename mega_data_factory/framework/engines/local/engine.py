"""The local engine: worker processes on this machine, nothing to start.

The driver only moves batches: it hands each to an idle worker of its stage, and a batch whose worker died to another.
Tables stay in the spool; messages carry the accounts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import pyarrow as pa

from mega_data_factory.errors import MdfError, WorkerLostError
from mega_data_factory.formats import plural
from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
from mega_data_factory.framework.driver.progress import StageLoad
from mega_data_factory.framework.engines.commits import CommitLoop, FileGroup
from mega_data_factory.framework.engines.engine import Event, RunSettings, SplitsListed, StagePassed, WorkersReady
from mega_data_factory.framework.engines.local.jobs import preloads, read_job, shared_modules, stage_job, write_job
from mega_data_factory.framework.engines.local.messages import Answer, BatchRead, ClaimsJob, Job, StageDone
from mega_data_factory.framework.engines.local.node import sampling
from mega_data_factory.framework.engines.local.pool import Pool, Worker
from mega_data_factory.framework.engines.local.processes.forking import fork_server
from mega_data_factory.framework.engines.local.spool import Spool, SpoolFolder, short_folder
from mega_data_factory.framework.engines.local.tasks import ReadSplit, RunStage, Task, WriteFile
from mega_data_factory.framework.plan import Plan, StagePlan
from mega_data_factory.framework.worker.reading import ReadTask

_NO_TABLE = pa.table({})


@dataclass
class _Credits:
    """Batches in flight between loader and writer, and how many there may be."""

    limit: int
    in_flight: int = 0

    def left(self) -> bool:
        return self.in_flight < self.limit


class LocalEngine:
    """Runs a plan on worker processes of this machine.

    Args:
        plan: what to run.
        settings: of the run.
    """

    def __init__(self, plan: Plan, settings: RunSettings) -> None:
        self._plan = plan
        self._settings = settings
        self._spool_folder = SpoolFolder()
        self._folder = self._spool_folder.path
        self._socket_folder = short_folder(self._spool_folder) if plan.needs_claims else self._spool_folder
        self._credits = _Credits(plan.max_in_flight)
        self._commits = CommitLoop(plan, settings.output, Spool(self._folder), self._queue_file)
        self._readers = self._reader_pool()
        self._stages = [self._stage_pool(stage) for stage in plan.stages]
        self._writers = self._writer_pool()
        self._claim_pool = self._claims_pool()
        self._splits_left = True
        self._starting: float | None = None  # when the first process was started, until all are ready
        self._events: deque[Event] = deque()

    # ── pools ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reader_pool(self) -> Pool[ReadSplit]:
        size = self._plan.loader_workers
        return Pool("data_loader", size, size, lambda _: read_job(self._plan, self._folder))

    def _stage_pool(self, stage: StagePlan) -> Pool[RunStage]:
        claims = self._claim_addresses()

        def job(slot: int) -> Job:
            return stage_job(self._plan, stage, self._settings.stage, slot, claims, self._folder)

        return Pool(f"stage `{stage.name}`", stage.min_workers, stage.max_workers, job, stage.resources.cpu or 1.0)

    def _writer_pool(self) -> Pool[WriteFile]:
        def job(_: int) -> Job:
            return write_job(self._plan, self._settings.output)

        return Pool("data_writer", 1, 1, job, lock_fd=self._settings.lock_fd)

    def _claims_pool(self) -> Pool[Task]:
        addresses = self._claim_addresses()

        def job(slot: int) -> ClaimsJob:
            return {"role": "claims", "address": addresses[slot], "log": self._settings.output.claim_log(slot)}

        return Pool("deduplication", len(addresses), len(addresses), job, lock_fd=self._settings.lock_fd)

    def _claim_addresses(self) -> list[str]:
        shards = self._plan.executor.dedup_num_buckets if self._plan.needs_claims else 0
        return [str(self._socket_folder.path / f"claims-{shard}") for shard in range(shards)]

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, splits: Iterator[ReadTask]) -> Generator[Event, None, None]:
        """Move every batch of the splits through the stages; yields what happens, ends when all is committed."""
        self._starting = time.monotonic()
        forks = fork_server(shared_modules(self._plan))
        try:
            for pool in (self._claim_pool, self._readers, self._writers):
                pool.start(forks)
            if forks is not None:
                forks.preload(preloads(self._plan))  # while it reads a model, the others start
            for stage in self._stages:
                stage.start(forks)
            with sampling(self._settings, self._stages, self._folder):
                while True:
                    self._offer_splits(splits)
                    yield from self._report()
                    self._hand_out()
                    if self._finished():
                        break
                    self._listen()
            self._stop_all()
        finally:
            if forks is not None:
                forks.kill()
            for pool in (*self._working_pools(), self._claim_pool):
                pool.kill()

    def loads(self) -> Mapping[str, StageLoad]:
        """Return the workers and batches of every stage."""
        plans = self._plan.stages
        return {plan.name: pool.load() for plan, pool in zip(plans, self._stages, strict=True)}

    def salvage(self) -> Iterator[CommitRecord]:
        """Write what had passed the last stage when the run was stopped, here and now."""
        return self._commits.salvage()

    def close(self) -> None:
        """Remove the spool."""
        self._spool_folder.remove()
        if self._socket_folder is not self._spool_folder:
            self._socket_folder.remove()

    def _working_pools(self) -> list[Pool[Any]]:
        return [self._readers, *self._stages, self._writers]

    def _report(self) -> Iterator[Event]:
        """Yield events one by one: the caller may stop at any of them; `salvage` reports the commits that are left."""
        while self._events:
            yield self._events.popleft()
        yield from self._commits.report()

    def _offer_splits(self, splits: Iterator[ReadTask]) -> None:
        """Keep one split waiting for every reader, so that listing a long source does not hold up reading it."""
        while self._splits_left and len(self._readers.queue) < self._readers.max_size:
            task = next(splits, None)
            if task is None:
                self._splits_left = False
                self._events.append(SplitsListed())
            else:
                self._readers.queue.append(ReadSplit(task))

    def _hand_out(self) -> None:
        """Give every idle worker something to do, as far as there is room for more batches."""
        pools: list[Pool[Any]] = [self._writers, *reversed(self._stages)]
        for pool in pools:
            pool.grow()
            pool.hand_out()
        self._hand_out_reading()
        if self._upstream_done():
            self._commits.write_rest()
        else:
            self._commits.write_overdue()
        self._writers.hand_out()

    def _hand_out_reading(self) -> None:
        for worker in self._readers.workers:
            room = self._credits.left() and len(self._writers.queue) <= 1
            if worker.wants_more and room:
                self._credits.in_flight += 1
                worker.request_batch()
            elif worker.idle and (task := self._next_split(room)):
                self._credits.in_flight += not task.has_credit
                task.has_credit = True
                worker.give(task)

    def _next_split(self, room: bool) -> ReadSplit | None:
        """Take the next split to read; without room, one that has its credit already because its reader died."""
        for task in self._readers.queue:
            if room or task.has_credit:
                self._readers.queue.remove(task)
                return task
        return None

    def _upstream_done(self) -> bool:
        return not self._splits_left and self._readers.done() and all(stage.done() for stage in self._stages)

    def _finished(self) -> bool:
        return self._upstream_done() and self._writers.done()

    def _listen(self) -> None:
        pools = (*self._working_pools(), self._claim_pool)
        by_connection = {worker.connection: (pool, worker) for pool in pools for worker in pool.workers}
        ready = wait(list(by_connection), timeout=1.0)
        if not ready:
            for pool, worker in by_connection.values():
                if worker.process.is_gone():
                    self._replace_dead_worker(pool, worker)
        for connection in ready:
            assert isinstance(connection, Connection)
            pool, worker = by_connection[connection]
            answer = worker.receive()
            if answer is None:
                self._replace_dead_worker(pool, worker)
            else:
                self._take_answer(pool, worker, answer)

    def _replace_dead_worker(self, pool: Pool[Any], worker: Worker[Any]) -> None:
        """Start another worker in its place, and put its task back at the head of the queue.

        Raises:
            WorkerLostError: too many workers have died over the task.
        """
        task, reason = pool.replace(worker)
        if task is None:
            return
        task.attempt += 1
        allowed = self._plan.executor.max_attempts * (2 if pool in self._stages else 1)
        if task.attempt > allowed:
            if isinstance(task, WriteFile):
                self._commits.give_up(task.group)
            dead = plural(task.attempt - 1, "worker")
            raise WorkerLostError(
                f"{pool.name}: {dead} died over the same work ({reason}); {task.describe()}",
                hint="look at the records it names; executor.max_attempts allows more deaths",
            )
        pool.queue.appendleft(task)

    def _take_answer(self, pool: Pool[Any], worker: Worker[Any], answer: Answer) -> None:
        if answer["kind"] == "failed":
            raise MdfError.from_dict(answer["error"])
        if answer["kind"] == "ready":
            worker.ready = True
            self._note_ready()
        elif answer["kind"] == "batch_read":
            self._take_read(worker, answer)
        elif answer["kind"] == "stage_done":
            Spool.remove(worker.take_task().path)
            self._pass_on(self._stages.index(pool), answer)
        else:
            self._commits.written(worker.take_task().group, answer["commits"])

    def _note_ready(self) -> None:
        pools = (*self._working_pools(), self._claim_pool)
        if self._starting is not None and all(worker.ready for pool in pools for worker in pool.workers):
            self._events.append(WorkersReady(time.monotonic() - self._starting))
            self._starting = None

    def _take_read(self, worker: Worker[ReadSplit], answer: BatchRead) -> None:
        assert worker.task is not None
        if answer["end"]:
            worker.take_task()
        else:
            worker.task.note_batch(Batch.from_header(answer["batch"], _NO_TABLE).number)
            worker.wants_more = True
        self._queue_batch(0, answer["batch"], answer["path"])

    def _pass_on(self, stage: int, answer: StageDone) -> None:
        """Queue a batch that has passed a stage for the next one, or behind the last one for the writer."""
        path = answer["path"]
        last = stage + 1 == len(self._stages)
        batch = Batch.from_header(answer["batch"], _NO_TABLE, with_details=last)
        if not last:
            self._queue_batch(stage + 1, answer["batch"], path)
            self._events.append(StagePassed(batch))
            return
        self._credits.in_flight -= 1
        staged = StagedBatch(batch, answer["records"], answer["bytes"], path, answer["reject_bytes"])
        if not staged.records and not staged.reject_bytes:
            Spool.remove(path)
            staged = StagedBatch(batch, 0, 0)
        self._events.append(staged)
        self._commits.add(staged)

    def _queue_batch(self, stage: int, header: str, path: str) -> None:
        self._stages[stage].queue.append(RunStage(header, path, self._plan.executor.max_attempts))

    def _queue_file(self, group: FileGroup) -> None:
        self._writers.queue.append(WriteFile(group))

    def _stop_all(self) -> None:
        """Let every worker close its operators; together they get a few seconds."""
        deadline = time.monotonic() + 10.0
        for pool in self._working_pools():
            pool.ask_to_stop()
        for pool in self._working_pools():
            pool.stop(deadline)
