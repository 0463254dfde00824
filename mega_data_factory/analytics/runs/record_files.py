"""Search for one record in the files that a run has left: output, errors, dead letters, samples of rejected records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.metrics.run_ids import run_tag

RECORD_ID = "record_id"
_LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_ROWS_AT_ONCE = 65_536


def files_of_run(folder: str, run_id: str) -> list[str]:
    """Return the files that the batches of a run left in a folder of output, errors or dead letters, by name.

    Raises:
        InputError: the folder may not be read.
    """
    names = storage.list_dir(folder) if storage.exists(folder) else []
    part = f"-{run_tag(run_id)}-"
    return [storage.join(folder, name) for name in sorted(names) if part in name and name[0] != "."]


def files_set_aside(folder: str, run_id: str) -> list[str]:
    """Return the files of a run in a folder of errors or dead letters: of its batches, and that of an observed run.

    Raises:
        InputError: the folder may not be read.
    """
    own = storage.join(folder, f"{run_id}.jsonl")
    return [*files_of_run(folder, run_id), *([own] if storage.exists(own) else [])]


def is_searched(path: str) -> bool:
    """Return whether `file_with` reads files of this format."""
    return path.endswith((".parquet", *_LINES))


def file_with(files: Iterable[str], record_id: str) -> str | None:
    """Return the output file that holds a record; None if none does, or files of this format have no ids.

    In Parquet only row groups are read whose least and greatest id enclose the record's, and of these one column.
    Files of lines are read whole; other formats are not searched.

    Raises:
        InputError: a file cannot be read.
    """
    for path in files:
        if path.endswith(".parquet"):
            found = any(_holds(ids, record_id) for ids in _ids_in_parquet(path, record_id))
        elif path.endswith(_LINES):
            found = line_with(path, record_id) is not None
        else:
            found = False
        if found:
            return path
    return None


def line_with(path: str, record_id: str) -> Mapping[str, Any] | None:
    """Return the first object with this `record_id` in a file of JSON lines.

    Raises:
        InputError: the file cannot be read.
    """
    needles = [json.dumps(record_id, ensure_ascii=ascii_only).encode() for ascii_only in (False, True)]
    for line in _lines(path):
        if any(needle in line for needle in needles) and (value := _object(line)).get(RECORD_ID) == record_id:
            return value
    return None


def ids_of(path: str) -> Iterator[str]:
    """Yield the ids of all records of an output file.

    Raises:
        InputError: the file cannot be read.
    """
    if path.endswith(".parquet"):
        for ids in _ids_in_parquet(path):
            yield from ids.drop_null().to_pylist()
    elif path.endswith(_LINES):
        yield from (str(value[RECORD_ID]) for line in _lines(path) if RECORD_ID in (value := _object(line)))


def _ids_in_parquet(path: str, wanted: str | None = None) -> Iterator[pa.Array]:
    """Yield the ids of a file, of the row groups that may hold the wanted one."""
    try:
        with storage.open_parquet(path) as file:
            if RECORD_ID not in file.schema_arrow.names:
                return
            groups = [group for group in range(file.num_row_groups) if _may_hold(file.metadata, group, wanted)]
            for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=groups, columns=[RECORD_ID], use_threads=False):
                yield batch.column(0)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _may_hold(metadata: pq.FileMetaData, group: int, wanted: str | None) -> bool:
    column = next(i for i in range(metadata.num_columns) if metadata.schema.column(i).path == RECORD_ID)
    statistics = metadata.row_group(group).column(column).statistics
    if wanted is None or statistics is None or not statistics.has_min_max:
        return True
    least, most = statistics.min, statistics.max
    return not (isinstance(least, str) and isinstance(most, str)) or least <= wanted <= most


def _holds(ids: pa.Array, record_id: str) -> bool:
    return bool(pc.any(pc.equal(ids, record_id)).as_py())


def _lines(path: str) -> Iterator[bytes]:
    try:
        with storage.open_input(path) as source:
            yield from source
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:  # the end of a file that is still being written
        return {}
    return value if isinstance(value, Mapping) else {}
