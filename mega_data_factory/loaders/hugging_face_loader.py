"""Datasets of the Hugging Face hub, or in its formats on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from mega_data_factory import extras, storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import Loader, Split
from mega_data_factory.loaders.parsing.files import RecordNames, check_columns, numbered, slices
from mega_data_factory.loaders.parsing.values import MAX_RECORD_MB, checked_limit, plain_types, split_off

_MAX_SPLITS = 4096
"""However large the dataset, the plan stays readable."""


class HuggingFaceLoader(Loader):
    """Reads a dataset with the `datasets` library (`pip install 'mega-data-factory[huggingface]'`).

    `record_id` is `split#row`. All columns follow; text comes as `string`, images and audio as the library stores them.
    The library downloads and converts the dataset once to its cache; each worker reads its rows from there.

    Args:
        dataset: name on the hub, a folder, a folder that `save_to_disk` wrote, or a builder (`json`, `parquet`, `csv`,
            `text`) for `data_files`.
        config: name of the dataset's configuration, where it has several.
        split: split to read; slices such as `train[:10%]` work.
        data_files: files for a builder: a path, a list, or a mapping of split to paths.
        revision: branch, tag or commit on the hub; name a commit for a run that can be repeated.
        columns: columns to read; all by default.
        id_column: column whose values name the records, cast to strings. A null is replaced by `split#row`, a value
            that repeats within a piece gets it added; values should be unique in the whole dataset.
        cache_dir: where the library keeps its cache; its own default when left out.
        max_record_mb: skip records whose texts and bytes are larger together, in MB of 2^20 bytes.
    """

    def __init__(
        self,
        *,
        dataset: str,
        config: str | None = None,
        split: str = "train",
        data_files: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
        revision: str | None = None,
        columns: Sequence[str] | None = None,
        id_column: str | None = None,
        cache_dir: str | None = None,
        max_record_mb: float = MAX_RECORD_MB,
    ) -> None:
        super().__init__()
        extras.require("huggingface", "hugging_face_loader")
        if not dataset or not split:
            raise ValueError("dataset and split must not be empty")
        if isinstance(columns, str) or (columns is not None and not columns):
            raise ValueError(f"columns is {columns!r}; give a list of names, or leave it out for all")
        self._dataset = dataset
        self._split = split
        self._columns = None if columns is None else list(columns)
        self._id_column = id_column
        self._max_bytes = checked_limit(max_record_mb)
        self._options = {"name": config, "data_files": data_files, "revision": revision, "cache_dir": cache_dir}
        self._loaded: Any = None

    def splits(self, batch_size: int) -> list[Split]:
        """Return ranges of rows of equal length."""
        total = self._rows().num_rows
        length = max(batch_size, -(-total // _MAX_SPLITS))
        return [
            Split({"start": start, "end": min(start + length, total)}, num_records=min(length, total - start))
            for start in range(0, total, length)
        ]

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the rows of the range."""
        rows = self._rows()
        names = RecordNames(self._id_column)
        for start in range(split.params["start"], split.params["end"], batch_size):
            end = min(start + batch_size, split.params["end"])
            table = plain_types(rows[start:end].replace_schema_metadata(None))
            places = numbered(f"{self._split}#", range(start, end))
            table, places = split_off(table, places, self._max_bytes, self.skip)
            yield from slices(names.name(table, places).combine_chunks(), batch_size)

    def _rows(self) -> Any:
        """Return the dataset, loaded once per loader, projected, giving Arrow tables."""
        if self._loaded is None:
            dataset = self._load()
            if self._id_column is not None:
                check_columns([self._id_column], dataset.column_names, self._dataset, "id_column")
            if self._columns is not None:
                check_columns(self._columns, dataset.column_names, self._dataset, "columns")
                ids = [] if self._id_column is None else [self._id_column]
                dataset = dataset.select_columns(list(dict.fromkeys([*ids, *self._columns])))
            self._loaded = dataset.with_format("arrow")
        return self._loaded

    def _load(self) -> Any:
        import datasets

        try:
            if storage.exists(storage.join(self._dataset, "state.json")):
                return datasets.load_from_disk(self._dataset)
            if storage.exists(storage.join(self._dataset, "dataset_dict.json")):
                return datasets.load_from_disk(self._dataset)[self._split]
            return datasets.load_dataset(self._dataset, split=self._split, **self._options)
        except Exception as error:
            raise InputError(
                f"data_loader.params.dataset: cannot load `{self._dataset}`, split `{self._split}`: {error}",
                hint="check the name, the split and data_files; the hub needs a network and, for some, a token",
            ) from error
