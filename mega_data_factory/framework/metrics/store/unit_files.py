"""Write and remove the files of compacted units."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping

import pyarrow as pa

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.encoding import encode
from mega_data_factory.framework.metrics.store.files import file_sizes
from mega_data_factory.framework.metrics.store.units import (
    FOLDER,
    placed_file,
    placed_unit,
    staged_file,
    staged_unit,
    unit_name,
)
from mega_data_factory.storage import (
    Location,
    atomic_output,
    exists,
    file_system,
    is_local,
    join,
    list_dir,
    local_path,
    move,
    remove,
)

ROW_GROUP_ROWS = 8192
"""Rows in a row group: a reader of one run reads one or two of them."""

_LEFTOVER_AGE = 86400.0
"""Seconds after which files of a unit that was never completed are rubbish: nobody is still writing it."""

_WRITING_ORDER = sorted(schema.TABLES, key=lambda kind: kind == "runs")
"""A unit is there when its file of `runs` is, so that one is written last."""


def write_unit(path: Location, tables: Mapping[str, pa.Table]) -> str:
    """Write a unit where units are written; `place` then puts its tables beside those of single runs.

    Args:
        path: the metrics folder.
        tables: every table of the schema, with the runs in one order, that of their start.

    Returns:
        Its name, which the content determines.

    Raises:
        OutputError: a file cannot be written.
    """
    contents = {kind: _encoded(tables[kind]) for kind in _WRITING_ORDER}
    digest = hashlib.sha256()
    for content in contents.values():
        digest.update(hashlib.sha256(content).digest())
    ids = tables["runs"].column("run_id")
    name = unit_name(ids[0].as_py(), ids[-1].as_py(), digest.hexdigest()[:16])
    for kind, content in contents.items():
        with atomic_output(join(path, staged_file(kind, name))) as sink:
            sink.write(content)
    return name


def place(path: Location, kind: str, name: str) -> None:
    """Put a table of a unit in its place, where every reader of the folder sees it.

    Raises:
        OutputError: it cannot be moved.
    """
    staged, placed = join(path, staged_file(kind, name)), join(path, placed_file(kind, name))
    if exists(staged):
        move(staged, placed)


def place_all(path: Location) -> None:
    """Put every unit that is whole in its place: what a compaction that was killed has left to do."""
    for name in filter(None, map(staged_unit, list_dir(join(path, FOLDER, "runs")))):
        for kind in _WRITING_ORDER:
            place(path, kind, name)


def replace_unit(path: Location, old: str, new: str) -> None:
    """Put a unit in the place of another one, table by table.

    The table of the runs goes first: from then on nobody takes the old unit for one.
    """
    for kind in reversed(_WRITING_ORDER):
        place(path, kind, new)
        remove_table(path, kind, old)


def remove_table(path: Location, kind: str, name: str) -> None:
    """Remove a table of a unit, wherever it is."""
    for file in (placed_file, staged_file):
        remove(join(path, file(kind, name)))


def _encoded(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    encode([table], sink, compression="zstd", rows_per_group=ROW_GROUP_ROWS)
    return sink.getvalue()


def unit_sizes(path: Location) -> dict[str, int]:
    """Bytes of every unit, over all tables, by its name."""
    sizes: dict[str, int] = {}
    for kind in schema.TABLES:
        for folder, unit_of in ((f"{FOLDER}/{kind}", staged_unit), (kind, placed_unit)):
            for file, size in file_sizes(path, folder).items():
                if name := unit_of(file):
                    sizes[name] = sizes.get(name, 0) + size
    return sizes


def remove_unit(path: Location, name: str) -> int:
    """Remove a unit; readers do not see it from the first moment on.

    Returns:
        How many files went.

    Raises:
        OutputError: a file cannot be removed.
    """
    for kind in reversed(_WRITING_ORDER):
        remove_table(path, kind, name)
    return len(_WRITING_ORDER)


def remove_leftovers(path: Location) -> int:
    """Remove what compactions that were killed have left of units that nobody sees.

    Returns:
        How many files went.
    """
    removed = 0
    places = (((FOLDER,), staged_unit), ((), placed_unit))
    whole = {unit_of(file) for folder, unit_of in places for file in list_dir(join(path, *folder, "runs"))}
    for kind in _WRITING_ORDER:
        for folder, unit_of in places:
            for name in list_dir(join(path, *folder, kind)):
                file = join(path, *folder, kind, name)
                if unit_of(name) and unit_of(name) not in whole and _age(file) > _LEFTOVER_AGE:
                    remove(file)
                    removed += 1
    return removed


def _age(path: str) -> float:
    """Seconds since a file was written; 0 where the file system cannot say, or it is gone."""
    try:
        if is_local(path):
            return time.time() - local_path(path).stat().st_mtime
        fs, name = file_system(path)
        return time.time() - float(fs.modified(name).timestamp())
    except (FileNotFoundError, NotImplementedError):
        return 0.0
