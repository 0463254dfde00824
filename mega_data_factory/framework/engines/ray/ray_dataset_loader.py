"""Loader of a `ray.data` dataset: anything that Ray Data can read or compute can be curated."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from mega_data_factory import extras
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import RECORD_ID, Loader, Split
from mega_data_factory.loaders.parsing.files import numbered
from mega_data_factory.loaders.parsing.values import MAX_RECORD_MB, checked_limit, plain_types, split_off


class RayDatasetLoader(Loader):
    """Reads a Ray dataset, one split per block. Needs `executor.engine: ray`.

    The dataset is materialised first (in the object store, which spills to disk), so that a block is the same in every
    attempt. A record is named `block/row`, or by `id_column`.

    Args:
        dataset: `module:function` that returns a `ray.data.Dataset`; in Python also the dataset itself, as in
            `Executor(config, loader=RayDatasetLoader(dataset=ds))`.
        id_column: column whose values name the records, cast to strings; must be unique.
        max_record_mb: skip records whose texts and bytes are larger together, in MB of 2^20 bytes.
    """

    def __init__(
        self, *, dataset: Any = None, id_column: str | None = None, max_record_mb: float = MAX_RECORD_MB
    ) -> None:
        super().__init__()
        extras.require("ray", "ray_dataset_loader")
        if isinstance(dataset, str) and ":" not in dataset:
            raise ValueError(f"dataset is {dataset!r}, not `module:function`")
        self._dataset = dataset
        self._id_column = id_column
        self._max_bytes = checked_limit(max_record_mb)
        self._blocks: list[Any] = []

    def splits(self, batch_size: int) -> Iterable[Split]:  # noqa: ARG002 - blocks have the size the dataset gave them
        """Return one split per block of the dataset."""
        dataset = self._dataset
        if isinstance(dataset, str):
            module, _, function = dataset.partition(":")
            try:
                dataset = getattr(importlib.import_module(module), function)()
            except (ImportError, AttributeError) as error:
                raise InputError(f"data_loader.params.dataset: cannot load `{self._dataset}`: {error}") from error
        if dataset is None:
            raise InputError("data_loader.params.dataset: missing", hint="name a `module:function` that returns one")
        self._dataset = None  # the workers need its blocks only
        self._blocks = dataset.materialize().to_arrow_refs()
        return [Split({"block": index}) for index in range(len(self._blocks))]

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read one block."""
        import ray  # not before the engine has settled its environment; the configuration check loads this module

        index = split.params["block"]
        table: pa.Table = ray.get(self._blocks[index])
        if not table.num_rows:
            return
        ids = self._ids(table, index)
        if RECORD_ID in table.column_names:
            names = [f"source_{name}" if name == RECORD_ID else name for name in table.column_names]
            table = table.rename_columns(names)
        table = plain_types(table.replace_schema_metadata(None).add_column(0, RECORD_ID, ids))
        table, _ = split_off(table, ids, self._max_bytes, self.skip)
        for start in range(0, table.num_rows, batch_size):
            yield table.slice(start, batch_size)

    def _ids(self, table: pa.Table, index: int) -> pa.Array | pa.ChunkedArray:
        if self._id_column is None:
            return numbered(f"{index}/", range(table.num_rows))
        if self._id_column not in table.column_names:
            there = ", ".join(table.column_names)
            raise InputError(f"data_loader.params.id_column: no column `{self._id_column}`; there is {there}")
        return table.column(self._id_column).cast(pa.string())
