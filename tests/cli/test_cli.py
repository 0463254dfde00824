"""The `mdf` command, run as a user runs it: real files in, text and exit code out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import mega_data_factory
from mega_data_factory import catalogue
from mega_data_factory.cli import main

SHORT, LONG = "too short", "a text that is long enough to stay where it is, number "


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with 20 text files, 5 of them short and 2 equal."""
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(20):
        text = f"{SHORT} {number}" if number % 4 == 0 else f"{LONG}{number}"
        (texts / f"{number:02}.txt").write_text(text, encoding="utf-8")
    (texts / "02.txt").write_text(f"{LONG}1", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def pipeline(folder: Path, *, operators: list[dict[str, Any]] | None = None, **executor: Any) -> str:
    """Write a pipeline over the texts of the folder; returns the file's name."""
    steps = operators or [
        {"name": "text_length_filter", "params": {"min_length": 30}},
        {"name": "exact_deduplicator"},
    ]
    config = {
        "data_loader": {"type": "text_loader", "params": {"path": "texts"}},
        "stages": [{"name": "clean", "operators": steps}],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": "output"}},
        "executor": {"batch_size": 5, **executor},
    }
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return "pipeline.yaml"


def write_module(folder: Path, name: str, code: str) -> None:
    """A module of the user's own, in the working folder."""
    (folder / f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`mdf --version` and `mdf -V` print the version of the package."""
    for option in ("--version", "-V"):
        assert main([option]) == 0
        assert capsys.readouterr().out == f"mdf {mega_data_factory.__version__}\n"


@pytest.mark.parametrize("arguments", [["rum"], ["run"], ["run", "--config"], ["run", "--colour"], ["plan", "x", "y"]])
def test_a_misused_command_line_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command or option, or a missing value, is one `error[usage]` line, a hint, and exit code 2."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error[usage]: ")
    assert "hint: `mdf --help`" in captured.err
    assert captured.out == ""


def test_errors_are_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json an error is a JSON document with slug, message and hint on stdout, and text on stderr too."""
    assert main(["validate", "--config", "nowhere.yaml", "--json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["slug"] == "config-invalid"
    assert "nowhere.yaml" in error["message"]
    assert set(error) == {"slug", "message", "hint"}
    assert captured.err.startswith("error[config-invalid]: ")


def test_validate_says_ok(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A valid configuration is one line that counts its stages and operators."""
    assert main(["validate", "--config", pipeline(folder)]) == 0
    assert capsys.readouterr().out == "ok: pipeline.yaml: 1 stage, 2 operators\n"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("executor.batch_sise=5", "batch_size"),
        ("executor.engine=spark", "local"),
        ("data_loader.type=text_loder", "did you mean `text_loader`?"),
        ("stages.0.operators.text_length_filter.params.min_lenght=3", "did you mean `min_length`?"),
        ("nonsense", "key=value"),
        ("data_writer.params.output_path=memory://out", "memory of one process"),
    ],
)
def test_validate_names_what_would_be_right(
    folder: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong key, value, name or parameter is refused with exit code 2 and the nearest right one."""
    assert main(["validate", "--config", pipeline(folder), "--set", override]) == 2
    assert message in capsys.readouterr().err


def test_plan_shows_what_would_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan names loader, operators with parameters, pools, writer, and the bound on memory."""
    assert (
        main(["plan", "--config", pipeline(folder), "--set", "stages.0.worker={min_replicas: 1, max_replicas: 3}"]) == 0
    )
    out = capsys.readouterr().out
    for text in ("text_loader", "path='texts'", "min_length=30", "1 to 3 workers", "parquet_writer", "fits", "records"):
        assert text in out


def test_plan_as_json_hides_secrets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON plan has stable keys, and values of keys that sound like secrets are starred at any depth."""
    write_module(
        folder,
        "reader_with_token",
        """
            from mega_data_factory.loaders.text_loader import TextLoader

            class TokenLoader(TextLoader):
                def __init__(self, *, path, storage_options):
                    super().__init__(path=path)
        """,
    )
    loader = "data_loader={type: 'reader_with_token:TokenLoader', params: {path: t, storage_options: {api_token: abc}}}"
    assert main(["plan", "--config", pipeline(folder), "--set", loader, "--json"]) == 0
    out = capsys.readouterr().out
    described = json.loads(out)
    assert "abc" not in out
    assert described["data_loader"]["params"]["storage_options"] == {"api_token": "***"}
    assert [op["name"] for op in described["stages"][0]["operators"]] == ["text_length_filter", "exact_deduplicator"]
    assert described["max_records_in_memory"] == described["max_in_flight"] * 5
    assert described["fit"]["fits"] is True


def test_plan_says_what_does_not_fit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pool that this machine cannot hold is told before anything runs, and running it exits 2."""
    config = pipeline(folder)
    too_much = ["--set", "stages.0.worker={resources: {gpu: 64}}"]
    assert main(["plan", "--config", config, *too_much]) == 0
    assert "64 GPU" in capsys.readouterr().out
    assert main(["run", "--config", config, *too_much]) == 2
    assert "error[resources-do-not-fit]" in capsys.readouterr().err


def test_operators_lists_the_whole_box(capsys: pytest.CaptureFixture[str]) -> None:
    """Every entry of the catalogue is listed in its group with a summary, and every parameter has its sentence."""
    assert main(["operators", "--json"]) == 0
    box = json.loads(capsys.readouterr().out)
    assert list(box) == ["loaders", "refiners", "filters", "deduplicators", "writers"]
    assert {entry["name"] for entry in box["loaders"]} == set(catalogue.LOADERS)
    assert {entry["name"] for entry in box["writers"]} == set(catalogue.WRITERS)
    steps = [entry for group in ("refiners", "filters", "deduplicators") for entry in box[group]]
    assert {entry["name"] for entry in steps} == set(catalogue.OPERATORS)
    for entry in (entry for entries in box.values() for entry in entries):
        assert entry["summary"], entry["name"]
        for parameter in entry["parameters"]:
            assert parameter["type"], (entry["name"], parameter["name"])
            assert parameter["text"], (entry["name"], parameter["name"])


def test_operators_prints_groups_and_one_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has a line per entry; one entry shows its parameters; a name that is near is suggested."""
    assert main(["operators"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.strip().startswith("text_length_filter ") for line in lines) == 1
    assert main(["operators", "TextLengthFilter"]) == 0
    out = capsys.readouterr().out
    assert "min_length: int  (default 1)" in out
    assert "least length that stays" in out
    assert main(["operators", "text_lenght_filter"]) == 2
    assert "did you mean `text_length_filter`?" in capsys.readouterr().err


def test_run_prints_lines_table_and_books(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run prints the three lines, the table with the true counts, the closed books, and where everything is."""
    assert main(["run", "--config", pipeline(folder, rejected_samples={"enabled": True}), "--run-id", "run_a"]) == 0
    out = capsys.readouterr().out
    assert "Collecting metrics from workers...\nWriting metrics to Parquet...\nMetrics written to: ./metrics\n" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.startswith(("clean", "  "))}
    assert rows["text_length_filter"][1:6] == ["20", "15", "5", "0", "75.0"]
    assert rows["text_length_filter"][-1] == "too_short"
    assert rows["exact_deduplicator"][1:5] == ["15", "14", "1", "0"]
    assert "the books balance: planned 20 = processed 20 + dead-lettered 0; every operator:" in out
    assert "run_a completed in" in out
    for path in ("output", "metrics/runs/run_a.parquet", "rejected/run_a.jsonl"):
        assert (folder / path).exists()


def test_a_run_that_cannot_be_thought_about_went_well(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails while findings are looked for is said in a line; the run is what it is."""

    def fails(_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("mega_data_factory.cli.advice.find", fails)
    assert main(["run", "--config", pipeline(folder)]) == 0
    assert "the findings of the run are not available: ZeroDivisionError: division by zero" in caplog.text


def test_run_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json stdout is one document: run, stages, books, paths, findings; flags override the configuration."""
    config = pipeline(folder)
    assert main(["run", "-c", config, "--json", "--max-samples", "8", "--batch-size", "3"]) == 0
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert set(answer) == {"run", "stages", "books", "paths", "findings"}
    assert answer["run"]["total_input_records"] == 8
    assert answer["run"]["batches"] == 3
    assert answer["books"]["balanced"] is True
    operator = answer["stages"][0]["operators"][0]
    assert operator["operator_name"] == "text_length_filter"
    assert operator["rejected_reasons"] == {"too_short": 2}
    assert operator["p99_latency"] > 0
    assert "Metrics written to: ./metrics" in captured.err


def test_quiet_prints_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good run with --quiet prints nothing at all."""
    assert main(["run", "--config", pipeline(folder), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_run_without_metrics(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With metrics off a run says so and still says how many records it wrote."""
    assert main(["run", "--config", pipeline(folder, metrics={"enabled": False})]) == 0
    out = capsys.readouterr().out
    assert "metrics are off" in out
    assert "14 written" in out
    assert not (folder / "metrics").exists()


def test_a_failed_run_exits_1_and_leaves_its_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An operator that raises under on_error: fail ends the run with its error, no traceback, and its metrics."""
    write_module(
        folder,
        "picky",
        """
            from mega_data_factory import Refiner

            class PickyRefiner(Refiner):
                def refine(self, table):
                    raise ZeroDivisionError("seven is out of the question")
        """,
    )
    config = pipeline(folder, operators=[{"name": "picky:PickyRefiner"}], on_error="fail")
    assert main(["run", "--config", config, "--run-id", "run_f", "--json"]) == 1
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert answer["error"]["slug"] == "operator-failed"
    assert answer["run"]["status"] == "failed"
    assert "seven is out of the question" in captured.err
    assert "Traceback" not in captured.err
    assert (folder / "metrics/runs/run_f.parquet").exists()


def test_output_that_exists_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run into a folder that holds output already is refused, and the hint says what to tell the writer."""
    (folder / "output").mkdir()
    (folder / "output" / "part-00000.parquet").touch()
    assert main(["run", "--config", pipeline(folder), "--quiet"]) == 1
    captured = capsys.readouterr()
    assert "error[output-unwritable]" in captured.err
    assert "overwrite" in captured.err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_readable_run(folder: Path, sent: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end a run with the shell's exit code, no traceback, and metrics that say `interrupted`."""
    write_module(
        folder,
        "slow_one",
        """
            import time
            from pathlib import Path
            from mega_data_factory import Refiner

            class SlowRefiner(Refiner):
                def refine(self, table):
                    Path("at_work").touch()
                    time.sleep(0.3 * table.num_rows)
                    return table
        """,
    )
    config = pipeline(folder, operators=[{"name": "slow_one:SlowRefiner"}], batch_size=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "mega_data_factory.cli", "run", "--config", config, "--run-id", "run_i"],
        env=os.environ | {"PYTHONPATH": str(Path(mega_data_factory.__file__).parents[1])},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while not (folder / "at_work").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, sent)  # as a terminal does: to the workers too
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "run_i interrupted" in out
    assert (folder / "metrics/runs/run_i.parquet").exists()
