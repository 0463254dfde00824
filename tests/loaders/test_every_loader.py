"""What every loader must do, over the whole family."""

from __future__ import annotations

import inspect
import pickle
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

from mega_data_factory.errors import InputError
from tests.loaders.loaders_sources import HUGGING_FACE, RECORDS, SOURCES, Source, ids, read_all

EVERY = [pytest.param(source, id=source.name) for source in SOURCES] + [
    pytest.param(
        HUGGING_FACE,
        id="hugging_face",
        marks=[pytest.mark.filterwarnings("ignore")],  # warnings of another package's import
    )
]
FILES = [pytest.param(source, id=source.name) for source in SOURCES]


@pytest.fixture(params=EVERY)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    given: Source = request.param
    with warnings.catch_warnings():
        given.make(tmp_path)
    return given


def test_union_of_splits_is_all_records_each_with_a_name_of_its_own(source: Source, tmp_path: Path) -> None:
    """Over all splits every record comes once, under a unique id that does not tell where the folder is."""
    tables, skipped = read_all(source.loader(tmp_path))
    names = ids(tables)
    assert len(names) == len(set(names)) == RECORDS
    assert skipped == []
    assert not any(str(tmp_path) in name for name in names)
    assert all(table.column_names[0] == "record_id" for table in tables)
    assert all(table.schema.field("record_id").type == pa.string() for table in tables)


def test_reading_twice_is_the_same(source: Source, tmp_path: Path) -> None:
    """Another loader, built anew as in another worker, gives the same splits and the same tables."""
    first, second = source.loader(tmp_path), source.loader(tmp_path)
    assert list(first.splits(10)) == list(second.splits(10))
    tables, _ = read_all(first)
    again, _ = read_all(second)
    assert all(one.equals(other) for one, other in zip(tables, again, strict=True))


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_tables_obey_the_batch_size(source: Source, tmp_path: Path, batch_size: int) -> None:
    """No table has more rows than asked for, none is empty, and the records do not depend on the batch size."""
    tables, _ = read_all(source.loader(tmp_path), batch_size)
    assert all(0 < table.num_rows <= batch_size for table in tables)
    assert sorted(ids(tables)) == sorted(ids(read_all(source.loader(tmp_path))[0]))


def test_count_agrees_with_read(source: Source, tmp_path: Path) -> None:
    """`count` is what `read` gives, and stops where it is told to."""
    loader = source.loader(tmp_path)
    for split in loader.splits(10):
        rows = sum(table.num_rows for table in loader.read(split, 10))
        assert loader.count(split, 1000) == rows
        assert loader.count(split, 2) == min(2, rows)
        assert split.num_records in (None, rows)


def test_params_are_small_and_keyword_only(source: Source, tmp_path: Path) -> None:
    """A split travels as little data, and every parameter has a name and a sentence."""
    loader = source.loader(tmp_path)
    assert all(len(pickle.dumps(split)) < 1000 for split in loader.splits(10))
    parameters = list(inspect.signature(type(loader)).parameters.values())
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters)
    document = inspect.getdoc(type(loader)) or ""
    assert all(f"\n    {p.name}: " in document for p in parameters)


@pytest.mark.parametrize("source", FILES)
def test_a_missing_path_names_itself_and_the_parameter(source: Source, tmp_path: Path) -> None:
    """Listing what is not there is an `InputError` at once, not at the first record."""
    with pytest.raises(InputError, match=r"data_loader\.params\.path: nothing matches .*nope"):
        source.loader(tmp_path / "nope").splits(10)


@pytest.mark.parametrize("source", FILES)
def test_a_folder_without_a_file_is_an_error(source: Source, tmp_path: Path) -> None:
    """A folder without a file for the loader is an error that names parameter, folder and endings: a disk that is not
    mounted, or a suffix that is mistyped, must not look like a run that went well."""
    (tmp_path / "other.bin").write_bytes(b"x")
    with pytest.raises(InputError, match=r"data_loader\.params\.path: no file below") as refused:
        read_all(source.loader(tmp_path))
    assert str(tmp_path) in refused.value.message
    assert source.suffix in refused.value.message


@pytest.mark.parametrize("source", FILES)
def test_unreadable_files_are_skipped_by_name(source: Source, tmp_path: Path) -> None:
    """A dangling link is one skipped record; the files beside it are read."""
    source.make(tmp_path)
    (tmp_path / f"zz{source.suffix}").symlink_to("nowhere")
    tables, skipped = read_all(source.loader(tmp_path))
    assert len(ids(tables)) == RECORDS
    assert [(s.record_id, "No such file" in s.message) for s in skipped] == [(f"zz{source.suffix}", True)]


@pytest.mark.parametrize("source", FILES)
def test_several_roots_keep_ids_unique(source: Source, tmp_path: Path) -> None:
    """The same files under two roots of the same name have different ids; one file reached twice is read once."""
    for folder in ("x/data", "y/data"):
        (tmp_path / folder).mkdir(parents=True)
        source.make(tmp_path / folder)
    paths = [str(tmp_path / "x/data"), str(tmp_path / "y/data"), str(tmp_path / "x/data")]
    tables, _ = read_all(type(source.loader(tmp_path))(path=paths))  # type: ignore[call-arg]
    names = ids(tables)
    assert len(names) == len(set(names)) == 2 * RECORDS
    assert {name.split("/")[0] for name in names} == {"data", "data~2"}


@pytest.mark.parametrize("source", FILES)
@pytest.mark.parametrize("path", ["", [], [1]])
def test_a_wrong_path_is_refused_at_once(source: Source, path: object) -> None:
    """The constructor refuses a path that names nothing."""
    with pytest.raises(ValueError, match="path is"):
        type(source.loader(Path("x")))(path=path)  # type: ignore[call-arg]
