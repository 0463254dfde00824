"""Datasets of the `datasets` library, built here and read without a network."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mega_data_factory.errors import InputError, MissingPackageError
from mega_data_factory.loaders.hugging_face_loader import HuggingFaceLoader
from tests.loaders.loaders_sources import ids, read_all

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of another package's import


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `datasets` the loader is built, and reading explains what to install."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingPackageError) as caught:
        HuggingFaceLoader(dataset="x").splits(10)
    assert "pip install 'mega-data-factory[huggingface]'" in str(caught.value)


def test_a_builder_reads_data_files(tmp_path: Path) -> None:
    """Local JSON files are read through the `json` builder, projected and named by a column."""
    (tmp_path / "x.json").write_text('{"k": "a", "t": "one"}\n{"k": "b", "t": "two"}\n')
    loader = HuggingFaceLoader(
        dataset="json",
        data_files=str(tmp_path / "x.json"),
        columns=["t"],
        id_column="k",
        cache_dir=str(tmp_path / "cache"),
    )
    tables, _ = read_all(loader)
    assert ids(tables) == ["a", "b"]
    assert tables[0].column_names == ["record_id", "k", "t"]


def test_a_dataset_that_cannot_be_loaded_is_explained(tmp_path: Path) -> None:
    """The library's own error is chained to one that names dataset, split and parameter."""
    with pytest.raises(InputError, match=r"params\.dataset: cannot load .*nope.*split `train`"):
        HuggingFaceLoader(dataset=str(tmp_path / "nope" / "nope"), cache_dir=str(tmp_path)).splits(10)


@pytest.mark.parametrize("params", [{"dataset": ""}, {"dataset": "x", "split": ""}, {"dataset": "x", "columns": []}])
def test_parameters_are_checked(params: dict[str, object]) -> None:
    """The constructor refuses empty names and lists."""
    with pytest.raises(ValueError, match=r"dataset|columns"):
        HuggingFaceLoader(**params)  # type: ignore[arg-type]
