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
from mega_data_factory.framework.metrics.store.units import FOLDER, unit_file, unit_name, unit_of
from mega_data_factory.storage import (
    Location,
    atomic_output,
    file_system,
    is_local,
    join,
    list_dir,
    local_path,
    remove,
)

ROW_GROUP_ROWS = 8192
"""Rows in a row group: a reader of one run reads one or two of them."""

_LEFTOVER_AGE = 86400.0
"""Seconds after which files of a unit that was never completed are rubbish: nobody is still writing it."""

_WRITING_ORDER = sorted(schema.TABLES, key=lambda kind: kind == "runs")
"""A unit is there when its file of `runs` is, so that one is written last."""


def write_unit(path: Location, tables: Mapping[str, pa.Table]) -> str:
    """Write a unit; it is visible when it is whole.

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
        with atomic_output(join(path, unit_file(kind, name))) as sink:
            sink.write(content)
    return name


def _encoded(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    encode([table], sink, compression="zstd", rows_per_group=ROW_GROUP_ROWS)
    return sink.getvalue()


def unit_sizes(path: Location) -> dict[str, int]:
    """Bytes of every unit, over all tables, by its name."""
    sizes: dict[str, int] = {}
    for kind in schema.TABLES:
        for file, size in file_sizes(path, f"{FOLDER}/{kind}").items():
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
    kinds = _WRITING_ORDER[::-1]
    for kind in kinds:
        remove(join(path, unit_file(kind, name)))
    return len(kinds)


def remove_leftovers(path: Location) -> int:
    """Remove what compactions that were killed have left of units that nobody sees.

    Returns:
        How many files went.
    """
    removed = 0
    visible = set(list_dir(join(path, FOLDER, "runs")))
    for kind in _WRITING_ORDER:
        for name in set(list_dir(join(path, FOLDER, kind))) - visible:
            file = join(path, FOLDER, kind, name)
            if unit_of(name) and _age(file) > _LEFTOVER_AGE:
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
