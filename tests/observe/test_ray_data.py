"""Steps in Ray Data: exact whatever dies, twins and retries told apart, a plan executed twice counted once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from tests.engines.conftest import OLD_RAY, import_ray
from tests.observe import ray_steps
from tests.observe.ray_steps import Deaths
from tests.observe.runs import flow, rejected_records, rows_of, run_row, slices_of

pytestmark = [
    pytest.mark.slow,
    OLD_RAY,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Use 'expr' instead of 'fn'"),
]

BLOCKS, BLOCK = 36, 100


@pytest.fixture(scope="module")
def data() -> Iterator[Any]:
    """`ray.data`, on a small Ray in this process."""
    ray = import_ray()
    ray.init("local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    yield ray.data
    ray.shutdown()


def numbers(data: Any, blocks: int = BLOCKS) -> Any:
    return data.range(blocks * BLOCK, override_num_blocks=blocks)


def consume(dataset: Any) -> int:
    """Execute a dataset; return its records."""
    return sum(batch.num_rows for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"))


# ── workers die ───────────────────────────────────────────────────────────────────────────────────────────────────────


def tasks(data: Any, run: Any, deaths: Deaths) -> Any:
    """Functions over batches, in tasks."""
    dataset = numbers(data).map_batches(
        run.step(ray_steps.even, stage="one", reason="odd"), batch_format="pyarrow", batch_size=50, fn_args=(deaths,)
    )
    return dataset.filter(run.step(ray_steps.not_fifth, stage="two"))


def actors(data: Any, run: Any, deaths: Deaths, **pool: Any) -> Any:
    """A class over batches, in an actor pool."""
    return numbers(data).map_batches(
        run.step(ray_steps.Even, stage="one", reason="odd"),
        batch_format="pyarrow",
        batch_size=50,
        fn_constructor_args=(deaths,),
        fn_constructor_kwargs={"reported": 1},
        compute=data.ActorPoolStrategy(size=2, **pool),
    )


def threads(data: Any, run: Any, deaths: Deaths) -> Any:
    """Likewise, with calls at the same time in every actor."""
    return actors(data, run, deaths, max_tasks_in_flight_per_actor=6, max_concurrent_calls_per_actor=4)


def rows(data: Any, run: Any, deaths: Deaths) -> Any:
    """Functions over single records."""
    dataset = numbers(data).flat_map(run.step(ray_steps.twice, stage="one"), fn_args=(deaths,))
    return dataset.filter(run.step(ray_steps.not_fifth, stage="two")).map(run.step(ray_steps.plus_one, stage="three"))


def counted(folder: Path, make: Any, data: Any, marks: Path | None) -> dict[str, tuple[Any, ...]]:
    """Run a pipeline; return everything of each step that must not depend on who has died."""
    with mdf.observe("kills", metrics=folder, flush_interval=0.5, rejects="all", slice_by="id") as run:
        out = consume(make(data, run, Deaths(marks, BLOCK)))
    row = run_row(folder, run.run_id)
    assert (row["status"], row["balanced"]) == ("completed", True)
    assert row["engine"].startswith("ray-data ")
    found: dict[str, tuple[Any, ...]] = {"out": (out,)}
    found["slices"] = tuple(slices_of(folder, run.run_id))
    found["rejects"] = tuple(rejected_records(folder, run.run_id))
    assert all(record_id for record_id, *_ in found["rejects"])
    assert len(found["rejects"]) == row["rejected_records"]
    for name, step in rows_of(folder, run.run_id).items():
        assert step.latency_histogram.total == step.input_records
        found[name] = *flow(step), step.created_records, step.batches, step.rejected_reasons, step.custom_metrics
    return found


@pytest.mark.parametrize("make", [tasks, actors, threads, rows])
def test_counts_are_those_of_an_undisturbed_run(make: Any, data: Any, tmp_path: Path) -> None:
    """12 workers die: after the accounts are delivered and before the reply, or in the middle of the work."""
    marks = tmp_path / "marks"
    marks.mkdir()
    undisturbed = counted(tmp_path / "a", make, data, None)
    killed = counted(tmp_path / "b", make, data, marks)
    assert len(list(marks.iterdir())) == 12
    assert killed == undisturbed
    first = next(values for name, values in undisturbed.items() if name not in ("out", "slices", "rejects"))
    assert first[0] == BLOCKS * BLOCK


# ── retries, twins, executions ────────────────────────────────────────────────────────────────────────────────────────


def test_equal_batches_count_each(data: Any, tmp_path: Path) -> None:
    """Batches of equal content are no retries of each other: in one task, in several, in several actors."""
    twins = data.from_items([{"id": 4}] * 1200, override_num_blocks=6)
    deaths = Deaths(None, BLOCK)
    with mdf.observe("twins", metrics=tmp_path) as run:
        dataset = twins.map_batches(
            run.step(ray_steps.even, stage="tasks"), fn_args=(deaths,), batch_format="pyarrow", batch_size=100
        )
        dataset = dataset.map_batches(
            run.step(ray_steps.Even, stage="actors"),
            fn_constructor_args=(deaths,),
            fn_constructor_kwargs={"reported": 1},
            batch_format="pyarrow",
            batch_size=100,
            compute=data.ActorPoolStrategy(size=2),
        )
        assert consume(dataset) == 1200
    found = rows_of(tmp_path, run.run_id)
    assert [flow(found[name]) for name in ("even", "Even")] == [(1200, 1200, 0, 0)] * 2
    assert [found[name].batches for name in ("even", "Even")] == [12, 12]
    assert run_row(tmp_path, run.run_id)["retried_batches"] == 0


def test_two_actions_on_a_lazy_dataset_count_once_and_are_noted(data: Any, tmp_path: Path) -> None:
    """A glance, a count and the whole: every action executes the step again."""
    with mdf.observe("actions", metrics=tmp_path) as run:
        dataset = numbers(data, 6).map_batches(
            run.step(ray_steps.even, stage="one", reason="odd"), fn_args=(Deaths(None, BLOCK),), batch_format="pyarrow"
        )
        assert len(dataset.take(5)) == 5
        assert dataset.count() == 300
        assert consume(dataset) == 300
    assert flow(rows_of(tmp_path, run.run_id)["even"]) == (600, 300, 300, 0)
    row = run_row(tmp_path, run.run_id)
    assert row["balanced"] is True
    assert "over the same input: one/even (3 times)" in str(row["config"])


def test_a_loop_over_inputs_adds(data: Any, tmp_path: Path) -> None:
    """One step for several datasets: their records are not the same."""
    with mdf.observe("loop", metrics=tmp_path) as run:
        step = run.step(ray_steps.plus_one, stage="one")
        for start in (0, 1000, 2000):
            records = [{"id": start + number} for number in range(200)]
            assert consume(data.from_items(records, override_num_blocks=2).map(step)) == 200
    assert flow(rows_of(tmp_path, run.run_id)["plus_one"]) == (600, 600, 0, 0)
    assert "over the same input" not in str(run_row(tmp_path, run.run_id)["config"])


# ── forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def first_half(batch: Any) -> Any:
    """Keep the first half of a batch of any form."""
    if isinstance(batch, dict):
        return {name: column[: len(column) // 2] for name, column in batch.items()}
    return batch[: len(batch) // 2] if hasattr(batch, "iloc") else batch.slice(0, batch.num_rows // 2)


@pytest.mark.parametrize("batch_format", ["pyarrow", "pandas", "numpy", "default"])
def test_batch_formats(batch_format: str, data: Any, tmp_path: Path) -> None:
    """Every form that `map_batches` hands over is counted, with the bytes of a text column."""
    texts = data.from_items([{"id": n, "text": "äb"} for n in range(400)], override_num_blocks=4)
    with mdf.observe("formats", metrics=tmp_path) as run:
        step = run.step(first_half, stage="one", reason="second_half", text="text")
        assert consume(texts.map_batches(step, batch_format=batch_format, batch_size=100)) == 200
    row = rows_of(tmp_path, run.run_id)["first_half"]
    assert flow(row) == (400, 200, 200, 0)
    assert row.rejected_reasons == {"second_half": 200}
    assert row.input_text_bytes == 1200


def test_generators_and_coroutines(data: Any, tmp_path: Path) -> None:
    """A generator's batches belong to the batch that it was given; a coroutine is known by its input."""
    with mdf.observe("generators", metrics=tmp_path) as run:
        dataset = numbers(data, 4).map_batches(
            run.step(ray_steps.in_two, stage="one"), batch_format="pyarrow", batch_size=50
        )
        dataset = dataset.map_batches(
            run.step(ray_steps.AsyncEven, stage="two", reason="odd"),
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=1),
        )
        assert consume(dataset) == 200
    found = rows_of(tmp_path, run.run_id)
    assert flow(found["in_two"]) == (400, 400, 0, 0)
    assert flow(found["AsyncEven"]) == (400, 200, 200, 0)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_records_that_raise_are_skipped(data: Any, tmp_path: Path) -> None:
    """`on_error="skip"`: Ray Data sees batches without them, not an exception."""
    with mdf.observe("skipping", metrics=tmp_path) as run:
        step = run.step(ray_steps.fails_on_13, stage="one", on_error="skip")
        assert consume(numbers(data, 6).map_batches(step, batch_format="pyarrow", batch_size=50)) == 594
    assert flow(rows_of(tmp_path, run.run_id)["fails_on_13"]) == (600, 594, 0, 6)
    assert run_row(tmp_path, run.run_id)["total_errors"] == 6


def test_an_error_fails_the_run_as_ray_does(data: Any, tmp_path: Path) -> None:
    """By default it passes through, and its batch is counted as errors."""
    with (
        pytest.raises(Exception, match="cannot process"),
        mdf.observe("failing", metrics=tmp_path, run_id="run_failing") as run,
    ):
        consume(numbers(data, 2).map_batches(run.step(ray_steps.fails_on_13, stage="one"), batch_format="pyarrow"))
    assert run_row(tmp_path, "run_failing")["status"] == "failed"
    row = rows_of(tmp_path, "run_failing")["fails_on_13"]
    assert row.error_count > 0
    assert row.input_records == row.output_records + row.error_count


class Flaky:
    """Raises for every third batch, the first time in each process."""

    raised: set[int] = set()  # noqa: RUF012 - of the process

    def __call__(self, table: Any) -> Any:
        """Return the batch."""
        first = table["id"][0].as_py()
        if first % 3 == 0 and first not in self.raised:
            self.raised.add(first)
            raise OSError("try again")
        return table


def flaky(table: Any) -> Any:
    """Do what `Flaky` does."""
    return Flaky()(table)


def test_tasks_that_ray_starts_again_in_the_process_count_once(data: Any, tmp_path: Path) -> None:
    """`retried_map_errors`: the same attempt calls the step with all batches of the task again."""
    context = data.DataContext.get_current()
    before = context.retried_map_errors, context.max_map_retries
    context.retried_map_errors, context.max_map_retries = True, 8
    try:
        with mdf.observe("flaky", metrics=tmp_path) as run:
            step = run.step(flaky, stage="one")
            assert consume(numbers(data, 4).map_batches(step, batch_format="pyarrow", batch_size=50)) == 400
    finally:
        context.retried_map_errors, context.max_map_retries = before
    assert flow(rows_of(tmp_path, run.run_id)["flaky"]) == (400, 400, 0, 0)


def slow_row(row: dict[str, Any]) -> dict[str, Any]:
    """Take long enough for a task of a few hundred records to deliver before its end."""
    time.sleep(0.015)
    return row


def test_a_long_task_is_counted_while_it_runs(data: Any, tmp_path: Path) -> None:
    """It delivers what it has counted every few seconds, and each record once."""
    with mdf.observe("long", metrics=tmp_path, flush_interval=0.5) as run:
        step = run.step(slow_row, stage="one")
        dataset = data.range(600, override_num_blocks=1).map(step)
        seen = []
        with futures.ThreadPoolExecutor(1) as pool:
            consumed = pool.submit(consume, dataset)
            while not consumed.done():
                time.sleep(0.2)
                seen += [row.input_records for row in rows_of(tmp_path, run.run_id).values()]
        assert consumed.result() == 600
    assert 0 < min(count for count in seen if count) < 600
    assert flow(rows_of(tmp_path, run.run_id)["slow_row"]) == (600, 600, 0, 0)
