"""A pool hands out work, grows while it piles up, and replaces who dies."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.contracts import Split
from mega_data_factory.framework.engines.commits import FileGroup
from mega_data_factory.framework.engines.local import pool as pool_module
from mega_data_factory.framework.engines.local.messages import ClaimsJob
from mega_data_factory.framework.engines.local.pool import Pool, Worker
from mega_data_factory.framework.engines.local.tasks import ReadSplit, RunStage, WriteFile
from mega_data_factory.framework.worker.reading import ReadTask
from tests.framework.making import batch


class Process:
    """Stands in for the process of a worker: remembers what it was sent."""

    def __init__(self, job: Any, cpu: float = 1.0, lock_fd: int | None = None, forks: object = None) -> None:
        self.job = job
        self.lock_fd = lock_fd
        self.sent: list[Any] = []
        self.ended = False

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def exit_reason(self) -> str:
        return "killed by signal 9"

    def timed_out(self) -> bool:
        return False

    def end(self, *_: Any) -> None:
        self.ended = True

    discard = stop = kill = end


def job(slot: int) -> ClaimsJob:
    return {"role": "claims", "address": str(slot), "log": "log"}


def task(number: int) -> RunStage:
    return RunStage(f"header {number}", f"path {number}", quarantine_after=2)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool[RunStage]:
    monkeypatch.setattr(pool_module, "WorkerProcess", Process)
    made: Pool[RunStage] = Pool("stage `s`", 2, 3, job)
    made.start()
    return made


def process_of(worker: Worker[RunStage]) -> Process:
    return cast("Process", worker.process)


def ready(pool: Pool[RunStage]) -> Pool[RunStage]:
    for worker in pool.workers:
        worker.ready = True
    return pool


def test_only_ready_workers_are_given_work(pool: Pool[RunStage]) -> None:
    """Work waits until a worker has told that it is set up."""
    pool.queue.extend([task(0), task(1), task(2)])
    pool.hand_out()
    assert len(pool.queue) == 3
    ready(pool).hand_out()
    assert [process_of(worker).sent for worker in pool.workers] == [[task(0).message()], [task(1).message()]]
    assert not pool.done()


def test_a_pool_grows_to_its_maximum_while_work_piles_up(pool: Pool[RunStage]) -> None:
    """A worker is added when all are busy and more waits than there are workers, and never beyond the maximum."""
    ready(pool).queue.extend(task(number) for number in range(9))
    pool.grow()
    assert len(pool.workers) == 2  # nobody is busy yet
    pool.hand_out()
    for _ in range(5):
        pool.grow()
        ready(pool).hand_out()
    assert [worker.slot for worker in pool.workers] == [0, 1, 2]


def test_the_dead_are_replaced_in_their_slot(pool: Pool[RunStage]) -> None:
    """The replacement gets the same job, and the work of the dead one comes back with how it ended."""
    dead = ready(pool).workers[0]
    dead.give(task(0))
    assert pool.replace(dead) == (task(0), "killed by signal 9")
    assert process_of(dead).ended
    assert sorted(worker.slot for worker in pool.workers) == [0, 1]
    assert process_of(pool.workers[-1]).job == job(0)


def test_workers_that_never_get_ready_end_the_run(pool: Pool[RunStage]) -> None:
    """Three deaths in a row before being ready are an error; one worker that gets ready starts the count anew."""
    pool.replace(pool.workers[-1])
    pool.replace(pool.workers[-1])
    pool.workers[-1].ready = True
    pool.replace(pool.workers[-1])
    pool.replace(pool.workers[-1])
    pool.replace(pool.workers[-1])
    with pytest.raises(WorkerLostError, match=r"stage `s`: 3 workers in a row died while they started \(killed by"):
        pool.replace(pool.workers[-1])


def test_a_killed_pool_has_no_workers(pool: Pool[RunStage]) -> None:
    """All processes end, and no work counts as being done."""
    ready(pool).workers[0].give(task(0))
    processes = [process_of(worker) for worker in pool.workers]
    pool.kill()
    assert (pool.workers, pool.done()) == ([], True)
    assert all(process.ended for process in processes)


def test_quarantine_begins_after_the_attempts_allowed() -> None:
    """A stage's task says how often it was tried, and asks for quarantine from then on, after a timeout at once."""
    tried = task(0)
    sent = []
    for tried.attempt in (1, 2, 3):
        sent.append(tried.message())
    assert [(one["attempt"], one["quarantine"], one["timed_out"]) for one in sent] == [
        (1, False, False),
        (2, False, False),
        (3, True, False),
    ]
    late = RunStage("header", "path", 2, timed_out=True).message()
    assert (late["attempt"], late["quarantine"], late["timed_out"]) == (1, True, True)


def test_a_reader_that_is_replaced_continues_behind_the_last_batch() -> None:
    """Every batch that is read has its own attempts and its own credit."""
    read = ReadSplit(ReadTask(0, Split({"path": "x"})), attempt=3, has_credit=True)
    read.note_batch(4)
    assert (read.attempt, read.has_credit) == (1, False)
    assert read.message() == {"kind": "read", "task": read.split.to_json(), "skip": 5}


def test_a_task_says_what_it_is() -> None:
    """An error can name the split or the batches that the work was about."""
    assert "{'path': 'x'} from batch 3" in ReadSplit(ReadTask(0, Split({"path": "x"})), skip=3).describe()
    group = FileGroup(tuple(StagedBatch(batch([], number), 0, 0) for number in (1, 2)))
    assert WriteFile(group).describe() == "writing batches 000000-00001 to 000000-00002"
    assert task(0).describe() == "running a batch"
