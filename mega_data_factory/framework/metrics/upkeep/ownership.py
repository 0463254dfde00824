"""Which writer the files of a run belong to: two that write one would lose each other's rows."""

from __future__ import annotations

import os
import uuid

import pyarrow as pa

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.shrinking import claim_run
from mega_data_factory.storage import exists, is_local, open_parquet


class Ownership:
    """The files that one writer may write, in one metrics folder.

    Args:
        tables: the metrics folder.
        replaces: whether it may also replace what another writer wrote.
    """

    def __init__(self, tables: StoredTables, *, replaces: bool) -> None:
        self._tables = tables
        self._replaces = replaces
        self._name = uuid.uuid4().hex
        self._owned: dict[tuple[str, str], str] = {}  # (writer, path) → run
        self._claimed: set[str] = set()

    @property
    def writer_id(self) -> str:
        """Name of this writer in this process: a process that is forked off is another writer."""
        return f"{self._name}-{os.getpid()}"

    def note_written(self, path: str, run_id: str) -> None:
        """Note that this writer has written a file of a run."""
        self._owned[self.writer_id, path] = run_id

    def check(self, path: str, run_id: str) -> bool:
        """Refuse to write over the file of another run or writer; a file that was ours the last time still is.

        Returns:
            Whether a file that is there may be replaced.

        Raises:
            MetricsError: the file belongs to another run or writer.
        """
        ours = self._owned.get((self.writer_id, path)) == run_id
        if ours:
            if not is_local(path) or exists(path):
                return True
            self._claimed.discard(run_id)  # it was compacted meanwhile, because it had not been active for long
        self._claim(run_id)
        if not exists(path):
            return ours or self._replaces
        owner, writer = _owner(path)
        if owner not in (None, run_id):
            raise MetricsError(f"{path} belongs to the run {owner}, not to {run_id}", hint="give the run another id")
        if owner is not None and writer != self.writer_id and not (ours or self._replaces):
            raise MetricsError(
                f"{path} was written by another worker or process: its rows of {run_id} would be lost",
                hint="send the rows of all workers to one MetricsCollector (add_operator_metrics, MetricsAggregator) "
                "and write once, give each its own run id, or replace them with MetricsWriter(path, replace=True)",
            )
        self.note_written(path, run_id)
        return True

    def _claim(self, run_id: str) -> None:
        """Give a run that is compacted its files back, once."""
        if run_id not in self._claimed:
            claim_run(self._tables, run_id)
            self._claimed.add(run_id)


def _owner(path: str) -> tuple[str | None, str | None]:
    """Return the run and the writer that a file belongs to; None for both of a damaged one, which may be replaced."""
    try:
        with open_parquet(path) as file:
            metadata = file.schema_arrow.metadata or {}
    except pa.ArrowException:
        return None, None
    writer = metadata.get(schema.WRITER_KEY)
    return metadata.get(schema.RUN_ID_KEY, b"(unknown)").decode(), None if writer is None else writer.decode()
