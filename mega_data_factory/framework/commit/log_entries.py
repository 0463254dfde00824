"""Entries of a commit log: the committed batches of one output file, with the files where they are now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mega_data_factory import storage
from mega_data_factory.errors import InputError, ResumeError
from mega_data_factory.framework.batch import CommitRecord
from mega_data_factory.framework.contracts import OutputFile


@dataclass(frozen=True)
class CommittedGroup:
    """The batches of one output file.

    Attributes:
        name: of the file, without folder and ending; files of excluded records have the same.
        session: which driver's.
        records: a commit record for each batch.
    """

    name: str
    session: int
    records: tuple[CommitRecord, ...]


def read_entry(path: str, name: str, session: int, folders: Sequence[str]) -> CommittedGroup | None:
    """Read an entry; None if it is damaged, or an output file of it is in none of the folders as it was written."""
    try:
        lines: list[dict[str, Any]] = [json.loads(line) for line in storage.read_bytes(path).splitlines()]
        records = tuple(CommitRecord.from_json(values) for values in lines)
    except InputError as error:
        raise_unless_missing(error)
        return None
    except (ValueError, KeyError, TypeError):  # torn by a crash of the machine
        return None
    files = {file for record in records for file in (record.output_file, record.rejects_file)} - {None}
    places = {file: _found(file, folders) for file in files if file is not None}
    for record in records:
        if record.rejects_file is not None and places[record.rejects_file] is None:
            _refuse_other_folder(record.rejects_file)
    if not records or None in places.values():
        return None
    moved = (
        replace(
            record, output_file=_moved(record.output_file, places), rejects_file=_moved(record.rejects_file, places)
        )
        for record in records
    )
    return CommittedGroup(name, session, tuple(moved))


def _refuse_other_folder(rejects: OutputFile) -> None:
    """Refuse to give up a group for its rejected records where these are whole in the folder that they were written to.

    That folder may have been relative to the working folder of the earlier session.

    Raises:
        ResumeError: they are.
    """
    folder = parent_of(rejects.path)
    if _found(rejects, [folder]) is not None:
        raise ResumeError(
            f"the rejected records of this run are in {folder}, not where the configuration keeps them",
            hint=f"resume it with executor.rejected_samples.output_path: {parent_of(folder)}, or move them first",
        )


def _moved(file: OutputFile | None, places: Mapping[OutputFile, OutputFile | None]) -> OutputFile | None:
    return None if file is None else places[file]


def _found(file: OutputFile, folders: Sequence[str]) -> OutputFile | None:
    """Return the file where it is now; None if it is in none of the folders with the size that it had."""
    for folder in folders:
        path = storage.join(folder, file.path.rpartition("/")[2])
        try:
            if storage.size(path) == file.bytes:
                return replace(file, path=path)
        except InputError as error:
            raise_unless_missing(error)
    return None


def raise_unless_missing(error: InputError) -> None:
    """Ignore a missing file; a store that does not answer must not be mistaken for an empty one."""
    if not isinstance(error.__cause__, FileNotFoundError):
        raise error


def parent_of(path: str) -> str:
    """Return the folder that a path or URI is in."""
    return path.rpartition("/")[0]
