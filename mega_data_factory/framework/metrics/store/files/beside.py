"""Files of observed runs beside the tables: records that were set aside, and accounts of worker processes.

`records/errors/{run}.jsonl`, `records/rejected/{run}.jsonl` and `records/rejects/{run}/` stay as long as the run.
Accounts are `.accounts/{run}/{engine}/*.accounts`, which the driver removes when the run ends; those of a driver that
was killed stay until `mdf metrics prune`, or the next run in the folder, finds that none was written for a day.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mega_data_factory.storage import FileInfo, Location, is_folder, join, list_files, remove_all

RECORDS = "records"
"""Folder below the metrics folder with the records that observed runs have set aside."""

ACCOUNTS = ".accounts"
"""Folder below the metrics folder with a folder of account files for each observed run, and ending of such files."""

ABANDONED_AFTER = timedelta(days=1)
"""Time without a new account after which the account files of a run that is not running are abandoned."""

_SET_ASIDE = re.compile(r"((errors|rejected)/(?P<run>[^/]+)\.jsonl)|(rejects/(?P<of>[^/]+)/part-[0-9]+\.parquet)")


def set_aside_folder(path: Location, kind: str) -> str:
    """Return the folder for the records of one kind: `errors`, `rejected` for samples, `rejects` for the ledger."""
    return join(path, RECORDS, kind)


def set_aside_files(path: Location) -> dict[str, list[FileInfo]]:
    """Return the files of records that were set aside, by run.

    Args:
        path: the metrics folder.
    """
    folder = join(path, RECORDS)
    found: dict[str, list[FileInfo]] = {}
    for file in list_files(folder, (".jsonl", ".parquet")) if is_folder(folder) else ():
        if match := _SET_ASIDE.fullmatch(file.name):
            found.setdefault(match["run"] or match["of"], []).append(file)
    return found


def remove_set_aside(path: Location, run_ids: Iterable[str]) -> None:
    """Remove the records that runs have set aside.

    Raises:
        OutputError: a file cannot be removed.
    """
    files = set_aside_files(path)
    remove_all(file.path for run_id in run_ids for file in files.get(run_id, ()))


def abandoned_accounts(root: Path, now: datetime) -> set[str]:
    """Return the runs with account files of which none was written for a day. One of them may still be running.

    Args:
        root: folder with a folder for each run.
        now: naive UTC.
    """
    last = (now - ABANDONED_AFTER).replace(tzinfo=UTC).timestamp()
    found = set()
    for folder in root.iterdir() if root.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # the run ends meanwhile
            written = [entry.stat().st_mtime for entry in (folder, *folder.glob("*"), *folder.glob(f"*/*{ACCOUNTS}"))]
            if max(written) < last:
                found.add(folder.name)
    return found


def remove_accounts(root: Path, run_ids: Iterable[str]) -> None:
    """Remove the account files of runs, and their folders where nothing else is in these.

    Args:
        root: folder with a folder for each run.
        run_ids: runs that are over.

    Raises:
        OutputError: a file cannot be removed.
    """
    for folder in (root / run_id for run_id in run_ids):
        remove_all(folder.glob(f"*/*{ACCOUNTS}"))
        with contextlib.suppress(OSError):  # it is missing, or holds other files
            for engine in folder.glob("*"):
                engine.rmdir()
            folder.rmdir()
