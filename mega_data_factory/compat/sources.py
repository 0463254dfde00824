"""Loaders that list files and yield dicts, and the old base of writers."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Self

import pyarrow as pa

from mega_data_factory.framework.contracts import RECORD_ID, Loader, Split


class DataLoader(Loader):
    """Loads records as dicts from a list of files, each of which is one split.

    A record without a text as `record_id` is named `file#number`, from 0. If a file raises, the records before stay,
    and the rest of it counts as one error of the loader.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make a loader that is complete also where the constructor of a subclass does not call ours."""
        made = super().__new__(cls)
        made._skipped = []
        return made

    @abstractmethod
    def get_file_list(self, max_samples: int | None = None, num_workers: int = 1) -> list[str]:
        """Return the files, in the same order every time."""

    @abstractmethod
    def load_files(
        self, file_list: list[str], worker_id: int | None = None, checkpoint: dict[str, Any] | None = None
    ) -> Iterable[dict[str, Any]]:
        """Yield the records of some files, in the same order every time."""

    def create_checkpoint(self, shard_id: int, records_processed: int) -> dict[str, Any]:
        """Return the arguments as a dict; a run is resumed from its commit log instead."""
        return {"shard_id": shard_id, "records_processed": records_processed}

    def splits(self, batch_size: int) -> list[Split]:  # noqa: ARG002 - a file is not divided
        """Return one split for each file."""
        return [Split({"file": file}) for file in self.get_file_list(max_samples=None, num_workers=1)]

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the records of one file."""
        file = str(split.params["file"])
        records = self._named(file)
        while batch := list(itertools.islice(records, batch_size)):
            yield _table(batch)

    def _named(self, file: str) -> Iterator[dict[str, Any]]:
        number = 0
        try:
            for record in self.load_files([file]):
                given = record.get(RECORD_ID)
                name = given if isinstance(given, str) and given else f"{file}#{number}"
                yield {RECORD_ID: name, **{key: value for key, value in record.items() if key != RECORD_ID}}
                number += 1
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises is about this file
            self.skip(f"{file}#{number}", f"{type(error).__name__}: {error}")


class DataWriter(ABC):
    """Old base of writers. It cannot write the output of a pipeline: subclass `contracts.Writer` for that.

    A run writes each file whole or not at all, and each record once, also after a crash; for that the engine opens and
    renames the files, and a writer only encodes tables.
    """

    @abstractmethod
    def write(self, data: list[dict[str, Any]]) -> None:
        """Write records."""


def _table(records: list[dict[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for record in records for name in record)
    return pa.table({name: _column([record.get(name) for record in records]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    """Return the values in the type that they show; as text where they have several."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = [v if v is None or isinstance(v, str) else json.dumps(v, default=str) for v in values]
        return pa.array(texts, pa.string())
