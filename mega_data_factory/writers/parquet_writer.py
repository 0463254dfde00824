"""Parquet files."""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.framework.contracts import Writer

COMPRESSIONS = ("zstd", "snappy", "gzip", "lz4", "brotli", "none")


class ParquetWriter(Writer):
    """Writes Parquet files (format 2.6) with page checksums and statistics.

    Args:
        output_path: folder or fsspec URI that the files go to.
        compression: `zstd`, `snappy`, `gzip`, `lz4`, `brotli` or `none`.
        compression_level: the codec's level; its own default when left out.
        row_group_size: rows per row group, the unit in which readers split the file.
        target_file_mb: gather batches until a file holds about N MB; 0 writes one file per batch.
        max_file_seconds: a batch waits at most so long for its file to fill, so that a killed run loses little.
        if_exists: `error`, `overwrite` or `append` when the folder already holds output.
    """

    suffix = ".parquet"

    def __init__(
        self,
        output_path: str,
        *,
        compression: str = "zstd",
        compression_level: int | None = None,
        row_group_size: int = 100_000,
        **options: Any,
    ) -> None:
        super().__init__(output_path, **options)
        if compression not in COMPRESSIONS:
            raise ValueError(f"compression is {compression!r}, not one of {', '.join(COMPRESSIONS)}")
        if row_group_size < 1:
            raise ValueError(f"row_group_size is {row_group_size}, less than 1")
        self._compression = compression
        self._level = compression_level
        self._row_group_size = row_group_size

    def write(self, table: pa.Table, sink: BinaryIO) -> None:
        """Encode the table as one Parquet file.

        Raises:
            ArrowNotImplementedError: a column has a type that Parquet has not (an object without keys).
        """
        pq.write_table(
            table,
            sink,
            compression=self._compression,
            compression_level=self._level,
            row_group_size=self._row_group_size,
            write_page_checksum=True,
        )
