"""Contract of the source: loaders, the splits that they read, and the records that they cannot read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

LOADER_STAGE = "data_loader"
"""Stage name for records that the loader could not read."""


@dataclass(frozen=True)
class Split:
    """A piece of the source that is read the same way every time.

    Attributes:
        params: what the loader needs to read the piece again; JSON values only.
        num_records: how many records it holds, if known without reading it.
        num_bytes: size of the piece in the source, if known.
        limit: records to read at most; set by the plan for `executor.max_samples`, obeyed by the engine.
    """

    params: Mapping[str, Any]
    num_records: int | None = None
    limit: int | None = None
    num_bytes: int | None = None


@dataclass(frozen=True)
class SkippedRecord:
    """A record (or a whole file) of the source that could not be read.

    Attributes:
        record_id: its name, as a readable record would have had.
        message: why it could not be read.
        content: what is known of it, as text; it goes to the error sink.
    """

    record_id: str
    message: str
    content: str = ""


class Loader(ABC):
    """Reads a source as splits: `splits` lists them, `read` reads one, both the same way every time.

    Parameters of the constructor are the `data_loader.params` of the configuration. A loader is built in every
    worker from the same parameters, so it must not depend on anything else.
    """

    def __init__(self) -> None:
        self._skipped: list[SkippedRecord] = []

    @abstractmethod
    def splits(self, batch_size: int) -> Iterable[Split]:
        """List the pieces of the source in a fixed order, each best of about `batch_size` records or more.

        Raises:
            InputError: nothing matches, or the source cannot be listed.
        """

    @abstractmethod
    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read one split as tables of at most `batch_size` rows with a `record_id` column.

        The same split gives the same tables in the same order, every time. A record that cannot be read is handed to
        `skip` and left out; it is never fatal and never silently lost.
        """

    def count(self, split: Split, at_most: int) -> int:
        """Return the number of records `read` would account for (given or skipped), counted up to `at_most`."""
        if split.num_records is not None:
            return min(split.num_records, at_most)
        total = 0
        for table in self.read(split, at_most):
            total += table.num_rows + len(self.take_skipped())
            if total >= at_most:
                return at_most
        return min(total + len(self.take_skipped()), at_most)

    def reads(self, path: str) -> bool:  # noqa: ARG002 - a loader that reads no files reads none
        """Return whether a file of this name would be part of the source, if it was there.

        A run is refused that would write to such a name. A loader of files should override this.
        """
        return False

    def skip(self, record_id: str, message: str, content: str = "") -> None:
        """Account for a record that cannot be read: counted as an error of the loader, kept in the error sink."""
        self._skipped.append(SkippedRecord(record_id, message, content))

    def take_skipped(self) -> list[SkippedRecord]:
        """Return the records skipped since the last call."""
        taken, self._skipped = self._skipped, []
        return taken
