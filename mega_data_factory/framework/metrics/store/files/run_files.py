"""Files of the store as upkeep sees them: sizes, runs, and whether they have changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mega_data_factory.errors import InputError, OutputError
from mega_data_factory.framework.metrics.schema import TABLES, to_table
from mega_data_factory.framework.metrics.store.files.decoding import (
    FileVanished,
    NotAMetricsFile,
    is_missing,
    owners,
    read_run_file,
)
from mega_data_factory.framework.metrics.store.files.encoding import write_tables
from mega_data_factory.framework.metrics.store.files.layout import (
    PENDING,
    SEGMENTED,
    RunFiles,
    Segment,
    file_of,
    segment_files,
)
from mega_data_factory.framework.metrics.store.files.listing import is_ours, pending_path
from mega_data_factory.framework.metrics.store.files.units import LEGACY_FOLDER, legacy_unit_of, unit_of
from mega_data_factory.storage import (
    Location,
    file_system,
    is_local,
    join,
    list_dir,
    list_files,
    local_name,
    move,
    remove,
    stamp_of,
    stamp_of_stat,
)


@dataclass(frozen=True)
class FileState:
    """A file as it was at one moment.

    Attributes:
        path: its path.
        stamp: differs when it has been written over since.
    """

    path: str
    stamp: str


def state_of(path: str) -> FileState:
    """Return a file as it is now.

    Raises:
        FileVanished: there is no such file.
    """
    try:
        if is_local(path):
            return FileState(path, stamp_of_stat(os.stat(local_name(path))))  # noqa: PTH116 - half the time of a `Path`
        fs, name = file_system(path)
        fs.invalidate_cache()
        info = fs.info(name)
    except FileNotFoundError as error:
        raise FileVanished(path) from error
    return FileState(path, stamp_of(info))


def states_of(paths: Iterable[str]) -> Iterator[FileState]:
    """Return the files as they are now, without those that were removed."""
    for path in paths:
        with contextlib.suppress(FileVanished):
            yield state_of(path)


def remove_unchanged(states: Iterable[FileState]) -> int:
    """Remove files that have not changed; files that were overwritten meanwhile stay.

    Returns:
        How many were removed.
    """
    removed = 0
    for state in states:
        try:
            unchanged = state_of(state.path) == state
        except FileVanished:
            continue
        if unchanged:
            remove(state.path)
            removed += 1
    return removed


def remove_segments(path: Location, kind: str, run_id: str, states: Sequence[FileState], rows: pa.Table) -> int:
    """Remove the files of one run of a segmented table; readers see all of them or none.

    Some segments of several are no state that can be read. So one file that supersedes them is written first, as a
    pending one, and it goes last: killed in between, the segments that are left do not count.

    Args:
        path: the metrics folder.
        kind: the table.
        run_id: the run.
        states: its files, all of them.
        rows: what readers must see of the run until its last file is removed.

    Returns:
        How many of these files were removed.
    """
    name = file_of(kind, run_id).rpartition("/")[2]
    whole = pending_path(path, kind, name)
    wholes = {whole, join(path, kind, name)}
    segments = [state for state in states if state.path not in wholes]
    last = [state for state in states if state.path in wholes]
    if last or len(segments) < 2:
        return remove_unchanged(segments) + remove_unchanged(last)
    newest = max(parsed[1].last for state in segments if (parsed := Segment.parse(state.path.rpartition("/")[2])))
    known = {state.path for state in segments}
    first = Segment(0, newest).file_of(kind, run_id).rpartition("/")[2]  # what a driver that resumes the run writes
    resumed = {*wholes, join(path, kind, first), pending_path(path, kind, first)} - known
    if set(states_of(known | resumed)) != set(segments):  # the run was resumed
        return 0
    metadata = to_table((), TABLES[kind], run_id).schema.metadata
    write_tables(whole, [rows.replace_schema_metadata(metadata)])
    last = list(states_of([whole]))
    removed = remove_unchanged(segments)
    remove_unchanged(last)
    return removed


def publish(path: Location, kind: str, name: str) -> None:
    """Move a pending file to the folder of its table; no error when it is there already.

    Raises:
        OutputError: it cannot be moved.
    """
    try:
        move(pending_path(path, kind, name), join(path, kind, name))
    except OutputError as error:
        if not is_missing(error):
            raise


@dataclass(frozen=True)
class FileSizes:
    """Bytes of the files of a table.

    Attributes:
        own: by file name, of files of single runs.
        units: by name of the unit.
    """

    own: dict[str, int]
    units: dict[str, int]


def file_sizes(path: Location, kind: str) -> FileSizes:
    """Measure the files of a table, wherever they are."""
    own: dict[str, int] = {}
    units: dict[str, int] = {}
    for folder in (f"{LEGACY_FOLDER}/{kind}", kind, f"{PENDING}/{kind}"):
        for name, size in _sizes(join(path, folder)).items():
            unit = legacy_unit_of(name) if folder.startswith(LEGACY_FOLDER) else unit_of(name)
            if unit is not None:
                units[unit] = size
            elif is_ours(name):
                own[name] = size
    return FileSizes(own, units)


def _sizes(folder: str) -> dict[str, int]:
    if not list_dir(folder):
        return {}
    try:
        return {info.name: info.size for info in list_files(folder, [".parquet"]) if "/" not in info.name}
    except InputError:  # the folder of an object store vanishes with its last file
        return {}


def names_of_runs(kind: str, run_ids: Iterable[str], names: Iterable[str]) -> dict[str, RunFiles]:
    """Return the names in the folder of a table by run; runs without any are left out."""
    known = set(names)
    if kind in SEGMENTED:
        files = segment_files(kind, known)
        stems = {run_id: run_id.removeprefix("run_") for run_id in run_ids}
        return {run_id: files[stem] for run_id, stem in stems.items() if stem in files}
    own_names = {run_id: file_of(kind, run_id).rpartition("/")[2] for run_id in run_ids}
    return {run_id: RunFiles((name,)) for run_id, name in own_names.items() if name in known}


def is_of_run(path: str, kind: str, run_id: str) -> bool:
    """Return whether a file is one of ours and of this run; its name alone does not say so."""
    try:
        return owners(read_run_file(path, kind, ["run_id"])) <= {run_id}
    except (NotAMetricsFile, FileVanished):
        return False
