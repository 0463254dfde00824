"""A configuration is checked once: every mistake is one error that says where it is and what would be right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mega_data_factory.errors import ConfigError
from mega_data_factory.formats import parse_size
from mega_data_factory.framework.config import pipeline as config_module
from mega_data_factory.framework.config.pipeline import MetricsConfig, PipelineConfig, check_config
from tests.framework.making import pipeline

GOOD = """\
name: demo
data_loader:
  type: text_loader
  params: {path: in.txt, token: "${MDF_TEST_TOKEN}"}
stages:
  - name: clean
    operators:
      - name: first
        params: {min_length: 5}
      - name: second
    worker:
      num_replicas: 2
  - name: dedup
    operators:
      - name: third
data_writer:
  type: parquet_writer
executor:
  batch_size: 100
  metrics:
    enabled: true
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes the good configuration with some text replaced; returns its path."""
    monkeypatch.setenv("MDF_TEST_TOKEN", "secret")

    def write(old: str = "", new: str = "") -> Path:
        assert old in GOOD
        path = tmp_path / "pipe.yaml"
        path.write_text(GOOD.replace(old, new, 1) if old else GOOD)
        return path

    return write


def test_a_good_file(write: Callable[..., Path]) -> None:
    """Values, defaults and the environment come together."""
    config = PipelineConfig.from_yaml(write())
    assert (config.name, config.executor.batch_size, config.executor.engine) == ("demo", 100, "local")
    assert config.data_loader.params == {"path": "in.txt", "token": "secret"}
    assert (config.stages[0].worker.min_workers, config.stages[1].worker.max_workers) == (2, 1)
    assert PipelineConfig.from_yaml(write("name: demo\n", "")).name == "pipe"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("batch_size", "batchsize", 19, "executor.batchsize: unknown key; did you mean `batch_size`?"),
        ("num_replicas", "replicas", 12, "stages[0].worker.replicas: unknown key; did you mean `num_replicas`?"),
        ("enabled", "enable", 21, "executor.metrics.enable: unknown key; did you mean `enabled`?"),
        ("    operators:\n      - name: third", "    oprators:\n      - name: third", 14, "did you mean `operators`?"),
        ("batch_size: 100", "batch_size: 0", 19, "executor.batch_size: Input should be greater than or equal to 1"),
        ("batch_size: 100", "batch_size: many", 19, "(got 'many')"),
        ("    enabled: true", "    slice_by: dump", 21, "metrics.slice_by: Input should be a list (got 'dump')"),
        ("    enabled: true", "    slice_by: null", 21, "metrics.slice_by: Input should be a list (got null)"),
        ("    enabled: true", "    prices: 4", 21, "executor.metrics.prices: Input should be a mapping (got 4)"),
        ("    enabled: true", "    node_interval: .inf", 21, "less than or equal to 86400"),
        ("    enabled: true", "    node_interval: 0.001", 21, "at least 0.1"),
        ("batch_size: 100", "engine: rey", 19, "executor.engine: Input should be 'local' or 'ray' (got 'rey')"),
        ("batch_size: 100", "max_errors: 1.5", 19, "a count of records is a whole number"),
        ("batch_size: 100", "max_errors: .inf", 19, "a count of records is a whole number"),
        ("num_replicas: 2", "resources: {memory: 2 parsecs}", 12, "'2 parsecs' is not a size"),
        ("num_replicas: 2", "resources: {memory: inf}", 12, "'inf' is not a size"),
        ("num_replicas: 2", "resources: {memory: -1}", 12, "stages[0].worker.resources.memory"),
        ("num_replicas: 2", "{num_replicas: 1, max_replicas: 2}", 11, "stages[0].worker: give either num_replicas or"),
        ("num_replicas: 2", "{min_replicas: 3, max_replicas: 2}", 11, "min_replicas 3 is more than max_replicas 2"),
        ("name: clean", "nam: clean", 6, "stages[0].name: missing"),
        ("      - name: third", "      []", 14, "stages[1].operators: List should have at least 1 item"),
        ("batch_size: 100", "batch_size: 100\n  batch_size: 1", 20, "executor.batch_size is written twice"),
        ("token: \"${MDF_TEST_TOKEN}", "token: \"${MDF_TEST_NONE}", 4, "environment variable MDF_TEST_NONE is not set"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_and_key(
    write: Callable[..., Path], old: str, new: str, line: int, said: str
) -> None:
    """File, line, key, what was wrong and the nearest thing that would be right stand in one error."""
    path = write(old, new)
    with pytest.raises(ConfigError) as refusal:
        PipelineConfig.from_yaml(path)
    assert f"{path}:{line}: " in str(refusal.value)
    assert said in str(refusal.value)


def test_all_mistakes_are_told_at_once(write: Callable[..., Path]) -> None:
    """Who made two mistakes is told both."""
    with pytest.raises(ConfigError) as refusal:
        PipelineConfig.from_yaml(write("batch_size: 100", "batch_size: 0\n  max_atempts: 1"))
    assert len(str(refusal.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: [1, 2", "is not valid YAML"),
        (b"{[a, b]: 1}", "unhashable key"),
        (b"a: &a [*a]", "contains a recursive alias"),
        (b"[" * 3000, "nested too deeply"),
        (b"- a\n- b", "holds no mapping"),
        (b"", "holds no mapping"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"a: 1\n---\nb: 2", "is not valid YAML"),
        (b"1: 2", "Keys should be strings"),
    ],
)
def test_odd_files_are_config_errors(tmp_path: Path, text: bytes, said: str) -> None:
    """Whatever is in the file, the answer is a ConfigError that names it."""
    path = tmp_path / "odd.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as refusal:
        PipelineConfig.from_yaml(path)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that is no readable file is said to be so."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot read"):
            PipelineConfig.from_yaml(path)


@pytest.mark.parametrize(
    ("value", "env", "expected"),
    [
        ("${MDF_TEST_X}", "12", 12),
        ("${MDF_TEST_X}", "true", True),
        ("${MDF_TEST_X}", "@pass: word", "@pass: word"),
        ("${MDF_TEST_X}", "[unclosed", "[unclosed"),
        ("${MDF_TEST_X:-7}", None, 7),
        ("${MDF_TEST_X:-}", None, None),
        ("a-${MDF_TEST_X:-b}-${MDF_TEST_X:-c}", None, "a-b-c"),
        ("a-${MDF_TEST_X}", "12", "a-12"),
        ("$MDF_TEST_X and ${}", None, "$MDF_TEST_X and ${}"),
    ],
)
def test_environment_variables(monkeypatch: pytest.MonkeyPatch, value: str, env: str | None, expected: object) -> None:
    """`${NAME}` and `${NAME:-default}` are filled in; a value that is one variable keeps its type, odd text stays."""
    monkeypatch.delenv("MDF_TEST_X", raising=False)
    if env is not None:
        monkeypatch.setenv("MDF_TEST_X", env)
    made = PipelineConfig.from_dict(pipeline(data_loader={"type": "t", "params": {"deep": [{"x": value}]}}))
    assert made.data_loader.params == {"deep": [{"x": expected}]}


def test_secrets_do_not_stay_in_what_is_stored(write: Callable[..., Path]) -> None:
    """What is stored with a run holds `${NAME}`, not its value, overrides included; and changing it changes nothing."""
    config = PipelineConfig.from_yaml(write(), ["data_loader.params.key=${MDF_TEST_TOKEN}", "executor.batch_size=7"])
    assert config.data_loader.params["key"] == "secret"
    assert "secret" not in str(config.as_written())
    assert config.as_written()["data_loader"]["params"]["key"] == "${MDF_TEST_TOKEN}"
    assert config.as_written()["executor"]["batch_size"] == 7
    config.as_written()["stages"].clear()
    assert config.as_written()["stages"]


@pytest.mark.parametrize("stage", ["0", "clean"])
@pytest.mark.parametrize("operator", ["0", "first"])
def test_overrides_by_number_and_by_name(write: Callable[..., Path], stage: str, operator: str) -> None:
    """List items are named by position or by their `name`; sections that are not there yet are made."""
    config = PipelineConfig.from_yaml(
        write(),
        [
            f"stages.{stage}.operators.{operator}.params.min_length=9",
            f"stages.{stage}.worker.resources.memory=1KiB",
            "executor.rejected_samples.enabled=true",
        ],
    )
    assert config.stages[0].operators[0].params == {"min_length": 9}
    assert config.stages[0].worker.resources.memory == 1024
    assert config.executor.rejected_samples.enabled


@pytest.mark.parametrize(
    "override",
    ["nothing", "=1", "stages.nope.name=x", "stages.9.name=x", "name.deeper=1", "executor.batch_size=[1", "stages.²=1"],
)
def test_a_wrong_override_is_named(write: Callable[..., Path], override: str) -> None:
    """An override that has no place to go is an error that repeats it."""
    with pytest.raises(ConfigError, match="--set"):
        PipelineConfig.from_yaml(write(), [override])


def test_overrides_leave_the_caller_alone() -> None:
    """A configuration made in Python is neither changed by overrides nor by what the caller does with it later."""
    values = pipeline()
    config = PipelineConfig.from_dict(values, ["name=x"])
    values["data_loader"]["params"]["path"] = "other"
    assert "name" not in values
    assert config.data_loader.params["path"] == "in.txt"


def _models() -> list[type[BaseModel]]:
    found = [value for value in vars(config_module).values() if isinstance(value, type)]
    return [m for m in found if issubclass(m, BaseModel) and m.__module__ == config_module.__name__ and m.model_fields]


@pytest.mark.parametrize("model", _models())
def test_every_key_has_a_sentence(model: type[BaseModel]) -> None:
    """Each section and each key is documented by at least one whole sentence or phrase."""
    assert model.__doc__
    for name, info in model.model_fields.items():
        assert info.description, f"{model.__name__}.{name} has no sentence"
        assert info.description.rstrip().endswith((".", ")")), f"{model.__name__}.{name}"


def test_metrics_keys_are_documented() -> None:
    """The dataclass names every key in its docstring."""
    for key in dataclasses.fields(MetricsConfig):
        assert f"{key.name}: " in (MetricsConfig.__doc__ or "")


def test_models_are_frozen() -> None:
    """A checked configuration cannot be changed."""
    config = PipelineConfig.from_dict(pipeline())
    with pytest.raises(ValidationError):
        config.name = "other"
    with pytest.raises(ValidationError):
        config.executor.batch_size = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.executor.metrics.enabled = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1000", 1000), ("2GB", 2 * 10**9), ("512 MiB", 2**29), ("1.5k", 1500), ("3b", 3), ("1tib", 2**40)],
)
def test_sizes(text: str, expected: int) -> None:
    """Sizes are read with decimal and binary units, in any case."""
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "1 light year", "1e400", "nan", "1GiBB", "--1"])
def test_no_sizes(text: str) -> None:
    """What is no size is refused with an example of one."""
    with pytest.raises(ValueError, match="512MiB"):
        parse_size(text)


def test_check_config_takes_all_forms(write: Callable[..., Path]) -> None:
    """A model, a mapping, a path and its text are all taken; anything else is refused by type."""
    config = PipelineConfig.from_dict(pipeline())
    forms: list[Any] = [config, pipeline(), write(), str(write())]
    assert [check_config(form).name for form in forms] == ["pipeline", "pipeline", "demo", "demo"]
    with pytest.raises(ConfigError, match="not list"):
        check_config([])  # type: ignore[arg-type]
