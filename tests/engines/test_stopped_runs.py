"""What a run that was stopped leaves beside old output, and how it goes on under another error policy."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mega_data_factory.errors import InputError, MdfError, OperatorError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.engines.engine import Event
from mega_data_factory.framework.engines.local.engine import LocalEngine
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.worker.reading import ReadTask
from tests.engines.running import Pipeline, Result, assert_nothing_left, assert_same, fake, jsonl, stage

RUN = "run_stopped"


def pipeline(folder: Path, source: str, **executor: object) -> Pipeline:
    """One stage, batches of ten records, a file for each of them."""
    return Pipeline(
        folder,
        source,
        [stage("only", fake("Raises"), fake("Upper"))],
        writer={"params": {"target_file_mb": 0}},
        executor={"batch_size": 10, **executor},
    )


def ended(what: Pipeline, resume: str | None = None) -> MdfError | None:
    """Run it, or go on with it; what ended it before its time."""
    executor = Executor(what.config(), run_id=None if resume else RUN, resume=resume)
    try:
        for _ in executor.execute():
            pass
    except MdfError as error:
        return error
    finally:
        assert_nothing_left(what.output)
    return None


def completed(what: Pipeline, resume: str | None = None) -> Result:
    """The result of `ended`."""
    return Result.of(what, RUN, ended(what, resume), 0.0)


@pytest.mark.slow
def test_an_interrupted_run_writes_nothing_beside_old_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is interrupted before it has removed what it overwrites leaves that alone; resumed, it replaces it."""
    old, new = (jsonl(tmp_path / f"{name}.jsonl", [f"{name} {n}" for n in range(20)]) for name in ("old", "new"))
    calm = completed(pipeline(tmp_path / "calm", new))
    before = pipeline(tmp_path / "run", old).run().files
    what = replace(pipeline(tmp_path / "run", new), writer={"params": {"if_exists": "overwrite"}})

    def run(self: LocalEngine, splits: Iterator[ReadTask]) -> Generator[Event, None, None]:
        for event in whole(self, splits):
            if isinstance(event, StagedBatch):
                raise KeyboardInterrupt  # between the last stage and the caller
            yield event

    whole = LocalEngine.run
    with monkeypatch.context() as patch:
        patch.setattr(LocalEngine, "run", run)
        with pytest.raises(KeyboardInterrupt):
            ended(what)
    assert sorted(what.output.glob("part-*")) == before
    assert_same(completed(what, RUN), calm)
    assert not set(before) & set(what.output.glob("part-*"))


@pytest.mark.slow
def test_a_run_that_goes_on_with_on_error_fail(tmp_path: Path) -> None:
    """Errors that are committed stay what they are; the next record that raises ends the run, and is named."""
    source = jsonl(tmp_path / "a.jsonl", [f"BAD {n}" if n in (3, 297) else f"text {n}" for n in range(300)])
    calm = completed(pipeline(tmp_path / "calm", source))
    what = pipeline(tmp_path / "run", source, max_in_flight=1)
    with closing(Executor(what.config(), run_id=RUN).execute()) as steps:
        while not next(steps).batches_committed:
            pass
    error = ended(pipeline(tmp_path / "run", source, on_error="fail"), RUN)
    assert isinstance(error, OperatorError)
    assert "`raises`" in error.message
    assert_same(completed(what, RUN), calm)


@pytest.mark.slow
def test_an_unreadable_record_ends_a_run_each_time_until_it_may_be_skipped(tmp_path: Path) -> None:
    """With on_error: fail a resumed run stops at the same record; with skip it completes, with all counts."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(30)])
    lines = Path(source).read_text().splitlines()
    Path(source).write_text("\n".join([*lines[:15], "{ not json", *lines[15:]]) + "\n")
    calm = completed(pipeline(tmp_path / "calm", source))
    assert calm.run["loader_errors"] == 1
    strict = pipeline(tmp_path / "run", source, on_error="fail")
    errors = [ended(strict), ended(strict, RUN)]
    assert all(isinstance(error, InputError) and "record `" in error.message for error in errors), errors
    assert str(errors[0]) == str(errors[1])
    assert_same(completed(pipeline(tmp_path / "run", source), RUN), calm)


def test_committed_records_are_those_in_files_also_in_the_middle(tmp_path: Path) -> None:
    """Read, processed and committed are three numbers: unreadable, rejected and failed records are in no file."""
    source = tmp_path / "in.jsonl"
    lines = [json.dumps({"id": f"r{n}", "text": f"text {n} {'y' * (n % 7)}"}) for n in range(400)]
    source.write_text("\n".join(line if n % 10 else "{broken" for n, line in enumerate(lines)))
    what = pipeline(tmp_path, str(source), on_error="skip")
    operators = [fake("ShortFilter", min_length=12), fake("Raises", word="text 13"), fake("Slow", seconds=0.01)]
    executor = Executor(replace(what, stages=[stage("only", *operators)]).config(), run_id=RUN)
    with closing(executor.execute()) as steps:
        for progress in steps:
            if progress.records_written > 40:
                break
    read = Result.of(what, RUN, None, 0.0)
    run = read.run
    assert run["status"] == "interrupted"
    assert run["committed_records"] == run["total_output_records"] == len(read.texts)
    assert run["processed_records"] == read.count("only/short_filter", "input_records")
    assert run["total_input_records"] == run["processed_records"] + run["loader_errors"]
    assert 40 < len(read.texts) < run["processed_records"] < run["total_input_records"] < 400
    assert run["loader_errors"] > 0 < read.count("only/raises", "error_count")
