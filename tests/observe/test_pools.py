"""Steps in the processes and threads of pools, and what is counted when workers are killed."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mega_data_factory as mdf
from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics
from mega_data_factory.observe import ObservedRun, reject
from mega_data_factory.observe.steps import work as timed_work
from tests.observe.runs import flow, rows_of

CHUNKS = [list(range(start, start + 5 + start % 7)) for start in range(0, 600, 10)]
IN = sum(map(len, CHUNKS))
OUT = sum(row % 3 != 0 and row % 5 != 0 for chunk in CHUNKS for row in chunk)


def judge(rows: list[int]) -> list[int]:
    """Reject multiples of 3 by name, and those of 5 without one."""
    for row in rows:
        if row % 3 == 0:
            reject(row, "three")
    return [row for row in rows if row % 3 and row % 5]


def fail_on_seven(row: int) -> int:
    if row == 7:
        raise ValueError("seven")
    return row


class Doubler:
    """Built once in a process."""

    def __init__(self, factor: int) -> None:
        self.factor, self.pid = factor, os.getpid()

    def __call__(self, rows: list[int]) -> list[int]:
        assert self.pid == os.getpid(), "built in the process that uses it"
        return [row * self.factor for row in rows]


def check(row: OperatorMetrics) -> None:
    assert flow(row) == (IN, OUT, IN - OUT, 0)
    assert row.rejected_reasons["three"] == sum(r % 3 == 0 for chunk in CHUNKS for r in chunk)
    assert sum(row.rejected_reasons.values()) == IN - OUT
    assert row.batches == len(CHUNKS)
    assert row.latency_histogram.total == IN


def test_threads_are_counted_together(tmp_path: Path) -> None:
    with mdf.observe("threads", metrics=tmp_path, node_interval=0) as run, ThreadPoolExecutor(3) as pool:
        assert list(pool.map(run.step(judge, reason="five"), CHUNKS)) == [judge(chunk) for chunk in CHUNKS]
    check(rows_of(tmp_path, run.run_id)["judge"])


def test_coroutine_functions_are_counted_each_with_its_own_rejects(tmp_path: Path) -> None:
    async def slowly(rows: list[int]) -> list[int]:
        kept = []
        for row in rows:
            await asyncio.sleep(0)
            if row % 3 == 0:
                reject(row, "three")
            elif row % 5:
                kept.append(row)
        return kept

    async def everything(step: Any) -> list[list[int]]:
        assert asyncio.iscoroutinefunction(step)
        return list(await asyncio.gather(*map(step, CHUNKS)))

    with mdf.observe("asyncio", metrics=tmp_path, node_interval=0) as run:
        kept = asyncio.run(everything(run.step(slowly, reason="five")))
    assert kept == [judge(chunk) for chunk in CHUNKS]
    check(rows_of(tmp_path, run.run_id)["slowly"])


def test_a_forked_pool_is_counted_in_all_ways_of_calling_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with mdf.observe("fork", metrics=tmp_path, node_interval=0) as run:
        with context.Pool(2) as pool:
            step = run.step(judge, name="map", reason="five")
            assert pool.map(step, CHUNKS, chunksize=4) == [judge(chunk) for chunk in CHUNKS]
            step = run.step(judge, name="imap", reason="five")
            assert sorted(pool.imap_unordered(step, CHUNKS)) == sorted(judge(chunk) for chunk in CHUNKS)
            step = run.step(judge, name="apply", reason="five")
            assert [pool.apply(step, (chunk,)) for chunk in CHUNKS][3] == judge(CHUNKS[3])
            doubler = run.step(Doubler, args=(2,), name="class")
            assert pool.map(doubler, CHUNKS) == [[2 * row for row in chunk] for chunk in CHUNKS]
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            step = run.step(judge, name="executor", reason="five")
            assert list(executor.map(step, CHUNKS, chunksize=3)) == [judge(chunk) for chunk in CHUNKS]
            with pytest.raises(ValueError, match="seven"):
                list(executor.map(run.step(fail_on_seven, name="fails"), [1, 7]))
    rows = rows_of(tmp_path, run.run_id)
    for name in ("map", "imap", "apply", "executor"):
        check(rows[name])
    assert flow(rows["class"]) == (IN, IN, 0, 0)
    assert flow(rows["fails"]) == (2, 1, 0, 1)
    assert not (tmp_path / ".accounts").exists() or not list((tmp_path / ".accounts").rglob("*.accounts"))


class Nested:
    """A user's function that uses steps, handed to a pool."""

    def __init__(self, step: Any) -> None:
        self.step = step

    def __call__(self, chunk: list[int]) -> list[int]:
        return [row + 1 for row in self.step(chunk)]


@pytest.mark.slow
def test_a_spawned_pool_is_counted(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with mdf.observe("spawn", metrics=tmp_path, node_interval=0) as run, context.Pool(2) as pool:
        step = run.step(judge, reason="five")
        assert pool.map(step, CHUNKS) == [judge(chunk) for chunk in CHUNKS]
        inner = run.step(judge, name="inner", reason="five")
        pool.map(Nested(inner), CHUNKS)
        task = run.step(judge, name="task", reason="five")
        pool.map(run.task(Nested(task)), CHUNKS)
        decorated = pool.map(run.step(Doubler, args=(3,)), CHUNKS)
        assert decorated[1] == [3 * row for row in CHUNKS[1]]
    rows = rows_of(tmp_path, run.run_id)
    for name in ("judge", "inner", "task"):
        check(rows[name])
    assert flow(rows["Doubler"]) == (IN, IN, 0, 0)


class Deadly(list):  # type: ignore[type-arg]
    """A result that kills its process when it is about to be sent: once for each chunk that is chosen."""

    def __init__(self, rows: list[int], mark: Path | None) -> None:
        super().__init__(rows)
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        if self.mark is not None and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return list, (list(self),)


class Judge:
    """`judge`, whose result kills its process for every fifth chunk."""

    def __init__(self, marks: Path | None) -> None:
        self.marks = marks

    def __call__(self, rows: list[int]) -> list[int]:
        deadly = self.marks is not None and rows[0] % 50 == 0
        return Deadly(judge(rows), self.marks / str(rows[0]) if deadly and self.marks else None)


class Passing:
    """A user's function around a step."""

    def __init__(self, step: Any) -> None:
        self.step = step

    def __call__(self, chunk: list[int]) -> list[int]:
        result: list[int] = self.step(chunk)
        return result


def with_retries(function: Callable[[list[int]], list[int]]) -> dict[int, list[int]]:
    """Do all chunks in pools of processes, with a new pool for what a broken one has left."""
    done: dict[int, list[int]] = {}
    while len(done) < len(CHUNKS):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
            futures: dict[int, Future[list[int]]] = {}
            try:
                for at, chunk in enumerate(CHUNKS):
                    if at not in done:
                        futures[at] = pool.submit(function, chunk)
            except BrokenProcessPool:
                pass
            for at, future in futures.items():
                try:
                    done[at] = future.result()
                except BrokenProcessPool:
                    continue
    return done


def work(run: ObservedRun, marks: Path | None, kind: str) -> dict[int, list[int]]:
    step = run.step(Judge(marks), name="judge", reason="five")
    if kind == "step":
        return with_retries(step)
    return with_retries(run.task(Passing(step)) if kind == "task" else Passing(step))


class Texts:
    """A data set as PyTorch's `DataLoader` takes it: by number, or one after the other.

    Args:
        run: the run.
        rows: of the data set.
        shard: the part of a worker, of two.
    """

    def __init__(self, run: ObservedRun, rows: list[int], shard: int = 0) -> None:
        self.rows, self.shard = rows, shard
        self.load = run.step(self._load, name="load")
        self.read = run.step(self._read, name="read")

    def _load(self, number: int) -> int:
        return self.rows[number]

    def _read(self) -> Iterator[int]:
        yield from self.rows[self.shard :: 2]

    def __getitem__(self, number: int) -> int:
        return int(self.load(number))

    def __iter__(self) -> Iterator[int]:
        return iter(self.read())


def loader_worker(texts: Texts, shard: int, numbers: Any, loaded: Any) -> None:
    """Do what a worker of a `DataLoader` does: load what is asked for, or iterate, and send it by a queue."""
    texts.shard = shard
    for number in iter(numbers.get, None):
        loaded.put(texts[number])
    for row in texts:
        loaded.put(row)
    loaded.put(None)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_data_set_that_worker_processes_load_is_counted(tmp_path: Path, method: str) -> None:
    """As PyTorch's `DataLoader` does it: neither a pool nor a task, so that accounts go by file."""
    context: Any = multiprocessing.get_context(method)
    with mdf.observe("loader", metrics=tmp_path, node_interval=0) as run:
        texts = Texts(run, list(range(40)))
        numbers, loaded = context.Queue(), context.Queue()
        workers = [context.Process(target=loader_worker, args=(texts, shard, numbers, loaded)) for shard in range(2)]
        for worker in workers:
            worker.start()
        for number in [*range(40), None, None]:
            numbers.put(number)
        got = [row for _ in workers for row in iter(loaded.get, None)]
        for worker in workers:
            worker.join()
    assert sorted(got) == sorted([*range(40), *range(40)])
    rows = rows_of(tmp_path, run.run_id)
    assert {name: (flow(row), row.created_records) for name, row in rows.items()} == {
        "load": ((40, 40, 0, 0), 0),
        "read": ((40, 40, 0, 0), 0),
    }
    assert len({row["worker_id"] for row in MetricsWriter(tmp_path).read_operator_metrics(run.run_id)}) == 2


@pytest.fixture
def _ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look at the clock take one second, so that histograms of two runs can be compared."""
    clock = itertools.count().__next__
    ticking = SimpleNamespace(perf_counter=lambda: float(clock()), thread_time=time.thread_time, time=time.time)
    monkeypatch.setattr(timed_work, "time", ticking)


@pytest.mark.slow
@pytest.mark.usefixtures("_ticking")
@pytest.mark.parametrize("kind", ["step", "task"])
def test_workers_killed_after_the_work_and_before_the_reply_change_no_number(tmp_path: Path, kind: str) -> None:
    found = {}
    for name in ("undisturbed", "killed"):
        marks = tmp_path / "marks" if name == "killed" else None
        if marks is not None:
            marks.mkdir()
        with mdf.observe(name, metrics=tmp_path / "metrics", node_interval=0) as run:
            done = work(run, marks, kind)
        assert done == {at: judge(chunk) for at, chunk in enumerate(CHUNKS)}
        found[name] = rows_of(tmp_path / "metrics", run.run_id)["judge"]
        check(found[name])
    assert len(list((tmp_path / "marks").iterdir())) >= 10
    undisturbed, killed = found["undisturbed"], found["killed"]
    assert killed.rejected_reasons == undisturbed.rejected_reasons
    assert killed.latency_histogram.counts == undisturbed.latency_histogram.counts
    assert len(killed.latency_histogram.counts) > 3
    assert (killed.min_latency, killed.max_latency) == (undisturbed.min_latency, undisturbed.max_latency)


@pytest.mark.slow
def test_a_step_inside_a_function_of_a_pool_counts_every_execution(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    with mdf.observe("executions", metrics=tmp_path / "metrics", node_interval=0) as run:
        work(run, tmp_path / "marks", "nested")
    kills = len(list((tmp_path / "marks").iterdir()))
    row = rows_of(tmp_path / "metrics", run.run_id)["judge"]
    assert row.batches >= len(CHUNKS) + kills
    assert row.unbalanced_records == 0
