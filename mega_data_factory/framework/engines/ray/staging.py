"""Tables that wait to be written, beside the output: the one place that all nodes of a cluster share."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.parcel import Parcel, read_parcel, write_parcel


class StagingFolder:
    """A folder of files that hold the tables of a batch, local or in an object store.

    Args:
        path: the folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def put(self, batch: Batch) -> str:
        """Write the tables of a batch as one file and return its path.

        Raises:
            OutputError: it cannot be written.
        """
        path = storage.join(self._path, f"{batch.id}.arrow")
        with storage.atomic_output(path) as sink:
            write_parcel(sink, Parcel(batch.table, batch.rejects))
        return path

    @staticmethod
    def read(path: str) -> Parcel:
        """Return the tables of a batch; those of a local file are mapped into memory."""
        if storage.is_local(path):
            return read_parcel(pa.memory_map(str(storage.local_path(path))))
        return read_parcel(pa.BufferReader(storage.read_bytes(path)))

    @staticmethod
    def remove(path: str) -> None:
        """Remove a file that is no longer needed.

        Raises:
            OutputError: it cannot be removed.
        """
        storage.remove(path)
