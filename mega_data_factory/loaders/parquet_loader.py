"""Parquet files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import Loader, Split
from mega_data_factory.loaders.parsing.files import (
    RecordNames,
    SourceFile,
    check_columns,
    checked_paths,
    file_name,
    file_path,
    find_files,
    numbered,
    would_find,
)
from mega_data_factory.loaders.parsing.values import MAX_RECORD_MB, checked_limit, plain_types, split_off

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile  # noqa: TID251 - the type; `storage` opens files


class ParquetLoader(Loader):
    """Reads Parquet files by row groups.

    `record_id` is `path#row`: the path relative to the searched folder and the row's number in the file, from 0. All
    columns of the file follow; text comes as `string`, UUIDs and JSON as text, other extension types as what they are
    stored as. A damaged file is skipped as one error, and so is what cannot be read of a row group. A record is skipped
    whose text is not UTF-8, as some writers leave it, or that is too large. Operators read columns of bytes as text
    where they hold UTF-8.

    Args:
        path: file, folder (searched to its depths), glob (`**` too), or a list of them; any fsspec URI.
        columns: columns to read; all by default.
        id_column: column whose values name the records, cast to strings. A null is replaced by `path#row`, a value that
            repeats within the split gets it added; values should be unique in the whole source.
        suffixes: endings of the files to take from folders and globs.
        max_record_mb: skip records whose texts and bytes are larger together, in MB of 2^20 bytes.
    """

    def __init__(
        self,
        *,
        path: str | Sequence[str],
        columns: Sequence[str] | None = None,
        id_column: str | None = None,
        suffixes: Sequence[str] = (".parquet", ".pq"),
        max_record_mb: float = MAX_RECORD_MB,
    ) -> None:
        super().__init__()
        if isinstance(columns, str) or (columns is not None and not columns):
            raise ValueError(f"columns is {columns!r}; give a list of names, or leave it out for all")
        self._paths = checked_paths(path)
        self._columns = None if columns is None else list(columns)
        self._id_column = id_column
        self._suffixes = tuple(suffixes)
        self._max_bytes = checked_limit(max_record_mb)

    def reads(self, path: str) -> bool:
        """Return whether a file of this name would be part of the source."""
        return would_find(self._paths, self._suffixes, path)

    def splits(self, batch_size: int) -> Iterable[Split]:
        """Yield neighbouring row groups of a file, together of `batch_size` rows or more."""
        files = find_files(self._paths, self._suffixes)
        return (split for file in files for split in self._splits_of(file, batch_size))

    def _splits_of(self, file: SourceFile, batch_size: int) -> Iterator[Split]:
        place = {"root": file.root, "label": file.label, "file": file.relative}
        try:
            with storage.open_parquet(file.path) as parquet:
                rows = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
        except (InputError, OSError, pa.ArrowException):
            yield Split({**place, "groups": None})  # `read` meets the same error and accounts for it
            return
        first, gathered = 0, 0
        for group, num_rows in enumerate(rows):
            gathered += num_rows
            if gathered >= batch_size or (group == len(rows) - 1 and gathered):
                yield Split({**place, "groups": [first, group + 1]}, num_records=gathered)
                first, gathered = group + 1, 0

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the row groups in turn."""
        params = split.params
        name = file_name(params["label"], params["file"])
        names = RecordNames(self._id_column)
        try:
            with storage.open_parquet(file_path(params["root"], params["file"])) as parquet:
                columns = self._projection(parquet.schema_arrow.names, name)
                starts = _first_rows(parquet)
                first, end = params["groups"] or (0, parquet.num_row_groups)
                for group in range(first, end):
                    for row, table in self._group(parquet, group, columns, batch_size, f"{name}#{starts[group]}"):
                        at = starts[group] + row
                        places = numbered(f"{name}#", range(at, at + table.num_rows))
                        table, places = split_off(table, places, self._max_bytes, self.skip)
                        if table.num_rows:
                            yield names.name(table, places)
                missing = parquet.metadata.num_rows - starts[-1]
                if missing > 0 and end == parquet.num_row_groups:
                    self.skip(name, f"damaged file: its footer tells of {missing} rows more than its row groups")
        except (OSError, pa.ArrowException) as error:
            self.skip(name, f"damaged file: {error}")
        except InputError as error:
            if not str(error).startswith("cannot open"):
                raise
            self.skip(name, error.message)

    def _group(
        self, parquet: ParquetFile, group: int, columns: list[str] | None, batch_size: int, first_record: str
    ) -> Iterator[tuple[int, pa.Table]]:
        """Yield the tables of a row group, each with the number of its first row in the group."""
        row = 0
        try:
            for batch in parquet.iter_batches(batch_size, row_groups=[group], columns=columns, use_threads=False):
                table = plain_types(pa.Table.from_batches([batch]))
                yield row, table
                row += table.num_rows
            if row < (stated := parquet.metadata.row_group(group).num_rows):
                self.skip(first_record, f"damaged row group {group}, {row} of {stated} rows are there")
        except (OSError, pa.ArrowException) as error:
            self.skip(first_record, f"damaged row group {group}, {row} rows of it were read: {error}")

    def _projection(self, known: Sequence[str], name: str) -> list[str] | None:
        if self._id_column is not None:
            check_columns([self._id_column], known, name, "id_column")
        if self._columns is None:
            return None
        check_columns(self._columns, known, name, "columns")
        wanted = [*self._columns] if self._id_column is None else [self._id_column, *self._columns]
        return list(dict.fromkeys(wanted))


def _first_rows(parquet: ParquetFile) -> list[int]:
    """Return the number of the first row of every row group, and of all rows."""
    rows = (parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups))
    return list(itertools.accumulate(rows, initial=0))
