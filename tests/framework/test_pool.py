"""A pool hands out work, grows while it piles up, and replaces who dies."""

from __future__ import annotations

from typing import Any

import pytest

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.contracts import Split
from mega_data_factory.framework.engines.local import pool as pool_module
from mega_data_factory.framework.engines.local.pool import Pool, Task
from mega_data_factory.framework.worker.reading import ReadTask
from tests.framework.making import batch


class Process:
    """Stands in for the process of a worker: remembers what it was sent."""

    def __init__(self, job: Any, cpu: float = 1.0, holds: int | None = None) -> None:
        self.job = job
        self.holds = holds
        self.sent: list[Any] = []
        self.ended = False

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def epitaph(self) -> str:
        return "killed by signal 9"

    def timed_out(self) -> bool:
        return False

    def end(self, *_: Any) -> None:
        self.ended = True

    discard = stop = kill = end


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setattr(pool_module, "WorkerProcess", Process)
    made = Pool("stage `s`", 2, 3, lambda slot: {"slot": slot})
    made.start()
    return made


def ready(pool: Pool) -> Pool:
    for worker in pool.workers:
        worker.ready = True
    return pool


def test_only_ready_workers_are_given_work(pool):
    """Work waits until a worker has told that it is set up."""
    pool.queue.extend([Task({"n": 0}), Task({"n": 1}), Task({"n": 2})])
    pool.hand_out()
    assert len(pool.queue) == 3
    ready(pool).hand_out()
    assert [worker.process.sent for worker in pool.workers] == [[{"n": 0}], [{"n": 1}]]
    assert not pool.done()


def test_a_pool_grows_to_its_maximum_while_work_piles_up(pool):
    """A worker is added when all are busy and more waits than there are workers, and never beyond the maximum."""
    ready(pool).queue.extend(Task({"n": n}) for n in range(9))
    pool.grow()
    assert len(pool.workers) == 2  # nobody is busy yet
    pool.hand_out()
    for _ in range(5):
        pool.grow()
        ready(pool).hand_out()
    assert [worker.slot for worker in pool.workers] == [0, 1, 2]


def test_the_dead_are_replaced_in_their_slot(pool):
    """The replacement gets the same job, and the work of the dead one comes back with how it ended."""
    task = Task({"n": 0})
    dead = ready(pool).workers[0]
    dead.give(task)
    assert pool.replace(dead) == (task, "killed by signal 9")
    assert dead.process.ended
    assert sorted(worker.slot for worker in pool.workers) == [0, 1]
    assert pool.workers[-1].process.job == {"slot": 0}


def test_workers_that_never_get_ready_end_the_run(pool):
    """Three deaths in a row before being ready are an error; one worker that gets ready starts the count anew."""
    pool.replace(pool.workers[-1])
    pool.replace(pool.workers[-1])
    pool.workers[-1].ready = True
    pool.replace(pool.workers[-1])
    pool.replace(pool.workers[-1])
    pool.replace(pool.workers[-1])
    with pytest.raises(WorkerLostError, match=r"stage `s`: 3 workers in a row died while they started \(killed by"):
        pool.replace(pool.workers[-1])


def test_what_is_lost_when_a_pool_is_killed(pool):
    """Tasks under way are kept, so that what they held can be salvaged."""
    task = Task({"n": 0})
    ready(pool).workers[0].give(task)
    processes = [worker.process for worker in pool.workers]
    pool.kill()
    assert (pool.lost, pool.workers, pool.done()) == ([task], [], True)
    assert all(process.ended for process in processes)


def test_quarantine_begins_after_the_attempts_allowed():
    """A stage's task says how often it was tried, and asks for quarantine from then on; other tasks say neither."""
    task = Task({"n": 0}, quarantine_after=2)
    sent = []
    for task.attempt in (1, 2, 3):
        sent.append(task.to_send()["quarantine"])
    assert sent == [False, False, True]
    assert Task({"n": 0}, attempt=9).to_send() == {"n": 0}


def test_a_task_says_what_it_is():
    """An error can name the split or the batches that the work was about."""
    read = ReadTask(0, Split({"path": "x"})).to_json()
    assert "{'path': 'x'} from batch 3" in Task({"read": read, "skip": 3}).describe()
    group = [StagedBatch(batch([], number), 0, 0) for number in (1, 2)]
    assert Task({}, staged=group).describe() == "writing batches 000000-00001 to 000000-00002"
    assert Task({}).describe() == "running a batch"
