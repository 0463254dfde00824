"""Row cache of a metrics folder: the rows of `runs` in one file, so that a long list does not open every file.

It is never a truth of its own. An entry counts only for a file that has the name and the stamp (inode, time, size) of
the file that it was made of; all other files are opened. So it may be stale, damaged or missing, and other programs may
write, copy and remove files as they like.

`.cache/runs.jsonl` has a line for each entry: CRC-32 of the rest, schema version, file name, stamp and the row as JSON,
between tabs. Writers append lines, with a newline before and after: a line that was cut short, or written through
another, has a wrong checksum and is passed over. Times are whole microseconds since 1970. Folders of few runs have no
cache, and object stores, to which nothing can be appended, have none.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.decoding import NotAMetricsFile, decode_run_file, owners
from mega_data_factory.framework.metrics.store.files.layout import PENDING, file_of
from mega_data_factory.framework.metrics.store.files.listing import is_ours
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.storage import (
    Location,
    atomic_output,
    is_local,
    join,
    list_dir,
    list_stamps,
    local_path,
    remove,
    stamp_of_stat,
)

CACHE = ".cache/runs.jsonl"
"""Path of the cache below the metrics folder."""

LEAST_FILES = 64
"""Files of single runs from which a folder has a cache: fewer are opened as fast."""

_STORED = pa.schema(
    [pa.field(field.name, pa.int64() if pa.types.is_timestamp(field.type) else field.type) for field in schema.RUNS]
)
_VERSION = str(schema.SCHEMA_VERSION).encode()

_log = logger("mega_data_factory.metrics")


class _Entry(NamedTuple):
    """Entry of a file: its stamp, its row as JSON, and the whole line."""

    stamp: bytes
    row: bytes
    line: bytes


class RowCache:
    """The row cache of one metrics folder.

    Args:
        path: the metrics folder; one in an object store has no cache.
    """

    def __init__(self, path: Location) -> None:
        self._path = path
        self._file: Path | None = local_path(join(path, CACHE)) if is_local(path) else None
        self._caught_up = False

    def rows(self, stamps: Mapping[str, str], columns: Iterable[str] | None = None) -> tuple[list[str], pa.Table]:
        """Return the files whose rows are in the cache, and these rows, one for each file.

        Args:
            stamps: location of files of single runs → their stamps now.
            columns: only these, and the run id; all by default.
        """
        entries = self._entries()
        found: list[str] = []
        texts: list[bytes] = []
        for location, stamp in stamps.items():
            entry = entries.get(location.rpartition("/")[2].encode())
            if entry is not None and entry.stamp == stamp.encode():
                found.append(location)
                texts.append(entry.row)
        wanted = None if columns is None else {*columns, "run_id"}
        rows = _parsed(texts, [name for name in _STORED.names if wanted is None or name in wanted])
        names = [location.rpartition("/")[2] for location in found]
        if [f"{run_id}.parquet" for run_id in rows["run_id"].to_pylist()] != names:
            return [], rows.slice(0, 0)
        return found, rows

    def add(self, run_id: str) -> None:
        """Append the row of a run that is over; the first time, also rows of some other files that are not in it.

        What cannot be read or written is left out: the files say all that the cache does.

        Args:
            run_id: the run, whose file of `runs` is written.
        """
        if self._file is None:
            return
        name = file_of("runs", run_id).rpartition("/")[2]
        try:
            names = [name] if self._caught_up else self._missing(name)
            if lines := [line for each in names if (line := self._line(each)) is not None]:
                _append(self._file, b"\n" + b"\n".join(lines) + b"\n")
        except (MdfError, OSError) as error:
            _log.debug("%s is not in %s: %s", run_id, self._file, error)

    def trim(self) -> None:
        """Remove entries whose files are not there any more, where these are most of the cache.

        Entries that other processes append meanwhile may be lost; hold the `upkeep_lock`.

        Raises:
            OutputError: the cache cannot be written or removed.
        """
        if self._file is None or not self._file.is_file():
            return
        stamps = {name: stamp for name, stamp in list_stamps(join(self._path, "runs")).items() if is_ours(name)}
        entries = self._entries()
        valid = [entry for name, entry in entries.items() if stamps.get(name.decode()) == entry.stamp.decode()]
        if len(stamps) < LEAST_FILES:
            remove(self._file)
        elif 2 * len(valid) < len(entries):
            with atomic_output(self._file, workspace=join(self._path, PENDING)) as sink:
                sink.write(b"".join(entry.line + b"\n" for entry in valid))

    def _entries(self) -> dict[bytes, _Entry]:
        """Return entries by file name; of several for a file the last."""
        if self._file is None:
            return {}
        found = {}
        for line in _lines(self._file):
            parts = line.split(b"\t", 4)
            if len(parts) == 5 and parts[1] == _VERSION and _checksum(line[9:]) == parts[0]:
                found[parts[2]] = _Entry(parts[3], parts[4], line)
        return found

    def _missing(self, name: str) -> list[str]:
        """Return files that are to be added: of a folder with enough of them, the last that the cache lacks."""
        folder = join(self._path, "runs")
        if sum(map(is_ours, list_dir(folder))) < LEAST_FILES:
            return []
        entries = self._entries()
        stamps = {each: stamp for each, stamp in list_stamps(folder).items() if is_ours(each)}
        lacking = [
            each
            for each, stamp in stamps.items()
            if (entry := entries.get(each.encode())) is None or entry.stamp != stamp.encode()
        ]
        self._caught_up = True
        return list(dict.fromkeys([*lacking[-LEAST_FILES:], name]))

    def _line(self, name: str) -> bytes | None:
        """Return the entry of a file; None if it is not one of a single run, or has numbers that JSON lacks."""
        path = local_path(join(self._path, "runs", name))
        try:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                stamp = stamp_of_stat(os.fstat(file.fileno()))  # of what is read: another may take its name meanwhile
                content = file.read()
            table = decode_run_file(content, "runs", path)
            (run_id,) = owners(table)
            (row,) = table.cast(_STORED).to_pylist()
            text = json.dumps({key: value for key, value in row.items() if value is not None}, allow_nan=False)
        except (NotAMetricsFile, MdfError, OSError, ValueError):
            return None
        if name != file_of("runs", run_id).rpartition("/")[2]:
            return None
        rest = b"\t".join([_VERSION, name.encode(), stamp.encode(), text.encode()])
        return _checksum(rest) + b"\t" + rest


def _parsed(texts: list[bytes], names: list[str]) -> pa.Table:
    """Return JSON objects as rows with some columns of `runs`; none if one is not such an object."""
    target = pa.schema([schema.RUNS.field(name) for name in names])
    if texts:
        from pyarrow import json as arrow_json

        content = b"\n".join(texts)
        try:
            return arrow_json.read_json(
                pa.BufferReader(content),
                arrow_json.ReadOptions(use_threads=False, block_size=len(content) + 1),
                arrow_json.ParseOptions(
                    pa.schema([_STORED.field(n) for n in names]), unexpected_field_behavior="ignore"
                ),
            ).cast(target)
        except pa.ArrowException as error:
            _log.debug("the row cache is not used: %s", error)
    return target.empty_table()


def _lines(file: Path) -> list[bytes]:
    """Return what is in the cache, line by line; nothing if it cannot be read."""
    try:
        return [line for line in file.read_bytes().split(b"\n") if line] if file.is_file() else []
    except OSError:
        return []


def _append(file: Path, content: bytes) -> None:
    """Append with one call, so that what several processes append at once does not mix on a local disk."""
    file.parent.mkdir(exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)
