"""The local engine: worker processes on this machine, nothing to start.

The driver only moves batches: it hands each to an idle worker of its stage, and a batch whose worker died to another.
Tables stay in the spool; messages carry the accounts.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import pyarrow as pa

from mega_data_factory.errors import MdfError, WorkerLostError
from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
from mega_data_factory.framework.commit.gatherer import Gatherer
from mega_data_factory.framework.contracts import Writer
from mega_data_factory.framework.driver.progress import StageLoad
from mega_data_factory.framework.engines.engine import Event, RunSettings, SplitsListed, WorkersReady
from mega_data_factory.framework.engines.local.node import sampled
from mega_data_factory.framework.engines.local.pool import Pool, Task, Worker
from mega_data_factory.framework.engines.local.spool import Spool, SpoolFolder, short_folder
from mega_data_factory.framework.plan import Plan, StagePlan
from mega_data_factory.framework.worker.reading import ReadTask

_NO_TABLE = pa.table({})


@dataclass
class _Flow:
    """Work in flight: credits given to loaders, and batches between loader and writer."""

    limit: int
    in_flight: int = 0

    def room(self) -> bool:
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
        self._flow = _Flow(plan.max_in_flight)
        options = plan.writer_options
        self._gatherer = Gatherer(options.target_file_mb * 1e6, options.max_file_seconds)
        self._readers = self._reader_pool()
        self._stages = [self._stage_pool(stage) for stage in plan.stages]
        self._writers = Pool("data_writer", 1, 1, lambda _: self._writer_job(), holds=settings.lock)
        self._claim_pool = self._claims_pool()
        self._splits_left = True
        self._starting: float | None = None  # when the first process was started, until all are ready
        self._events: list[Event] = []

    # ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reader_pool(self) -> Pool:
        job = {
            "role": "read",
            "loader": asdict(self._plan.loader),
            "batch_size": self._plan.executor.batch_size,
            "spool": str(self._folder),
            "doing": f"data_loader `{self._plan.loader.name}`",
        }
        size = self._plan.loader_workers
        return Pool("data_loader", size, size, lambda _: job)

    def _stage_pool(self, stage: StagePlan) -> Pool:
        values = {"name": stage.name, "index": stage.index, "operators": [asdict(op) for op in stage.operators]}

        def job(slot: int) -> Mapping[str, Any]:
            return {
                "role": "stage",
                "stage": values,
                "worker_id": f"{stage.name}-{slot}",
                "settings": asdict(self._settings.stage),
                "claims": self._claim_addresses(),
                "spool": str(self._folder),
                "max_attempts": self._plan.executor.max_attempts,
                "cpu": stage.resources.cpu,
                "doing": f"stage `{stage.name}`",
            }

        return Pool(f"stage `{stage.name}`", stage.min_workers, stage.max_workers, job, stage.resources.cpu or 1.0)

    def _writer_job(self) -> Mapping[str, Any]:
        return {
            "role": "write",
            "writer": asdict(self._plan.writer),
            "output": asdict(self._settings.output),
            "doing": f"data_writer `{self._plan.writer.name}`",
        }

    def _claims_pool(self) -> Pool:
        addresses = self._claim_addresses()

        def job(slot: int) -> Mapping[str, Any]:
            return {"role": "claims", "address": addresses[slot], "log": self._settings.output.claim_log(slot)}

        return Pool("deduplication", len(addresses), len(addresses), job, holds=self._settings.lock)

    def _claim_addresses(self) -> list[str]:
        shards = self._plan.executor.dedup_num_buckets if self._plan.needs_claims else 0
        return [str(self._socket_folder.path / f"claims-{shard}") for shard in range(shards)]

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, splits: Iterator[ReadTask]) -> Generator[Event, None, None]:
        """Move every batch of the splits through the stages; yields what happens, ends when all is committed."""
        try:
            self._starting = time.monotonic()
            self._claim_pool.start()
            for pool in self._working_pools():
                pool.start()
            with sampled(self._settings, self._stages, self._folder):
                while True:
                    self._offer_splits(splits)
                    yield from self._take_events()
                    self._hand_out()
                    if self._finished():
                        break
                    self._listen()
            self._stop_all()
        finally:
            for pool in (*self._working_pools(), self._claim_pool):
                pool.kill()

    def loads(self) -> Mapping[str, StageLoad]:
        """Workers and batches of every stage."""
        plans = self._plan.stages
        return {plan.name: pool.load() for plan, pool in zip(plans, self._stages, strict=True)}

    def salvage(self) -> Iterator[CommitRecord]:
        """Write what had passed the last stage when the run was stopped, here and now."""
        yield from [event for event in self._events if isinstance(event, CommitRecord)]  # written, not yet reported
        groups = [task.staged for task in (*self._writers.lost, *self._writers.queue)]
        if last := self._gatherer.flush():
            groups.append(last)
        writer: Writer = self._plan.writer.build()
        for group in groups:
            tables = [(staged.batch, Spool.take(staged.path) if staged.path else _NO_TABLE) for staged in group]
            yield from self._settings.output.write(writer, tables)

    def close(self) -> None:
        """Remove the spool."""
        self._spool_folder.remove()
        if self._socket_folder is not self._spool_folder:
            self._socket_folder.remove()

    def _working_pools(self) -> list[Pool]:
        return [self._readers, *self._stages, self._writers]

    def _take_events(self) -> Iterator[Event]:
        """One by one: the caller may stop at any of them, and the commits that are left go to `salvage`."""
        while self._events:
            yield self._events.pop(0)

    def _offer_splits(self, splits: Iterator[ReadTask]) -> None:
        """Keep one split waiting for every reader, so that listing a long source does not hold up reading it."""
        while self._splits_left and len(self._readers.queue) < self._readers.max_size:
            task = next(splits, None)
            if task is None:
                self._splits_left = False
                self._events.append(SplitsListed())
            else:
                self._readers.queue.append(Task({"read": task.to_json(), "skip": 0}))

    def _hand_out(self) -> None:
        """Give every idle worker something to do, as far as there is room for more batches."""
        for pool in (self._writers, *reversed(self._stages)):
            pool.grow()
            pool.hand_out()
        for worker in self._readers.workers:
            room = self._flow.room() and len(self._writers.queue) <= 1
            if worker.wants_more and room:
                self._flow.in_flight += 1
                worker.go_on({"next": True})
            elif worker.idle and (task := self._next_split(room)):
                self._flow.in_flight += not task.has_credit
                task.has_credit = True
                worker.give(task)
        if group := self._gatherer.flush() if self._upstream_done() else self._gatherer.overdue():
            self._write(group)
            self._writers.hand_out()

    def _next_split(self, room: bool) -> Task | None:
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
                    self._bury(pool, worker)
        for connection in ready:
            assert isinstance(connection, Connection)
            pool, worker = by_connection[connection]
            message = worker.receive()
            if message is None:
                self._bury(pool, worker)
            elif "failed" in message:
                raise MdfError.from_dict(message["failed"])
            elif "ready" in message:
                worker.ready = True
                self._note_ready()
            else:
                self._take_answer(pool, worker, message)

    def _note_ready(self) -> None:
        pools = (*self._working_pools(), self._claim_pool)
        if self._starting is not None and all(worker.ready for pool in pools for worker in pool.workers):
            self._events.append(WorkersReady(time.monotonic() - self._starting))
            self._starting = None

    def _bury(self, pool: Pool, worker: Worker) -> None:
        """Replace a dead worker, and put its task back at the head of the queue."""
        task, epitaph = pool.replace(worker)
        if task is None:
            return
        task.attempt += 1
        allowed = self._plan.executor.max_attempts * (2 if pool in self._stages else 1)
        if task.attempt > allowed:
            raise WorkerLostError(
                f"{pool.name}: {task.attempt - 1} workers died over the same work ({epitaph}); {task.describe()}",
                hint="look at the records it names; executor.max_attempts allows more deaths",
            )
        pool.queue.appendleft(task)

    def _take_answer(self, pool: Pool, worker: Worker, message: Mapping[str, Any]) -> None:
        if pool is self._readers:
            self._take_read(worker, message)
        elif pool is self._writers:
            self._take_commits(worker.take_task(), message)
        else:
            task = worker.take_task()
            Spool.remove(task.message["path"])
            self._pass_on(self._stages.index(pool) + 1, message)

    def _take_read(self, worker: Worker, message: Mapping[str, Any]) -> None:
        assert worker.task is not None
        if message["end"]:
            worker.take_task()
        else:
            batch = Batch.from_header(message["batch"], _NO_TABLE)
            worker.task.message = {**worker.task.message, "skip": batch.number + 1}
            worker.task.attempt = 1
            worker.task.has_credit = False
            worker.wants_more = True
        self._pass_on(0, message)

    def _pass_on(self, stage: int, message: Mapping[str, Any]) -> None:
        """Queue a batch for a stage, or for the writer behind the last one."""
        if stage < len(self._stages):
            work = {"batch": message["batch"], "path": message["path"]}
            self._stages[stage].queue.append(Task(work, self._plan.executor.max_attempts))
            return
        self._flow.in_flight -= 1
        path = message["path"]
        if not message["records"]:
            Spool.remove(path)
            path = None
        batch = Batch.from_header(message["batch"], _NO_TABLE)
        staged = StagedBatch(batch, message["records"], message["bytes"] if path else 0, path)
        self._events.append(staged)
        if group := self._gatherer.add(staged):
            self._write(group)

    def _write(self, group: list[StagedBatch]) -> None:
        members = [(staged.batch.header(), staged.path) for staged in group]
        self._writers.queue.append(Task({"group": members}, staged=group))

    def _take_commits(self, task: Task, message: Mapping[str, Any]) -> None:
        commits = [CommitRecord.from_json(values) for values in message["commits"]]
        self._gatherer.learn(task.staged, next((c.output_file for c in commits if c.output_file), None))
        for staged in task.staged:
            Spool.remove(staged.path)
        self._events.extend(commits)

    def _stop_all(self) -> None:
        """Let every worker close its operators; together they get a few seconds."""
        deadline = time.monotonic() + 10.0
        for pool in self._working_pools():
            pool.stop(deadline)
