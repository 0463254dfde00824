"""Listings of the files of a table: in its own folder, pending, and in the folder of earlier versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mega_data_factory.framework.metrics.store.files.decoding import FileVanished
from mega_data_factory.framework.metrics.store.files.layout import PENDING
from mega_data_factory.framework.metrics.store.files.units import LEGACY_FOLDER, legacy_unit_of, unit_of
from mega_data_factory.storage import Location, exists, is_local, join, list_dir, list_stamps, local_path, remove_all

_ATTEMPTS = 10


@dataclass(frozen=True)
class TableFiles:
    """The files of one table at one moment.

    Attributes:
        own: file name → location, of files of single runs. A pending file counts in place of one of its name.
        units: name of a unit → its locations, the one that counts first.
        pending: names of the files that are pending.
        stamps: location → stamp that differs when the file was written over; empty unless asked for.
    """

    own: Mapping[str, str]
    units: Mapping[str, tuple[str, ...]]
    pending: frozenset[str]
    stamps: Mapping[str, str] = field(default_factory=dict)


def list_table(path: Location, kind: str, *, stamps: bool = False) -> TableFiles:
    """List the files of a table while others write, fold, compact or prune.

    A file that replaces others is pending before they are removed, and moves afterwards. So nothing is missed where the
    pending files are listed between two listings of the folder, of which the second lacks no name of the first.

    Args:
        path: the metrics folder.
        kind: a table of the schema.
        stamps: also give stamps.

    Raises:
        FileVanished: files were removed faster than they could be listed.
        InputError: a folder cannot be listed.
    """
    folder, waiting, legacy = join(path, kind), join(path, PENDING, kind), join(path, LEGACY_FOLDER, kind)

    def listed(where: str) -> dict[str, str]:
        return list_stamps(where) if stamps else dict.fromkeys(list_dir(where), "")

    before = set(list_dir(folder))
    for _ in range(_ATTEMPTS):
        old = listed(legacy)
        pending = listed(waiting)
        now = listed(folder)
        if before <= now.keys():
            return _sorted({legacy: old, folder: now, waiting: pending})
        before = set(now)
    raise FileVanished(folder)


def _sorted(folders: Mapping[str, Mapping[str, str]]) -> TableFiles:
    """Separate files of runs from units. Of one name, the last of the folders counts."""
    legacy, _, waiting = folders
    own: dict[str, str] = {}
    units: dict[str, tuple[str, ...]] = {}
    stamps: dict[str, str] = {}
    for folder, names in folders.items():
        for name, stamp in names.items():
            if not is_ours(name):
                continue
            location = f"{folder}/{name}"  # ten thousand times: `join` would take most of the time
            unit = legacy_unit_of(name) if folder == legacy else unit_of(name)
            if unit is not None:
                units[unit] = (location, *units.get(unit, ()))
            elif folder != legacy:
                own[name] = location
            stamps[location] = stamp
    pending = frozenset(name for name in folders[waiting] if is_ours(name))
    return TableFiles(dict(sorted(own.items())), units, pending, stamps)


def pending_path(path: Location, kind: str, name: str) -> str:
    """Return where a file of a table is while it is pending.

    Args:
        path: the metrics folder.
        kind: a table of the schema.
        name: the name of the file.
    """
    return join(path, PENDING, kind, name)


def is_ours(name: str) -> bool:
    """Return whether a name is that of a file of the store, and not a hidden one."""
    return name.endswith(".parquet") and name[0] != "."


def unit_paths(path: Location, kind: str, name: str) -> tuple[str, ...]:
    """Return every place where the file of a unit may be, in the order in which it moves through them."""
    file = f"{name}.parquet"
    if unit_of(file) is None:
        return (join(path, LEGACY_FOLDER, kind, file),)
    return join(path, PENDING, kind, file), join(path, kind, file)


def find_unit(path: Location, kind: str, name: str) -> str | None:
    """Return where the file of a unit is now; None when it is nowhere."""
    return next((place for place in unit_paths(path, kind, name) if exists(place)), None)


def is_file(place: str) -> bool:
    """Return whether there is a file; False for a link, a folder or a pipe of its name, which others have put there."""
    if not is_local(place):
        return exists(place)
    return local_path(place).is_file() and not local_path(place).is_symlink()


def remove_unit_file(path: Location, kind: str, name: str) -> int:
    """Remove the file of a unit wherever it is; return how many files went (0 or 1, or 2 while it moves).

    Raises:
        OutputError: it may not be removed.
    """
    places = [place for place in unit_paths(path, kind, name) if is_file(place)]
    remove_all(places)
    return len(places)
