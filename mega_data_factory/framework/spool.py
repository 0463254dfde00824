"""Tables between one worker and the next, as Arrow files: written once, mapped instead of read, gone when used."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa


class Spool:
    """A folder of Arrow IPC files.

    What lies in it is bounded by the batches in flight. A worker that dies leaves its input where it was, so the batch
    is retried from the stage at which it was lost, not from the source.

    Args:
        folder: where the files go; all workers of a machine see it.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def put(self, name: str, table: pa.Table) -> str:
        """Write a table; returns the path to take it from. A second table of the same name takes the first's place."""
        path = self._folder / f"{name}.arrow"
        temporary = path.with_suffix(".tmp")
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        temporary.replace(path)
        return str(path)

    @staticmethod
    def take(path: str) -> pa.Table:
        """Map a table into memory; it stays valid when the file is removed."""
        return pa.ipc.open_file(pa.memory_map(path)).read_all()

    @staticmethod
    def remove(path: str | None) -> None:
        """Remove a table that is no longer needed."""
        if path is not None:
            Path(path).unlink(missing_ok=True)
