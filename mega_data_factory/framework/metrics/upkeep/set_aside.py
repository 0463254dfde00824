"""Damaged files, moved out of the way: to `.set_aside/{table}.{name}`, where no program looks for metrics."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import InputError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.decoding import (
    FileVanished,
    NotAMetricsFile,
    is_damage,
    read_compacted_file,
    read_run_file,
    shares_columns,
)
from mega_data_factory.framework.metrics.store.files.listing import is_file, list_table, unit_paths
from mega_data_factory.framework.metrics.store.reading.compacted_units import DamagedUnit, Source
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.lock import upkeep_lock
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.storage import Location, exists, join, move

FOLDER = ".set_aside"
"""Folder below the metrics folder with the files that were moved out of the way. Nothing in it is removed."""

_log = logger("mega_data_factory.metrics")


def read_or_set_aside(store: StoredTables, source: Source, kind: str, only: pc.Expression) -> pa.Table | None:
    """Return the rows of a unit that is about to be replaced; move its file out of the way when it is damaged.

    Returns:
        The rows; None when the file is damaged.

    Raises:
        FileVanished: the unit is missing.
        MetricsError: the file may not be read, or is of a newer version.
        OutputError: the damaged file cannot be moved.
    """
    try:
        return store.units.read(source, kind, only=only, strict=True)
    except DamagedUnit as error:
        if not is_damage(error.reason):
            raise
        _set_aside(store.path, kind, source.path, error.reason)
        return None


def set_damaged_aside(store: StoredTables) -> None:
    """Move files out of the way that fail a program that reads a table with a glob.

    These are files that are not Parquet, or damaged, and files of others with columns of the same names.

    Args:
        store: the metrics folder.

    Raises:
        MetricsError: a newer version of this package wrote a file.
        OutputError: a file cannot be moved.
    """
    with upkeep_lock(store.path):
        for kind in schema.TABLES:
            files = list_table(store.path, kind)
            small = [(path, None) for path in files.own.values()]
            large = [(path, unit) for unit, paths in files.units.items() for path in paths]
            for path, unit in [*small, *large]:
                if is_file(path):
                    _check(store.path, kind, path, unit)


def _check(root: Location, kind: str, path: str, unit: str | None) -> None:
    """Move one file out of the way if it has to; of a unit without its runs, move the other tables too."""
    try:
        (read_run_file if unit is None else read_compacted_file)(path, kind)
    except FileVanished:
        return
    except NotAMetricsFile as error:
        if not is_damage(error) or not (error.__cause__ or shares_columns(path, kind)):
            return
        _set_aside(root, kind, path, error)
        if unit is not None and kind == "runs":
            for other in sorted(schema.TABLES.keys() - {kind}):
                for place in filter(is_file, unit_paths(root, other, unit)):
                    _set_aside(root, other, place, InputError("its runs cannot be read"))


def _set_aside(root: Location, kind: str, path: str, reason: Exception) -> None:
    name = f"{kind}.{path.rpartition('/')[2]}"
    names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(1)))
    target = next(place for free in names if not exists(place := join(root, FOLDER, free)))
    move(path, target)
    _log.warning("moved %s to %s: it is not a readable metrics file: %s", path, target, reason)
