"""Tables that wait to be written, beside the output: the one place that all nodes of a cluster share."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.framework.batch import Batch


class StagingFolder:
    """A folder of Arrow IPC files, local or in an object store.

    Args:
        path: the folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def put(self, batch: Batch) -> str:
        """Write the table of a batch and return its path.

        Raises:
            OutputError: it cannot be written.
        """
        path = storage.join(self._path, f"{batch.id}.arrow")
        with storage.atomic_output(path) as sink, pa.ipc.new_file(sink, batch.table.schema) as writer:
            writer.write_table(batch.table)
        return path

    @staticmethod
    def read(path: str) -> pa.Table:
        """Return a table; a local one is mapped into memory."""
        if storage.is_local(path):
            return pa.ipc.open_file(pa.memory_map(str(storage.local_path(path)))).read_all()
        return pa.ipc.open_file(pa.py_buffer(storage.read_bytes(path))).read_all()

    @staticmethod
    def remove(path: str) -> None:
        """Remove a table that is no longer needed.

        Raises:
            OutputError: it cannot be removed.
        """
        storage.remove(path)
