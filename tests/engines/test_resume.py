"""A run that is killed and resumed cannot be told from one that was never disturbed."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mega_data_factory.cli import main
from mega_data_factory.errors import ConfigError, MdfError, ResumeError
from mega_data_factory.framework.driver.resuming import find_run
from mega_data_factory.framework.executor import Executor
from tests.engines.crashes import crash
from tests.engines.running import Pipeline, Result, assert_nothing_left, assert_same, fake, jsonl, stage
from tests.engines.test_kills import mixed_texts

RUN = "run_resumed"
RENAMES = 3
"""Files of every group of these pipelines: error sink, output, entry in the commit log."""


def pipeline(folder: Path, source: str, engine: str = "local", *operators: dict[str, Any], **writer: Any) -> Pipeline:
    """Deduplication, errors and rejections, a file for every batch, samples of what is rejected; few processes."""
    folder.mkdir(parents=True, exist_ok=True)
    return Pipeline(
        folder,
        source,
        [stage("only", fake("Dedup"), fake("Raises"), fake("ShortFilter", min_length=20), fake("Upper"), *operators)],
        engine=engine,
        loader={"params": {"split_mb": 0.02}},
        writer={"type": "tests.engines.crashes:CrashingWriter", "params": {"target_file_mb": 0, **writer}},
        executor={
            "dedup_num_buckets": 1,
            "rejected_samples": {"enabled": True, "output_path": str(folder / "rejected"), "samples_per_reason": 5},
            "metrics": {"flush_interval": 0.2, "slice_by": ["text", "source_file()"]},
        },
    )


def killed(what: Pipeline, moment: str, *, resume: bool = False) -> None:
    """Run it in a process of its own, which is killed."""
    assert crash(what.config(), what.folder, RUN, moment, resume=resume) == -9


def resumed(what: Pipeline) -> Result:
    """Go on with it in this process, to the end."""
    error: MdfError | None = None
    executor = Executor(what.config(), resume=RUN)
    try:
        for _ in executor.execute():
            pass
    except MdfError as raised:
        error = raised
    assert_nothing_left(what.output)
    return Result.of(what, executor.run_id, error, 0.0)


def entries(what: Pipeline) -> list[Path]:
    """The entries of its commit log."""
    return sorted((what.output / "_commits" / RUN).glob("part-*.jsonl"))


def committed(what: Pipeline) -> set[str]:
    """The batches in its commit log."""
    lines = [line for entry in entries(what) for line in entry.read_text().splitlines()]
    return {json.loads(json.loads(line)["batch"])["id"] for line in lines}


def assert_undisturbed(result: Result, calm: Result) -> None:
    """Records, counts, sinks, samples of rejected records and of intervals: as those of the calm run."""
    assert_same(result, calm)
    # which of two equal records is the duplicate may differ from run to run: compare those that do not depend on it
    assert [line["record_id"] for line in result.samples if line["operator"] != "dedup"] == [
        line["record_id"] for line in calm.samples if line["operator"] != "dedup"
    ]
    assert len(result.samples) == len(calm.samples)
    assert len(result.files) == result.run["output_files"] == calm.run["output_files"]
    assert not list(result.files[0].parent.glob("_[cs]*")), "the commit log and the state go when a run completes"


def samples_of_intervals(what: Pipeline) -> dict[str, int]:
    """The interval samples of the run, added up; there is one file of them."""
    (path,) = (what.metrics / "samples").glob("samples_*")
    table = pq.read_table(path)
    return {name: sum(table[name].to_pylist()) for name in ("input_records", "output_records", "batches")}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A thousand records."""
    return jsonl(tmp_path_factory.mktemp("source") / "a.jsonl", mixed_texts(1000))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, source: str) -> Result:
    """The run that nothing happens to."""
    what = pipeline(tmp_path_factory.mktemp("calm"), source)
    for _ in Executor(what.config(), run_id=RUN).execute():
        pass
    return Result.of(what, RUN, None, 0.0)


MOMENTS = [
    pytest.param("before:1", id="before anything is written", marks=pytest.mark.slow),
    pytest.param("after:2", id="between the first file and its entry", marks=pytest.mark.slow),
    pytest.param("after:3", id="after the first entry, which the driver never heard of", marks=pytest.mark.slow),
    pytest.param("after:14", id="in the middle, between file and entry"),
    pytest.param("driver:6", id="while everybody works", marks=pytest.mark.slow),
    pytest.param("before:last", id="before the last entry", marks=pytest.mark.slow),
    pytest.param("after:last", id="at the very end", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_driver_killed_at_any_moment(tmp_path: Path, source: str, undisturbed: Result, moment: str) -> None:
    """Whenever the driver is killed: records, counts, sinks and samples are those of an undisturbed run in the end."""
    when, _, number = moment.replace("last", str(RENAMES * undisturbed.run["batches"])).partition(":")
    what = pipeline(tmp_path / "run", source)
    killed(what, f"{when}:{number}")
    before = committed(what)
    if when != "driver":
        assert len(before) == (int(number) - (when == "before")) // RENAMES
    kept = {entry.name: entry.stat().st_mtime_ns for entry in entries(what)}
    written = {path.name: path.stat().st_mtime_ns for path in what.output.glob("part-*")}
    result = resumed(what)
    assert_undisturbed(result, undisturbed)
    for name in kept:  # what was committed was not written again
        file = name.split(".")[0] + ".parquet"
        assert (what.output / file).stat().st_mtime_ns == written[file]
    counts = {"input_records": 0, "output_records": 0, "batches": 0}
    for row in result.operators:
        counts = {name: value + row[name] for name, value in counts.items()}
    assert samples_of_intervals(what) == counts


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again(tmp_path: Path, source: str, undisturbed: Result) -> None:
    """A run that is killed, resumed, killed and resumed is whole in the end, with other workers and file sizes."""
    what = pipeline(tmp_path / "run", source)
    killed(what, "after:8")
    assert len(committed(what)) == 2
    killed(what, "after:8", resume=True)
    assert len(committed(what)) == 4
    stages = [{**only, "worker": {"num_replicas": 2}} for only in what.stages]
    loader = {"num_workers": 2, "params": {"split_mb": 0.02}}
    result = resumed(replace(what, stages=stages, loader=loader, writer={**what.writer, "params": {}}))
    assert_same(result, undisturbed)
    assert result.run["output_files"] == 4 + 1, "the rest goes into one file"


@pytest.mark.slow
def test_dead_letters_of_a_resumed_run(tmp_path: Path) -> None:
    """Dead letters of committed batches stay; those of uncommitted ones come again, once."""
    words = {1: "POISON", 2: "BAD", 5: "BAD", 6: "POISON"}
    path = jsonl(tmp_path / "a.jsonl", [f"{words.get(n, 'text')} {n} {'y' * 30}" for n in range(8)])
    calm, disturbed = (pipeline(tmp_path / name, path, "local", fake("Poison")) for name in ("calm", "killed"))
    executor = {**calm.executor, "max_attempts": 1, "batch_size": 4, "rejected_samples": {}}
    calm, disturbed = replace(calm, executor=executor), replace(disturbed, executor=executor)
    killed(
        disturbed, "after:5"
    )  # error sink, dead letters, output and entry of the first batch, error sink of the next
    assert len(committed(disturbed)) == 1
    result = resumed(disturbed)
    assert_same(result, calm.run())
    assert len(result.dead_letters) == 2


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, source: str) -> tuple[Pipeline, Executor]:
    """A run that its caller has stopped after some steps, as Ctrl-C does."""
    what = pipeline(tmp_path_factory.mktemp("stopped"), source)
    executor = Executor(what.config(), run_id=RUN)
    with closing(executor.execute()) as progress:
        for _ in islice(progress, 12):
            pass
    return what, executor


@pytest.fixture
def interrupted(tmp_path: Path, stopped: tuple[Pipeline, Executor]) -> Pipeline:
    """A copy of it, in another place."""
    shutil.copytree(stopped[0].folder, tmp_path / "run")
    return pipeline(tmp_path / "run", stopped[0].source)


def test_an_interrupted_run(interrupted: Pipeline, stopped: tuple[Pipeline, Executor], undisturbed: Result) -> None:
    """A run that its caller stopped is resumable, even moved elsewhere; its time is the time of both lives."""
    first = stopped[1].metrics_collector.get_run_metrics()
    assert first is not None
    assert first.status == "interrupted"
    assert stopped[1].resumable
    result = resumed(interrupted)
    assert_undisturbed(result, undisturbed)
    assert abs(result.run["start_time"] - first.start_time) < timedelta(seconds=1)
    assert result.run["duration"] > first.duration
    with pytest.raises(ResumeError, match="has completed"):
        Executor(interrupted.config(), resume=RUN)
    with pytest.raises(ResumeError, match="no run below"):
        Executor(interrupted.config(), resume="latest")


@pytest.mark.slow
def test_a_damaged_entry_or_a_lost_file(interrupted: Pipeline, undisturbed: Result) -> None:
    """Batches whose entry is torn, or whose output file is gone, are done again."""
    entry, other, *_ = entries(interrupted)
    entry.write_bytes(entry.read_bytes()[:100])
    (interrupted.output / (other.name.split(".")[0] + ".parquet")).unlink()
    assert_undisturbed(resumed(interrupted), undisturbed)


def test_settings_that_differ_are_named(interrupted: Pipeline) -> None:
    """A run goes on only with the settings that it was started with; the message names the others, not their values."""
    changed = replace(
        interrupted,
        stages=[stage("only", fake("Dedup"), fake("Raises"), fake("ShortFilter", min_length=21), fake("Upper"))],
        executor={**interrupted.executor, "batch_size": 50},
    )
    with pytest.raises(ResumeError) as caught:
        Executor(changed.config(), resume=RUN)
    assert ": executor.batch_size, stages.only.operators.short_filter.params.min_length" in caught.value.message
    assert "21" not in str(caught.value)


def test_what_is_measured_of_a_batch_may_not_change(interrupted: Pipeline) -> None:
    """Else slices and units of the whole run would be of its second half alone."""
    metrics = {**interrupted.executor.get("metrics", {}), "slice_by": ["text"], "column_statistics": False}
    changed = replace(interrupted, executor={**interrupted.executor, "metrics": metrics})
    with pytest.raises(ResumeError) as caught:
        Executor(changed.config(), resume=RUN)
    assert caught.value.message.endswith(": executor.metrics.column_statistics, executor.metrics.slice_by")


def test_a_source_that_has_changed_is_refused(interrupted: Pipeline) -> None:
    """A run does not go on over a source whose splits are not those that it began with."""
    path = Path(interrupted.source)
    before = path.read_bytes()
    try:
        jsonl(path, mixed_texts(30))
        result = resumed(interrupted)
    finally:
        path.write_bytes(before)
    assert isinstance(result.error, ResumeError)
    assert "the source has changed" in result.error.message


def test_a_run_at_work_cannot_be_resumed(interrupted: Pipeline) -> None:
    """While a run is at work nobody can go on with it, nor start another of its name."""
    with closing(Executor(interrupted.config(), resume=RUN).execute()) as progress:
        next(progress)
        with pytest.raises(ResumeError, match="is still running: process"):
            next(Executor(interrupted.config(), resume=RUN).execute())
        with pytest.raises(ResumeError, match="has been started before"):
            next(Executor(interrupted.config(), run_id=RUN).execute())


def test_claims_that_are_gone_are_noticed(interrupted: Pipeline) -> None:
    """A deduplicating run whose claims were removed does not go on: it would pass duplicates."""
    shutil.rmtree(interrupted.output / "_state")
    with pytest.raises(ResumeError, match="deduplication logs are missing"):
        next(Executor(interrupted.config(), resume=RUN).execute())


def test_which_run_is_meant(interrupted: Pipeline) -> None:
    """The run to go on with is named by its id, by a prefix that only it has, or as `latest`."""
    logs = interrupted.output / "_commits"
    other = json.loads((logs / RUN / "plan.json").read_text())
    (logs / "run_rested").mkdir()
    (logs / "run_rested" / "plan.json").write_text(json.dumps({**other, "started": "2001-01-01T00:00:00"}))
    assert find_run(Executor(interrupted.config()).plan, "latest") == RUN
    assert find_run(Executor(interrupted.config()).plan, "run_rest") == "run_rested"
    with pytest.raises(ResumeError, match="2 runs begin with run_res"):
        Executor(interrupted.config(), resume="run_res")
    with pytest.raises(ResumeError, match="no run run_resumd") as caught:
        Executor(interrupted.config(), resume="run_resumd")
    assert f"did you mean `{RUN}`" in str(caught.value)
    with pytest.raises(ConfigError, match="keeps its id"):
        Executor(interrupted.config(), run_id="run_x", resume=RUN)


def test_the_command(interrupted: Pipeline, undisturbed: Result, capsys: pytest.CaptureFixture[str]) -> None:
    """`mdf run --resume latest` goes on and exits with 0; a second time there is nothing left to do, which is 2."""
    config = interrupted.folder / "pipeline.yaml"
    config.write_text(json.dumps(interrupted.config()), encoding="utf-8")
    assert main(["run", "--config", str(config), "--resume", "latest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["run_id"] == RUN
    assert_undisturbed(Result.of(interrupted, RUN, None, 0.0), undisturbed)
    assert main(["run", "--config", str(config), "--resume", RUN]) == 2
    assert "error[resume-refused]: run_resumed has completed" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "engine"), [("after:5", "ray"), ("driver:4", "local")])
def test_a_ray_driver_that_is_killed(
    tmp_path: Path, source: str, undisturbed: Result, moment: str, engine: str
) -> None:
    """A run on Ray whose driver was killed goes on, on either engine; a process of its own has a Ray of its own."""
    what = pipeline(tmp_path / "run", source, "ray")
    killed(what, moment)
    assert committed(what)
    assert crash(replace(what, engine=engine).config(), what.folder, RUN, "never", resume=True) == 0
    assert_undisturbed(Result.of(what, RUN, None, 0.0), undisturbed)
