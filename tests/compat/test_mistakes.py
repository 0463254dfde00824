"""Mistakes in configurations of the original: named with their lines, whatever the file holds."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_data_factory.cli import main
from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.plan import make_plan
from tests.compat.old_files import OLD

UNAVAILABLE = """\
data_loader:
  type: HuggingFaceLoader
  params: {dataset_name: [1]}
stages:
  - name: images
    output_path: ./images
    operators:
      - name: image_metadata_refiner
      - name: url_filter
        params: {blocklist_paths: [a, b], check_subdomains: false, word_weights: 3, url_colum: x}
data_writer:
  type: IcebergDataWriter
  params: {catalog_name: c}
executor:
  use_ray: ${RAY}
  engin: ray
"""


def test_what_cannot_be_done_is_one_error_with_all_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A component that needs the network or is not here is named with what to use, beside every other mistake."""
    (folder / "old.yaml").write_text(UNAVAILABLE, encoding="utf-8")
    assert main(["validate", "-c", "old.yaml"]) == 2
    said = capsys.readouterr().err
    for line, words in [
        (8, "there is no operator `image_metadata_refiner`; operators on images are not part of this package"),
        (10, "blocklist_paths: several files; put them into one, and write `blocked_domains_file: FILE`"),
        (10, "check_subdomains: false has no form of today"),
        (10, "word_weights: not a mapping of words to numbers"),
        (10, "url_colum: url_filter has no such parameter; did you mean `url_column`?"),
        (12, "there is no writer `IcebergDataWriter`; tables of Iceberg are not written here: write Parquet"),
        (15, "executor.use_ray: write `engine: ray` or `engine: local`"),
        (16, "executor.engin: unknown key; did you mean `engine`?"),
    ]:
        assert any(f"old.yaml:{line}: " in text and words in text for text in said.splitlines()), (line, words, said)


def test_overrides_may_be_old_as_well(folder: Path) -> None:
    """`--set` of an old key is blamed on the command line; a key that is there in both forms keeps that of today."""
    config = PipelineConfig.from_yaml("old.yaml", ["executor.use_ray=true", "executor.engine=local"])
    assert config.executor.engine == "local"
    (told,) = (text for text in config.old_form if text.startswith("--set"))
    assert told == (
        "--set executor.use_ray is an old form: leave it out, for `executor.engine` is there too and counts"
    )
    with pytest.raises(ConfigError, match=r"--set data_writer\.params\.target_file_mb"):
        make_plan(PipelineConfig.from_yaml("old.yaml", ["data_writer.params.target_file_mb=-1"]))


def test_workers_and_operators_must_belong_together(folder: Path) -> None:
    """An operator that no worker names is left out, with a warning; one that is not there is a mistake."""
    values: dict[str, Any] = yaml.safe_load(OLD)
    values["workers"] = values["workers"][:1]
    config = PipelineConfig.from_dict(values)
    assert [stage.name for stage in config.stages] == ["clean"]
    assert any("no worker names `text_exact_deduplicator`" in text for text in config.old_form)
    values["workers"][0]["operator_names"].append("nothing")
    with pytest.raises(ConfigError, match=r"workers\[0\].operator_names: there is no operator `nothing`"):
        PipelineConfig.from_dict(values)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(item, (*path, key))


@pytest.mark.parametrize("odd", [None, 3, [["x"]], {"a": 1}])
def test_whatever_an_old_key_holds_the_answer_is_a_configuration_error(
    odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Each value of an old file is replaced by an odd one in turn: it is accepted, or refused with a ConfigError."""
    caplog.set_level(logging.ERROR, "mega_data_factory")
    for path in _paths(yaml.safe_load(OLD)):
        values = yaml.safe_load(OLD)
        above = values
        for part in path[:-1]:
            above = above[part]
        above[path[-1]] = copy.deepcopy(odd)
        with contextlib.suppress(ConfigError):
            PipelineConfig.from_dict(values)


def test_an_endless_old_mapping_is_refused() -> None:
    """A mapping that holds itself is nested too deeply, with old words in it as without."""
    values: dict[str, Any] = yaml.safe_load(OLD)
    values["executor"]["metrics"] = values
    with pytest.raises(ConfigError, match="nested deeper than 100 levels"):
        PipelineConfig.from_dict(values)
