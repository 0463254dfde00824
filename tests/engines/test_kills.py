"""A worker may be killed at any moment: no count and no record tells the run from an undisturbed one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.engines.crashes import crash
from tests.engines.running import Pipeline, assert_same, fake, jsonl, stage


def mixed_texts(rows: int) -> list[str]:
    """Texts of which a fifth is short, a third repeats, and one in fifty raises."""
    words = []
    for n in range(rows):
        text = f"bad BAD {n}" if n % 50 == 7 else f"text {n % (2 * rows // 3)} " + "x" * (n % 5) * 10
        words.append(text)
    return words


def disturbed_pipeline(folder: Path, source: str, engine: str, every: int) -> Pipeline:
    """Two stages, in each of which workers are killed after the work; deduplication, filter, errors between."""
    return Pipeline(
        folder / f"{engine}-{every}",
        source,
        [
            stage(
                "first",
                fake("Dedup"),
                fake("Raises"),
                fake("KillOnce", folder=str(folder / f"kills-{engine}-{every}-1"), every=every),
                num_replicas=2,
            ),
            stage(
                "second",
                fake("ShortFilter", min_length=20),
                fake("Upper"),
                fake("KillOnce", folder=str(folder / f"kills-{engine}-{every}-2"), every=every),
            ),
        ],
        engine=engine,
        executor={"batch_size": 100, "metrics": {"slice_by": ["text", "source_file()"]}},
    )


def kills_in(folder: Path, pattern: str) -> int:
    """How many kills were noted."""
    return sum(1 for marks in folder.glob(pattern) for _ in marks.iterdir())


def test_kills_after_the_work_and_before_the_answer(tmp_path: Path, engine: str) -> None:
    """Workers of two stages killed between work and answer change no count and no record, on either engine."""
    source = jsonl(tmp_path / "a.jsonl", mixed_texts(1500))
    calm = disturbed_pipeline(tmp_path, source, "local", 0).run()
    disturbed = disturbed_pipeline(tmp_path, source, engine, 300).run()
    assert_same(disturbed, calm)
    assert {row["slice_by"] for row in calm.details["slices"]} == {"text", "source_file()"}
    assert kills_in(tmp_path, f"kills-{engine}-300-*") >= 3
    assert disturbed.run["retried_batches"] > 0 or engine == "ray"


@pytest.mark.slow
def test_a_loader_killed_in_the_middle_of_its_splits(tmp_path: Path, engine: str) -> None:
    """A loader killed once in every split goes on where it was: nothing is read twice or left out."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n} {'y' * 40}" for n in range(1500)])
    results = []
    for deaths, on in ((0, "local"), (1, engine)):
        params = {"folder": str(tmp_path / "kills"), "after": 2, "deaths": deaths}
        pipeline = Pipeline(
            tmp_path / f"deaths-{deaths}",
            source,
            [stage("only", fake("Upper"))],
            engine=on,
            loader={"type": "tests.fakes:KillingLoader", "params": params, "num_workers": 2},
        )
        results.append(pipeline.run())
    assert_same(results[1], results[0])
    assert kills_in(tmp_path, "kills") >= 2
    assert len(results[1].texts) == 1500


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("in_flight", [1, 2])
def test_a_loader_that_dies_while_it_holds_the_last_credit(tmp_path: Path, in_flight: int) -> None:
    """When every credit belongs to a loader that died, its replacement still may read: the run does not hang."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n} {'y' * 40}" for n in range(900)])
    pipeline = Pipeline(
        tmp_path / "run",
        source,
        [stage("only", fake("Upper"))],
        loader={
            "type": "tests.fakes:KillingLoader",
            "params": {"folder": str(tmp_path / "kills"), "after": 0},
            "num_workers": 3,
        },
        executor={"max_in_flight": in_flight},
    )
    result = pipeline.run()
    assert result.closed()
    assert len(result.texts) == 900


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_writer_killed_around_the_rename(tmp_path: Path, engine: str, when: str) -> None:
    """A writer killed before or after a file has its name leaves every record in the output exactly once."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n} {'y' * 40}" for n in range(600)])
    results = []
    for moment, on in (("never", "local"), (when, engine)):
        params = {"folder": str(tmp_path / "kills"), "when": moment, "target_file_mb": 0}
        pipeline = Pipeline(
            tmp_path / moment,
            source,
            [stage("only", fake("Upper"))],
            engine=on,
            writer={"type": "tests.fakes:KillingWriter", "params": params},
            executor={"batch_size": 200},
        )
        results.append(pipeline.run())
    assert_same(results[1], results[0])
    assert len(results[1].files) == len(results[0].files) == results[1].run["output_files"]
    assert kills_in(tmp_path, "kills") == 2


@pytest.mark.slow
def test_a_file_that_kills_every_writer_does_not_kill_the_driver(tmp_path: Path, engine: str) -> None:
    """The run fails with an error that names the batches; what is left of them is not written in the driver."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(20)])
    pipeline = Pipeline(
        tmp_path / "run",
        source,
        [stage("only", fake("Upper"))],
        engine=engine,
        writer={
            "type": "tests.fakes:KillingWriter",
            "params": {"folder": str(tmp_path / "kills"), "deaths": 100, "target_file_mb": 0},
        },
        executor={"max_attempts": 2},
    )
    assert crash(pipeline.config(), tmp_path, "run_killed", "never") == 1
    run = MetricsReader(pipeline.config()["executor"]["metrics"]["output_path"]).run("run_killed")
    assert run["status"] == "failed"
    assert "data_writer: 2 workers died over the same work" in run["error"]
    assert "writing batches 000000-00000 to 000000-00000" in run["error"]
    assert kills_in(tmp_path, "kills") == 2


@pytest.mark.slow
def test_workers_that_die_after_they_have_answered(tmp_path: Path) -> None:
    """A worker that dies idle, or at the start of its next batch, is replaced; its answered batch counts once."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(600)])
    stages = [
        stage("first", fake("Upper"), fake("DiesAfterAnswer", folder=str(tmp_path / "deaths"), deaths=3)),
        stage("second", fake("Slow", seconds=0.05)),
    ]
    result = Pipeline(tmp_path / "run", source, stages, executor={"batch_size": 50}).run()
    assert result.closed()
    assert result.texts == sorted(f"TEXT {n}" for n in range(600))
    assert kills_in(tmp_path, "deaths") == 3


@pytest.mark.slow
def test_two_workers_that_die_at_once(tmp_path: Path) -> None:
    """Both workers of a pool may die over their first batches: each batch is done again, once."""
    source = jsonl(tmp_path / "a.jsonl", [f"KILL {n}" if n in (5, 105) else f"text {n}" for n in range(400)])
    stages = [
        stage(
            "only",
            fake("Slow", seconds=0.3),
            fake("KillAtWord", folder=str(tmp_path / "kills")),
            num_replicas=2,
        )
    ]
    result = Pipeline(tmp_path / "run", source, stages).run()
    assert result.closed()
    assert len(result.texts) == 400
    assert kills_in(tmp_path, "kills") == 2
    assert result.run["retried_batches"] == 2


@pytest.mark.slow
def test_a_worker_that_dies_while_it_starts(tmp_path: Path) -> None:
    """A worker that dies in `setup` once or twice is started again."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(50)])
    stages = [stage("only", fake("DiesAtStart", folder=str(tmp_path / "deaths"), deaths=2))]
    result = Pipeline(tmp_path / "run", source, stages).run()
    assert result.closed()
    assert len(result.texts) == 50


def test_workers_that_always_die_while_they_start_end_the_run(tmp_path: Path) -> None:
    """A pool whose workers never become ready is an error that says so, not an endless loop."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(50)])
    stages = [stage("only", fake("DiesAtStart", folder=str(tmp_path / "deaths"), deaths=99))]
    result = Pipeline(tmp_path / "run", source, stages).run()
    assert result.error is not None
    assert result.error.slug == "worker-lost"
    assert "SIGKILL" in result.error.message
    assert result.run["status"] == "failed"


@pytest.mark.slow
def test_a_split_that_kills_every_loader_ends_the_run(tmp_path: Path, engine: str) -> None:
    """A place in the source that kills every loader ends the run with an error that names the place."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(300)])
    pipeline = Pipeline(
        tmp_path / "run",
        source,
        [stage("only", fake("Upper"))],
        engine=engine,
        loader={
            "type": "tests.fakes:KillingLoader",
            "params": {"folder": str(tmp_path / "kills"), "after": 1, "deaths": 99},
        },
    )
    result = pipeline.run()
    assert result.error is not None
    assert result.error.slug == "worker-lost"
    assert "a.jsonl" in result.error.message
    assert result.run["status"] == "failed"
