"""Files of the reject ledger: how they are written, and which of them count."""

from __future__ import annotations

import contextlib
import fnmatch
import json

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.rejects.schema import SCHEMA

_OURS = "part-*.parquet"
_REPEATING = ["run_id", "batch", "stage", "operator", "reason", "failed_rules.list.element", "slice"]


def write_rejects(path: str, rows: pa.Table) -> None:
    """Write rows of the ledger as one Parquet file, whole or not at all.

    Args:
        path: file or URI.
        rows: columns of `SCHEMA`; those that are missing are null.

    Raises:
        OutputError: it cannot be written.
    """
    columns = {
        field.name: rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in SCHEMA
    }
    with storage.atomic_output(path) as sink:
        pq.write_table(
            pa.table(columns, schema=SCHEMA),
            sink,
            compression="zstd",
            use_dictionary=_REPEATING,
            write_page_checksum=True,
        )


def committed_files(folder: str, commit_log: str | None = None) -> list[str]:
    """Return the files of a run's ledger that count, ordered by name.

    While a run is in progress, or can be resumed, a file counts when its batches are in the commit log; what a
    completed run has left all counts.

    Args:
        folder: of the run's ledger.
        commit_log: folder of the run's commit log, where it has one.

    Raises:
        InputError: a folder may not be read.
    """
    names = fnmatch.filter(sorted(storage.list_dir(folder)), _OURS)  # an export may lie beside them
    entries = [] if commit_log is None or _completed(commit_log) else storage.list_dir(commit_log)
    if "plan.json" in entries:
        committed = {entry.removesuffix(".jsonl").rpartition(".")[0] for entry in entries if entry.endswith(".jsonl")}
        names = [name for name in names if name.removesuffix(".parquet") in committed]
    return [storage.join(folder, name) for name in names]


def remove_rejects(folder: str) -> bool:
    """Remove the ledger of a run, and its folder where nothing else is in it; return whether there was one.

    Args:
        folder: of the run's ledger.

    Raises:
        OutputError: a file may not be removed.
    """
    names = storage.list_dir(folder) if storage.exists(folder) else []
    ours = [name for name in names if fnmatch.fnmatch(name, _OURS) or fnmatch.fnmatch(name, ".part-*.tmp")]
    storage.remove_all(storage.join(folder, name) for name in ours)
    if storage.is_local(folder):
        with contextlib.suppress(OSError):  # something else is in it
            storage.local_path(folder).rmdir()
    return bool(ours)


def _completed(commit_log: str) -> bool:
    try:
        plan = json.loads(storage.read_bytes(storage.join(commit_log, "plan.json")))
    except InputError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise  # a store that does not answer must not be mistaken for one without a plan
        return True
    except ValueError:  # of another version: what is there counts
        return True
    return bool(plan.get("completed"))
