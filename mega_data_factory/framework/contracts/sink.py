"""Contract of the sink: writers, which encode tables as files, and the files that they have written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar

import pyarrow as pa

WRITER_STAGE = "data_writer"
"""Stage name for records that the writer could not write."""


@dataclass(frozen=True)
class WriterOptions:
    """The parameters every writer has.

    Attributes:
        output_path: folder or fsspec URI that the files go to.
        target_file_mb: batches are gathered until a file holds about N megabytes; 0 writes one file per batch.
        if_exists: what to do when the folder already holds output: `error`, `overwrite` (replace that output when the
            run completes; files of other origin stay), or `append`.
        max_file_seconds: a batch waits at most so long for its file to fill; so little is lost when a run is killed.
    """

    output_path: str
    target_file_mb: float = 64.0
    if_exists: str = "error"
    max_file_seconds: float = 30.0


class Writer(ABC):
    """Encodes tables as whole files. Naming, atomic renaming and clean-up belong to the engine.

    Parameters of the constructor are the `data_writer.params` of the configuration; a subclass passes on the ones of
    `WriterOptions` that it does not know.
    """

    suffix: ClassVar[str]
    """File name ending, with the dot."""

    def __init__(
        self,
        output_path: str,
        *,
        target_file_mb: float = 64.0,
        if_exists: str = "error",
        max_file_seconds: float = 30.0,
    ) -> None:
        if if_exists not in ("error", "overwrite", "append"):
            raise ValueError(f"if_exists is {if_exists!r}, not one of error, overwrite, append")
        if target_file_mb < 0:
            raise ValueError(f"target_file_mb is {target_file_mb}, less than 0")
        if max_file_seconds < 0:
            raise ValueError(f"max_file_seconds is {max_file_seconds}, less than 0")
        self.options = WriterOptions(str(output_path), float(target_file_mb), if_exists, float(max_file_seconds))

    @abstractmethod
    def write(self, table: pa.Table, sink: BinaryIO) -> None:
        """Encode the table as one whole file into `sink`."""


@dataclass(frozen=True)
class OutputFile:
    """A file that a writer has finished and renamed into place.

    Attributes:
        path: its path, as the user would write it.
        records: rows in it.
        bytes: its size.
    """

    path: str
    records: int
    bytes: int = field(default=0)
