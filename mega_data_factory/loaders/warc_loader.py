"""Web archives: WARC files (ISO 28500) and the WET files that Common Crawl derives from them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa
from fastwarc.warc import WarcRecord

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import RECORD_ID, Loader, Split
from mega_data_factory.loaders.parsing.files import (
    BATCH_BYTES,
    checked_paths,
    file_name,
    file_path,
    find_files,
    would_find,
)
from mega_data_factory.loaders.parsing.values import MAX_RECORD_MB, checked_limit, joined
from mega_data_factory.loaders.parsing.warc_records import Damage, Found, read_records
from mega_data_factory.storage.members import codec_of

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
"""Columns of a response."""

WET_SCHEMA = pa.schema(
    [
        (RECORD_ID, pa.string()),
        ("url", pa.string()),
        ("text", pa.string()),
        ("content_type", pa.string()),
        ("warc_date", pa.timestamp("us")),
        ("warc_record_id", pa.string()),
    ]
)
"""Columns of a text that was taken out of a page."""

SUFFIXES = tuple(f".warc{kind}{pack}" for kind in ("", ".wet") for pack in ("", ".gz", ".zst"))

_FIELDS = tuple(
    (name, name.lower())
    for name in ("WARC-Type", "WARC-Record-ID", "WARC-Date", "WARC-Target-URI", "Content-Type", "Content-Length")
)
"""Fields that are read, in the spelling that FastWARC knows and in lower case."""

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """A record that cannot be read.

    Attributes:
        reason: why.
        content: what is known of it, as text.
    """

    reason: str
    content: str = ""


Judged: TypeAlias = Row | Refused | None
"""A row without its name, why there is none, or None for what is not a record of this source."""


class WarcLoader(Loader):
    """Reads the HTTP responses of WARC files and the texts of WET files, plain, gzip or zstd.

    Columns of responses: `record_id` (`path@offset`: the path relative to the searched folder and the byte at which the
    record begins in the file, as an index of the archive gives it; `+n` follows for the n-th record of a compressed
    member), `url`, `html` (the body as bytes, transfer and content encodings undone), `content_type` and `charset` (of
    the HTTP header, null if it names none), `http_status`, `warc_date` (naive UTC), `warc_record_id` (not unique
    where archives repeat). Records of the kind `conversion`, which WET files of Common Crawl hold, have a column `text`
    in place of `html`, and neither `charset` nor `http_status`.

    Records of other kinds and content types are not records of this source. A response that is cut off, damaged, too
    large, or whose body is not what its HTTP header says is skipped as one error; reading continues at the next record.

    Args:
        path: file, folder (searched to its depths), glob (`**` too), or a list of them; any fsspec URI.
        content_types: HTTP content types to take; an empty list takes all, also responses that name none.
        max_record_mb: skip larger records, in MB of 2^20 bytes.
        suffixes: endings of the files to take from folders and globs.
    """

    def __init__(
        self,
        *,
        path: str | Sequence[str],
        content_types: Sequence[str] = ("text/html", "application/xhtml+xml"),
        max_record_mb: float = MAX_RECORD_MB,
        suffixes: Sequence[str] = SUFFIXES,
    ) -> None:
        super().__init__()
        if isinstance(content_types, str):
            raise ValueError(f"content_types is {content_types!r}; give a list, such as ['text/html']")
        self._paths = checked_paths(path)
        self._content_types = frozenset(kind.lower() for kind in content_types)
        self._max_bytes = checked_limit(max_record_mb)
        self._suffixes = tuple(suffixes)

    def reads(self, path: str) -> bool:
        """Return whether a file of this name would be part of the source."""
        return would_find(self._paths, self._suffixes, path)

    def splits(self, batch_size: int) -> list[Split]:  # noqa: ARG002 - pieces are files here
        """Return splits of one file each: a compressed archive can only be read from its start."""
        return [
            Split({"root": file.root, "label": file.label, "file": file.relative}, num_bytes=file.size)
            for file in find_files(self._paths, self._suffixes)
        ]

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the records of the file in turn."""
        name = file_name(split.params["label"], split.params["file"])
        rows: list[Row] = []
        size = 0
        for row in self._rows(file_path(split.params["root"], split.params["file"]), name):
            if rows and (rows[0].keys() != row.keys() or len(rows) == batch_size or size >= BATCH_BYTES):
                yield _table(rows)
                rows, size = [], 0
            rows.append(row)
            size += len(row.get("html") or row.get("text") or "")
        if rows:
            yield _table(rows)

    def _rows(self, path: str, name: str) -> Iterator[Row]:
        try:
            with storage.open_input(path, decompress=False) as file:
                for place, judged in self._judged(file):
                    if isinstance(judged, Refused):
                        self.skip(f"{name}@{place}", judged.reason, judged.content)
                    elif judged is not None:
                        yield {RECORD_ID: f"{name}@{place}", **judged}
        except OSError as error:
            self.skip(name, f"damaged file: {error}")
        except InputError as error:
            self.skip(name, error.message)

    def _judged(self, file: BinaryIO) -> Iterator[tuple[str, Judged]]:
        """Judge every record of a file.

        FastWARC reads HTTP here and not the archive: it passes over damage without a word, and ends at some of it.
        """
        for item in read_records(file, codec_of(file), self._max_bytes):
            yield item.place, Refused(item.reason) if isinstance(item, Damage) else self._rebuilt(item)

    def _rebuilt(self, found: Found) -> Judged:
        """Judge a record; its header is written again as FastWARC reads it."""
        kind = found.fields.get("warc-type", "").lower()
        if kind not in ("response", "conversion"):
            return None
        uri = found.fields.get("warc-target-uri")
        url = None if uri is None else uri.strip("<>")  # WARC/1.0 put the URI in angle brackets
        if found.content is None:
            return Refused(f"{found.length:,} bytes, more than max_record_mb", url or "")
        fields = {**found.fields, "content-length": str(found.length)}
        lines = [f"{name}: {fields[key]}" for name, key in _FIELDS if key in fields]
        header = "\r\n".join(["WARC/1.0", *lines, "", ""]).encode()
        try:
            record = WarcRecord.from_bytes(b"".join((header, found.content, b"\r\n\r\n")))
        except OSError as error:
            return Refused(f"its WARC header cannot be read: {error}", url or "")
        if kind == "conversion":
            return _conversion(record, url, found.fields.get("content-type", "text/plain"))
        return self._response(record, url) if record.is_http else None

    def _response(self, record: WarcRecord, url: str | None) -> Judged:
        try:
            record.parse_http(auto_decode="all")
            content_type = record.http_content_type
            if self._content_types and (content_type or "").lower() not in self._content_types:
                return None
            body = _read_at_most(record, self._max_bytes + 1)
        except (OSError, ValueError) as error:
            return Refused(f"its HTTP header or body cannot be read: {error}", url or "")
        if len(body) > self._max_bytes:
            return Refused("more than max_record_mb when unpacked", url or "")
        return {
            "url": url,
            "html": body,
            "content_type": content_type,
            "charset": record.http_charset,
            "http_status": record.http_headers.status_code if record.http_headers else None,
            "warc_date": _utc(record.record_date),
            "warc_record_id": record.record_id,
        }


def _conversion(record: WarcRecord, url: str | None, content_type: str) -> Judged:
    """Return a text that was taken out of a page, as in WET files; they are UTF-8."""
    kind = (content_type or "text/plain").partition(";")[0].strip().lower()
    if kind != "text/plain":
        return None
    try:
        text = record.reader.read().decode("utf-8")
    except UnicodeDecodeError as error:
        return Refused(f"not UTF-8: {error}", url or "")
    return {
        "url": url,
        "text": text,
        "content_type": kind,
        "warc_date": _utc(record.record_date),
        "warc_record_id": record.record_id,
    }


def _table(rows: list[Row]) -> pa.Table:
    schema = SCHEMA if "html" in rows[0] else WET_SCHEMA
    columns = {field.name: [row[field.name] for row in rows] for field in schema}
    arrays = [
        joined(columns[field.name], field.type) if field.name == "html" else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _read_at_most(record: WarcRecord, most_bytes: int) -> bytes:
    """Return the first bytes of the body; a small record may unpack to any size, and what is asked for is allocated."""
    pieces: list[bytes] = []
    left = most_bytes
    while left > 0 and (piece := record.reader.read(min(left, record.content_length + 1))):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _utc(moment: datetime.datetime | None) -> datetime.datetime | None:
    return None if moment is None else moment.astimezone(datetime.UTC).replace(tzinfo=None)
