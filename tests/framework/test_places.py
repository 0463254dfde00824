"""Everything that a run reads or writes is checked before it starts, and blamed on its own key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory import storage
from mega_data_factory.cli import main
from mega_data_factory.errors import ConfigError, InputError, OutputError
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.contracts import Loader, Split
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader

PLACES = {
    "data_writer.params.output_path": "out",
    "executor.metrics.output_path": "metrics",
    "executor.rejected_samples.output_path": "rejected",
    "executor.errors_path": "errors",
    "executor.dead_letter_path": "dead",
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "some text"}\n')
    (tmp_path / "p.yaml").write_text(
        """
data_loader: {type: jsonl_loader, params: {path: in}}
stages: [{name: s, operators: [{name: text_length_filter}]}]
data_writer: {type: jsonl_writer, params: {output_path: out}}
executor:
  errors_path: errors
  dead_letter_path: dead
  rejected_samples: {enabled: true, output_path: rejected}
  metrics: {output_path: metrics}
"""
    )
    return tmp_path / "p.yaml"


def make_file(path: Path) -> None:
    path.write_text("in the way")


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def make_circle(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [make_file, make_dangling_link, make_circle])
@pytest.mark.parametrize("key", PLACES)
def test_what_is_in_the_way_is_blamed_on_its_key(
    config: Path, key: str, make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file or a link to nothing where a folder should be is one error; nothing has been written, not even metrics."""
    make(config.parent / PLACES[key])
    before = sorted(path.name for path in config.parent.iterdir())
    for command in ("run", "validate"):
        assert main([command, "--config", "p.yaml"]) == 1
        told = capsys.readouterr().err
        assert told.startswith("error[output-unwritable]: p.yaml:")
        assert f": {key}: " in told
    assert sorted(path.name for path in config.parent.iterdir()) == before


def test_all_places_are_told_at_once(config: Path) -> None:
    """Several places that cannot be written are lines of one error; of what lies in a bad folder nothing is said."""
    (config.parent / "file").write_text("")
    overrides = [f"{key}=file" for key in PLACES]
    with pytest.raises(OutputError) as refused:
        Executor(PipelineConfig.from_yaml(config, overrides))
    assert len(refused.value.message.splitlines()) == len(PLACES)
    (config.parent / "out").mkdir()
    (config.parent / "out" / "_errors").write_text("")
    with pytest.raises(OutputError, match=r"data_writer\.params\.output_path: .*_errors is a file"):
        Executor(PipelineConfig.from_yaml(config, ["executor.errors_path="]))


@pytest.mark.parametrize("place", ["~nosuchuser/x", "nos://x/y", "x" * 300, "a\0b", "file/below"])
@pytest.mark.parametrize("key", PLACES)
def test_places_that_cannot_be(config: Path, key: str, place: str) -> None:
    """A home that is not there, an unknown protocol, a name that is too long: one error with the key."""
    (config.parent / "file").write_text("")
    values = PipelineConfig.from_yaml(config).as_written()
    section = values
    *path, last = key.split(".")
    for part in path:
        section = section[part]
    section[last] = place
    with pytest.raises(OutputError) as refused:
        Executor(values)
    assert refused.value.message.startswith(f"{key}: ")


@pytest.mark.parametrize("key", PLACES)
def test_a_place_that_may_not_be_written(config: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no folder can be made the run does not start; `/proc` refuses root too."""
    assert main(["run", "--config", "p.yaml", "--set", f"{key}=/proc/mdf-nothing/x"]) == 1
    assert f"{key}: cannot make /proc/mdf-nothing/x" in capsys.readouterr().err
    assert sorted(path.name for path in config.parent.iterdir()) == ["in", "p.yaml"]


def test_nothing_of_the_check_stays(tmp_path: Path) -> None:
    """A folder that exists is as it was, one that does not is not made."""
    storage.check_writable(tmp_path)
    storage.check_writable(tmp_path / "a" / "b")
    storage.check_writable(f"file://{tmp_path}/a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["empty", "missing", "empty/*.jsonl"])
def test_a_source_without_files_fails(config: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A cron job over an empty folder goes red: exit code 1, on record as failed, and nothing in the output folder."""
    (config.parent / "empty").mkdir()
    override = ["--set", f"data_loader.params.path={path}"]
    assert main(["run", "--config", "p.yaml", *override]) == 1
    assert "error[input-unreadable]: data_loader.params.path: " in capsys.readouterr().err
    assert MetricsReader("metrics").run("latest")["status"] == "failed"
    assert not (config.parent / "out").exists()
    assert main(["validate", "--config", "p.yaml", *override, "--json"]) == 0
    assert "data_loader.params.path" in json.loads(capsys.readouterr().out)["warnings"][0]


class Nothing(Loader):
    """Lists no split at all."""

    def splits(self, batch_size: int) -> list[Split]:
        return []

    def read(self, split: Split, batch_size: int) -> Any:
        raise NotImplementedError


def test_a_loader_that_lists_nothing_fails(config: Path) -> None:
    """A source of one's own that is empty is an error as well."""
    values = PipelineConfig.from_yaml(config).as_written()
    values["data_loader"] = {"type": f"{__name__}:Nothing"}
    with pytest.raises(InputError, match="the source is empty"):
        list(Executor(values).execute())


def test_mistakes_in_operators_are_told_at_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, parameters and values: each mistake has a line with file, line and key; so have those of the form."""
    config.write_text(
        """data_loader:
  type: jsonl_loadr
stages:
  - name: one
    operators:
      - name: text_lenth_filter
      - name: text_length_filter
        params:
          min_lenth: 3
      - name: gopher_quality_filter
        params:
          min_words: many
          max_words: few
  - name: two
    operators:
      - name: no_such_module:Class
data_writer:
  type: parquet_writer
executor: {batch_size: 10}
"""
    )
    wrong = {
        2: "data_loader.type: there is no loader `jsonl_loadr`; did you mean `jsonl_loader`?",
        6: "stages[0].operators[0].name: there is no operator `text_lenth_filter`; did you mean `text_length_filter`?",
        9: "stages[0].operators[1].params.min_lenth: text_length_filter has no such parameter; did you mean `min_len",
        12: "stages[0].operators[2].params.min_words: gopher_quality_filter: min_words is 'many'",
        13: "stages[0].operators[2].params.max_words: gopher_quality_filter: max_words is 'few'",
        16: "stages[1].operators[0].name: cannot load `no_such_module:Class`",
        17: "data_writer.params: parquet_writer needs `output_path`",
    }
    for command in ("validate", "plan", "run"):
        assert main([command, "--config", "p.yaml"]) == 2
        lines = capsys.readouterr().err.removeprefix("error[config-invalid]: ").splitlines()
        assert len(lines) == len(wrong)
        for number, start in wrong.items():
            assert any(line.startswith(f"p.yaml:{number}: {start}") for line in lines), (number, lines)
    config.write_text(config.read_text().replace("batch_size: 10", "batch_size: 0"))
    assert main(["validate", "--config", "p.yaml"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == len(wrong) + 1


def refused(config: Path, *overrides: str) -> str:
    """What a configuration is refused with, before anything is made."""
    before = sorted(config.parent.rglob("*"))
    with pytest.raises(ConfigError) as error:
        Executor(PipelineConfig.from_yaml(config, overrides, with_components=True))
    assert sorted(config.parent.rglob("*")) == before
    return str(error.value)


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("in", "in"),
        ("in", "in/clean"),
        ("in", "./in/../in/clean"),
        ("in/", "link"),
        ("link", "in"),
        (".", "out"),
        ("in/**/*.jsonl", "in/clean"),
        ("in/*.jsonl", "in"),
        ("in/*", "in/clean"),
        ("in/*/*.jsonl", "link/clean"),
        ("out/_errors", "out"),
        ("s3://bucket/in", "s3a://bucket/in/out/"),
        ("s3://bucket/in/*.jsonl", "s3://bucket/in"),
    ],
)
def test_a_run_that_would_read_what_it_writes(config: Path, path: str, output: str) -> None:
    """Equal to the source, in it, above a part of it, through links and globs: refused, and blamed on the output."""
    (config.parent / "link").symlink_to("in")
    said = refused(config, f"data_loader.params.path={path}", f"data_writer.params.output_path={output}")
    assert "data_writer.params.output_path: data_loader would read what the run writes there, such as" in said
    assert "write to a folder outside of the source" in said


@pytest.mark.parametrize("key", [key for key in PLACES if "metrics" not in key])
def test_every_place_is_apart_from_the_source(config: Path, key: str) -> None:
    """Errors, dead letters and samples in the source are refused as output is, by their own keys."""
    assert f"{key}: data_loader would read" in refused(config, f"{key}=in/here")


def test_metrics_are_apart_from_a_source_of_parquet(config: Path) -> None:
    """A loader of Parquet would read metrics, one of JSON lines would not."""
    Executor(PipelineConfig.from_yaml(config, ["executor.metrics.output_path=in/m"], with_components=True))
    loader = ["data_loader.type=parquet_loader", "executor.metrics.output_path=in/m"]
    assert "executor.metrics.output_path: data_loader would read" in refused(config, *loader)


@pytest.mark.parametrize(
    "overrides",
    [
        ("data_writer.params.output_path=in/_clean",),
        ("data_writer.params.output_path=in2",),
        ("data_loader.params.path=in/*.jsonl", "data_writer.params.output_path=in/clean"),
        ("data_loader.params.path=in/*/*.jsonl", "data_writer.params.output_path=in"),
        ("data_loader.params.path=in/a.jsonl", "data_writer.params.output_path=in"),
        ("data_writer.type=parquet_writer", "data_writer.params.output_path=in/clean"),
        ("data_loader.params.path=in/raw", "data_writer.params.output_path=in"),
    ],
)
def test_places_near_the_source_are_fine_where_they_are_not_read(config: Path, overrides: tuple[str, ...]) -> None:
    """What the loader leaves out, by its name, ending or pattern, may be written."""
    Executor(PipelineConfig.from_yaml(config, overrides, with_components=True))


def test_a_source_that_would_be_replaced(config: Path) -> None:
    """A run that overwrites does not take a file of its own output folder as its source: it would remove it."""
    out = config.parent / "out"
    out.mkdir()
    source = out / "part-000000-00000-aaaaaaaa-bbbbbbbb.jsonl"
    source.write_text('{"text": "some text"}\n')
    overrides = [f"data_loader.params.path={source}", "data_writer.params.if_exists=overwrite"]
    with pytest.raises(ConfigError, match=r"would replace part-.* which it reads"):
        Executor(PipelineConfig.from_yaml(config, overrides, with_components=True)).run()
    assert [path.name for path in out.iterdir()] == [source.name]
