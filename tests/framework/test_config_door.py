"""Whatever a configuration holds, a mistake in it is one error that says where."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config.pipeline import PipelineConfig

PIPELINE = """
data_loader: {type: jsonl_loader, params: {path: in.jsonl}}
stages: [{name: s, operators: [{name: text_length_filter}]}]
data_writer: {type: jsonl_writer, params: {output_path: out}}
"""


def refusal(tmp_path: Path, text: str, *overrides: str) -> ConfigError:
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        PipelineConfig.from_yaml(tmp_path / "p.yaml", overrides)
    return refused.value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2020-13-45", "looks like a date"),
        ("0x_", "looks like a whole number"),
        ("9" * 5000, "looks like a whole number"),
        ("&x [*x]", "contains a recursive alias"),
        ('"\\ud800"', "half of a surrogate pair"),
        ("[" * 3000, "nested too deeply"),
        ("!!python/object:os.system {}", "could not determine a constructor"),
    ],
)
def test_a_value_that_is_none_is_told_with_its_line(tmp_path: Path, value: str, words: str) -> None:
    """Numbers and dates that are none, binary that is none, aliases without end: one error with file and line."""
    error = refusal(tmp_path, f"{PIPELINE}name: {value}\n")
    assert words in error.message
    assert "p.yaml" in error.message
    assert "line 5" in error.message or ":5:" in error.message or "deeply" in error.message


def test_a_few_aliases_cannot_stand_for_a_billion_values(tmp_path: Path) -> None:
    """Aliases of aliases are counted before anything is made of them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.process_time()
    assert "more than 100,000 values" in refusal(tmp_path, "\n".join(lines)).message
    assert time.process_time() - started < 5


def test_an_alias_is_fine(tmp_path: Path) -> None:
    """Aliases and merge keys that stand for a little are what they are for."""
    text = PIPELINE.replace("[{name: s", "&stages [{name: s") + "name: &n demo\n"
    (tmp_path / "p.yaml").write_text(text)
    assert PipelineConfig.from_yaml(tmp_path / "p.yaml").name == "demo"


@pytest.mark.parametrize("value", ["9" * 5000, "2020-13-45", "0x_", "[" * 3000, "\udcff"])
def test_values_of_variables_and_options_are_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """What comes from the environment or from --set fares like what stands in the file."""
    monkeypatch.setenv("VALUE", value)
    assert "max_in_flight" in refusal(tmp_path, PIPELINE + 'executor: {max_in_flight: "${VALUE}"}\n').message
    assert "max_in_flight" in refusal(tmp_path, PIPELINE, f"executor.max_in_flight={value}").message


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    """`~nobody` in the path of the configuration is one error."""
    with pytest.raises(ConfigError, match=r"cannot read ~nosuchuser/x\.yaml"):
        PipelineConfig.from_yaml(Path("~nosuchuser/x.yaml"))


@settings(max_examples=75, deadline=None)
@example(text="{", spot=0)
@example(text="? [a]\n: b", spot=0)
@example(text="\0", spot=3)
@given(text=st.text(st.characters(codec="utf-8"), max_size=30), spot=st.integers(0, len(PIPELINE)))
def test_no_text_gives_anything_but_a_configuration_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, text: str, spot: int
) -> None:
    """Text put anywhere into a good configuration leaves a good one, or is refused with one error."""
    file = tmp_path_factory.mktemp("door") / "p.yaml"
    file.write_text(PIPELINE[:spot] + text + PIPELINE[spot:], encoding="utf-8")
    with contextlib.suppress(ConfigError):
        PipelineConfig.from_yaml(file)
