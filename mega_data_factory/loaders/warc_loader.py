"""Web archives: WARC files (ISO 28500)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import RECORD_ID, Loader, Split
from mega_data_factory.loaders._files import BATCH_BYTES, checked_paths, file_name, file_path, find_files

SCHEMA = pa.schema(
    [
        (RECORD_ID, pa.string()),
        ("url", pa.string()),
        ("html", pa.binary()),
        ("content_type", pa.string()),
        ("charset", pa.string()),
        ("http_status", pa.int32()),
        ("warc_date", pa.timestamp("us")),
        ("warc_record_id", pa.string()),
    ]
)


class WarcLoader(Loader):
    """Reads the HTTP responses of WARC files (`.warc`, gzip or zstd).

    Columns: `record_id` (`path@offset`: the path relative to the searched folder and the byte at which the record
    begins in the file, as an index of the archive gives it), `url`, `html` (the body as bytes, transfer and content
    encodings undone), `content_type` and `charset` (of the HTTP header, null where it names none), `http_status`,
    `warc_date` (naive UTC), `warc_record_id` (not unique where archives repeat).

    Records of other kinds and content types are no records of this source. A response that is cut off or too large is
    skipped as one error; so is all that follows a place where the file is damaged.

    Args:
        path: file, folder (searched to its depths), glob (`**` too), or a list of them; any fsspec URI.
        content_types: HTTP content types to take; an empty list takes all, also responses that name none.
        max_record_mb: skip larger responses, in MB of 2^20 bytes.
        suffixes: endings of the files to take from folders and globs.
    """

    def __init__(
        self,
        *,
        path: str | Sequence[str],
        content_types: Sequence[str] = ("text/html", "application/xhtml+xml"),
        max_record_mb: float = 64.0,
        suffixes: Sequence[str] = (".warc", ".warc.gz", ".warc.zst"),
    ) -> None:
        super().__init__()
        if isinstance(content_types, str):
            raise ValueError(f"content_types is {content_types!r}; give a list, such as ['text/html']")
        if not 0 < max_record_mb <= 1024:
            raise ValueError(f"max_record_mb is {max_record_mb}, not between 0 and 1024")
        self._paths = checked_paths(path)
        self._content_types = frozenset(kind.lower() for kind in content_types)
        self._max_bytes = int(max_record_mb * (1 << 20))
        self._suffixes = tuple(suffixes)

    def splits(self, batch_size: int) -> list[Split]:  # noqa: ARG002 - pieces are files here
        """One file each: a compressed archive can only be read from its start."""
        return [
            Split({"root": file.root, "label": file.label, "file": file.relative})
            for file in find_files(self._paths, self._suffixes)
        ]

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the responses of the file in turn."""
        name = file_name(split.params["label"], split.params["file"])
        rows: list[dict[str, Any]] = []
        size = 0
        for row in self._rows(file_path(split.params["root"], split.params["file"]), name):
            rows.append(row)
            size += len(row["html"])
            if len(rows) == batch_size or size >= BATCH_BYTES:
                yield pa.Table.from_pylist(rows, SCHEMA)
                rows, size = [], 0
        if rows:
            yield pa.Table.from_pylist(rows, SCHEMA)

    def _rows(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        """The responses up to the first damage."""
        position = 0
        try:
            with storage.open_input(path, decompress=False) as file:
                for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=False):
                    position = record.stream_pos
                    row = self._row(record, f"{name}@{position}")
                    if row is not None:
                        yield row
        except OSError as error:
            self.skip(name, f"damaged file, nothing read after the record at byte {position}: {error}")
        except InputError as error:
            self.skip(name, error.message)

    def _row(self, record: WarcRecord, record_id: str) -> dict[str, Any] | None:
        if not record.is_http:
            return None
        declared = record.content_length
        if declared > self._max_bytes:
            self.skip(record_id, f"{declared} bytes, more than max_record_mb", _header(record, "WARC-Target-URI") or "")
            return None
        record.freeze()  # reads all of it: `content_length` is then what was really there
        if record.content_length < declared:
            self.skip(record_id, f"cut off: {record.content_length} of {declared} bytes are there")
            return None
        record.parse_http(auto_decode="all")
        if self._content_types and (record.http_content_type or "").lower() not in self._content_types:
            return None
        return {
            RECORD_ID: record_id,
            "url": _header(record, "WARC-Target-URI"),
            "html": record.reader.read(),
            "content_type": record.http_content_type,
            "charset": record.http_charset,
            "http_status": record.http_headers.status_code if record.http_headers else None,
            "warc_date": _utc(record.record_date),
            "warc_record_id": record.record_id,
        }


def _header(record: WarcRecord, name: str) -> str | None:
    value = record.headers.get(name)
    return None if value is None else str(value).strip("<>")  # WARC/1.0 put the URI in angle brackets


def _utc(moment: datetime.datetime | None) -> datetime.datetime | None:
    return None if moment is None else moment.astimezone(datetime.UTC).replace(tzinfo=None)
