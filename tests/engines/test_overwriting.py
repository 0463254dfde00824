"""A run that overwrites and does not come to its end costs nothing of the output that it would have replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mega_data_factory.cli import main
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader
from tests.engines.crashes import crash
from tests.engines.running import Pipeline, Result, assert_same, fake, jsonl, stage

pytestmark = pytest.mark.slow

RUN = "run_overwriting"


def pipeline(folder: Path, source: str, **writer: object) -> Pipeline:
    """Deduplication, batches of ten records, a file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    return Pipeline(
        folder,
        source,
        [stage("only", fake("Dedup"), fake("Raises"), fake("Upper"))],
        writer={"type": "tests.engines.crashes:CrashingWriter", "params": {"target_file_mb": 0, **writer}},
        executor={"batch_size": 10, "dedup_num_buckets": 1},
    )


def sources(folder: Path) -> list[str]:
    """Two sources with an error each."""
    return [jsonl(folder / f"{name}.jsonl", [*(f"{name} {n}" for n in range(80)), "BAD"]) for name in ("old", "new")]


@pytest.mark.parametrize("moment", ["driver:1", "before:5", "after:9"])
def test_a_killed_run_leaves_the_old_output(tmp_path: Path, moment: str) -> None:
    """Killed with some of its files committed, a run has removed nothing; resumed, it leaves its own output alone."""
    old, new = sources(tmp_path)
    calm = pipeline(tmp_path / "calm", new).run()
    before = pipeline(tmp_path / "run", old).run()
    what = pipeline(tmp_path / "run", new, if_exists="overwrite")
    assert crash(what.config(), what.folder, RUN, moment) == -9
    assert sorted(what.output.glob("part-*")) == before.files
    executor = Executor(what.config(), resume=RUN)
    executor.run()
    result = Result.of(what, executor.run_id, None, 0.0)
    assert_same(result, calm)
    assert len(result.files) == len(calm.files)
    assert sorted(path.name for path in what.output.iterdir() if path not in result.files) == ["_errors"]


def test_a_run_that_stops_says_where_its_records_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a failed run has written waits, which the answer says; when it is complete it is in its place."""
    old, new = sources(tmp_path)
    before = pipeline(tmp_path / "run", old).run()
    what = pipeline(tmp_path / "run", new, if_exists="overwrite")
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(what.config()), encoding="utf-8")
    config = ["run", "--config", str(path), "--json"]
    assert main([*config, "--run-id", RUN, "--set", "executor.on_error=fail"]) == 1
    failed = json.loads(capsys.readouterr().out)
    pending = what.output / "_pending" / RUN
    assert failed["run"]["output_files"]
    assert failed["paths"]["output"] == str(pending)
    assert len(list(pending.iterdir())) == failed["run"]["output_files"]
    assert sorted(what.output.glob("part-*")) == before.files
    assert main([*config, "--resume", RUN]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["paths"]["output"] == str(what.output)
    assert len(list(what.output.glob("part-*"))) == answer["run"]["output_files"] == 8
    assert MetricsReader(what.metrics).run(RUN)["paths"]["output"] == str(what.output)
    assert not pending.parent.exists()


def test_a_run_that_had_completed_is_shown_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in its clean-up, a run is complete: resumed, it answers with what it has done, and the rest is removed."""
    what = pipeline(tmp_path / "run", sources(tmp_path)[0])
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(what.config()), encoding="utf-8")
    config = ["run", "--config", str(path)]
    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "remove_run_state", lambda output: output.log.complete() or output.remove_claims())
        assert main([*config, "--run-id", RUN, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (what.output / "_commits" / RUN).exists()
    assert main([*config, "--resume", "latest", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["run"]["status"], again["run"]["total_output_records"]) == ("completed", 80)
    assert again["stages"] == answer["stages"]
    assert not list(what.output.glob("_[cs]*"))
    assert main([*config, "--resume", RUN]) == 2
    assert "has completed: there is nothing left to do" in capsys.readouterr().err


def test_a_source_without_records_costs_nothing(tmp_path: Path) -> None:
    """A file that is there and holds nothing gives no reason to remove what a run before it has written."""
    before = pipeline(tmp_path / "run", sources(tmp_path)[0]).run()
    empty = jsonl(tmp_path / "empty.jsonl", [])
    after = pipeline(tmp_path / "run", empty, if_exists="overwrite").run()
    assert after.run["total_input_records"] == 0
    assert after.files == before.files
    assert not (tmp_path / "run" / "output" / "_pending").exists()
