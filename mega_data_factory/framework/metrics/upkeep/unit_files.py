"""Write and remove the files of compacted units, and put them in the place of the files that they replace."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.encoding import encode
from mega_data_factory.framework.metrics.store.files.layout import PENDING
from mega_data_factory.framework.metrics.store.files.listing import is_file, list_table, pending_path, remove_unit_file
from mega_data_factory.framework.metrics.store.files.run_files import file_sizes, publish
from mega_data_factory.framework.metrics.store.files.units import unit_name
from mega_data_factory.storage import Location, atomic_output, file_system, is_local, join, list_dir, local_path, remove

ROW_GROUP_ROWS = 8192
"""Rows in a row group: a reader of one run reads one or two of them."""

_LEFTOVER_AGE = 86400.0
"""Seconds after which an incomplete file is rubbish where no lock tells: no process is still writing it."""

_WRITING_ORDER = sorted(schema.TABLES, key=lambda kind: kind == "runs")
"""A unit exists when its file of `runs` does, so that one is written last."""

SWAPPING_ORDER = _WRITING_ORDER[::-1]
"""A unit that is replaced ends to exist first, so `runs` is the first table in which files are replaced."""


def write_unit(path: Location, tables: Mapping[str, pa.Table]) -> str:
    """Write a unit as pending files; it exists for readers of this package when it is whole.

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
        with atomic_output(pending_path(path, kind, f"{name}.parquet")) as sink:
            sink.write(content)
    return name


def _encoded(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    encode([table], sink, compression="zstd", rows_per_group=ROW_GROUP_ROWS)
    return sink.getvalue()


def swap(
    path: Location,
    *,
    new: Iterable[str] = (),
    old: Iterable[str] = (),
    remove_own: Callable[[str], int] = lambda _: 0,
    names: Mapping[str, Iterable[str]] | None = None,
    kinds: Sequence[str] = SWAPPING_ORDER,
) -> int:
    """Put pending files in the place of others, table by table: the others go, then the pending ones move.

    Killed anywhere, readers of this package see every run once, and `finish_interrupted` finishes it.

    Args:
        path: the metrics folder.
        new: units that were written.
        old: units that go, whose runs are in the new ones or in `names`.
        remove_own: removes the files of single runs in a table that the new units replace, and counts them.
        names: pending files of single runs by table, which the old units stood for.
        kinds: only these tables.

    Returns:
        How many files went.

    Raises:
        OutputError: a file cannot be moved or removed.
    """
    new, old = list(new), set(old) - set(new)
    removed = 0
    for kind in kinds:
        removed += sum(remove_unit_file(path, kind, name) for name in old)
        removed += remove_own(kind)
        for file in (*(f"{name}.parquet" for name in new), *(names or {}).get(kind, ())):
            publish(path, kind, file)
    return removed


def unit_sizes(path: Location) -> dict[str, int]:
    """Return bytes of every unit, over all tables, by its name."""
    sizes: dict[str, int] = {}
    for kind in schema.TABLES:
        for name, size in file_sizes(path, kind).units.items():
            sizes[name] = sizes.get(name, 0) + size
    return sizes


def discard_unit(path: Location, name: str) -> int:
    """Remove a unit; it stops to exist at once.

    Returns:
        How many files went.

    Raises:
        OutputError: a file cannot be removed.
    """
    return sum(remove_unit_file(path, kind, name) for kind in SWAPPING_ORDER)


def remove_leftovers(path: Location) -> int:
    """Remove what processes that were killed have left: parts of units that do not exist, and half-written files.

    Args:
        path: the metrics folder; hold its `upkeep_lock`.

    Returns:
        How many files went.
    """
    removed = 0
    existing = list_table(path, "runs").units.keys()
    for kind in _WRITING_ORDER:
        for name, places in list_table(path, kind).units.items():
            for place in places if name not in existing else ():
                if is_file(place) if is_local(path) else _age(place) > _LEFTOVER_AGE:
                    remove(place)
                    removed += 1
    for folder in (PENDING, *(f"{PENDING}/{kind}" for kind in _WRITING_ORDER)):
        for name in list_dir(join(path, folder)):
            if name.endswith(".tmp") and _age(join(path, folder, name)) > _LEFTOVER_AGE:
                remove(join(path, folder, name))
                removed += 1
    return removed


def _age(path: str) -> float:
    """Return seconds since a file was written; 0 if the file system cannot say, or the file was removed."""
    try:
        if is_local(path):
            return time.time() - local_path(path).stat().st_mtime
        fs, name = file_system(path)
        return time.time() - float(fs.modified(name).timestamp())
    except (FileNotFoundError, NotImplementedError):
        return 0.0
