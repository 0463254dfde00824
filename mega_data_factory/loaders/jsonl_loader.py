"""Lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import Loader, Split
from mega_data_factory.loaders.parsing.files import (
    RecordNames,
    SourceFile,
    checked_paths,
    file_name,
    file_path,
    find_files,
    numbered,
    slices,
    would_find,
)
from mega_data_factory.loaders.parsing.json_array import Layout, items_of, layout_of
from mega_data_factory.loaders.parsing.json_lines import JsonLines, parse_object, table_of
from mega_data_factory.loaders.parsing.lines import BLOCK_BYTES, whole_lines
from mega_data_factory.loaders.parsing.values import MAX_RECORD_MB, checked_limit

_COMPRESSED = (".gz", ".zst", ".zstd")

SUFFIXES = tuple(f"{kind}{pack}" for kind in (".jsonl", ".ndjson", ".json") for pack in ("", *_COMPRESSED))


_Named: TypeAlias = tuple[pa.Table, pa.StringArray]
"""Records and where each of them is."""


class JsonlLoader(Loader):
    """Reads files with one JSON object per line, plain or compressed.

    `record_id` is `path@offset`: the path relative to the searched folder and the byte at which the line begins, in the
    decompressed file. A line that is no JSON object, or no UTF-8, is skipped as one error with its reason; blank lines
    are no records; the last line needs no line end. Where one of several members of a compressed file is damaged,
    reading continues at the next one that begins with a record; from there names are `path@member+offset`.

    A file in `.json` may hold one JSON array of objects instead, as downloads often do, or objects that are
    pretty-printed over several lines: each object is a record, named by the byte at which it begins.

    Types are inferred for each block of lines. Where a column mixes types that have none in common (a number here, an
    object there) its values come as text: strings as they are, others as JSON. So do whole numbers that a 64-bit
    integer, or the floating-point numbers beside them, would not hold exactly: no digit is lost. Dates stay text. A
    record nested more than 60 levels deep is an error.

    Args:
        path: file, folder (searched to its depths), glob (`**` too), or a list of them; any fsspec URI.
        id_column: key whose values name the records, cast to strings. A null is replaced by `path@offset`, a value that
            repeats within the split gets it added; values should be unique in the whole source.
        split_mb: plain files are read in pieces of this size, in MB of 2^20 bytes; compressed files are read whole.
        suffixes: endings of the files to take from folders and globs.
        max_record_mb: skip longer lines, in MB of 2^20 bytes.
    """

    def __init__(
        self,
        *,
        path: str | Sequence[str],
        id_column: str | None = None,
        split_mb: float = 32.0,
        suffixes: Sequence[str] = SUFFIXES,
        max_record_mb: float = MAX_RECORD_MB,
    ) -> None:
        super().__init__()
        if split_mb <= 0:
            raise ValueError(f"split_mb is {split_mb}, not more than 0")
        self._paths = checked_paths(path)
        self._id_column = id_column
        self._split_bytes = max(1, int(split_mb * (1 << 20)))
        self._suffixes = tuple(suffixes)
        self._max_bytes = checked_limit(max_record_mb)

    def reads(self, path: str) -> bool:
        """Return whether a file of this name would be part of the source."""
        return would_find(self._paths, self._suffixes, path)

    def splits(self, batch_size: int) -> list[Split]:  # noqa: ARG002 - pieces are of bytes here
        """Return ranges of bytes of the plain files; a line belongs to the range in which it begins."""
        return [split for file in find_files(self._paths, self._suffixes) for split in self._splits_of(file)]

    def _splits_of(self, file: SourceFile) -> Iterator[Split]:
        place = {"root": file.root, "label": file.label, "file": file.relative}
        if file.relative.lower().endswith(_COMPRESSED):
            yield Split({**place, "start": 0, "end": None}, num_bytes=file.size)
            return
        # An empty file has one split too, so that a file that cannot be opened is accounted for.
        for start in range(0, max(file.size, 1), self._split_bytes):
            end = min(start + self._split_bytes, file.size)
            yield Split({**place, "start": start, "end": max(1, end)}, num_bytes=end - start)

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the lines that begin in the range, or the objects of an array."""
        params = split.params
        name = file_name(params["label"], params["file"])
        path = file_path(params["root"], params["file"])
        names = RecordNames(self._id_column)
        try:
            layout = _layout(path) if _is_json(params["file"]) else Layout.LINES
            in_lines = layout is Layout.LINES
            if params["start"] and not in_lines:
                return  # the piece that begins the file reads all of it: an object has no line of its own
            with storage.open_input(path) as file:
                found = self._all_lines(file, name, params) if in_lines else self._objects(file, name, layout)
                for table, places in found:
                    yield from slices(names.name(table, places), batch_size)
        except OSError as error:
            self.skip(name, f"damaged file, read up to there: {error}")
        except InputError as error:
            if not error.message.startswith("cannot open"):
                raise
            self.skip(name, error.message)

    def _all_lines(self, file: BinaryIO, name: str, params: Mapping[str, Any]) -> Iterator[_Named]:
        """Read the lines of a file, of a compressed one around its damaged members."""
        prefix = f"{name}@"
        while True:
            try:
                yield from self._lines(file, prefix, params)
                return
            except OSError as error:
                member = storage.resume_behind_damage(file, _begins_record)
                if member is None:
                    raise
                self.skip(f"{prefix}damage", f"damaged file: {error}; passed over up to byte {member}")
                prefix = f"{name}@{member}+"

    def _lines(self, file: BinaryIO, prefix: str, params: Mapping[str, Any]) -> Iterator[_Named]:
        lines = JsonLines()
        for block in whole_lines(file, params["start"], params["end"], self._max_bytes):
            for at, size, beginning in block.too_long:
                reason = f"line at byte {at}: {size:,} bytes, more than max_record_mb"
                self.skip(f"{prefix}{at}", reason, beginning.decode("utf-8", "replace"))
            if block.content:
                table, offsets, refused = lines.parse(block.content)
                for at, reason, content in refused:
                    place = block.start + at
                    self.skip(f"{prefix}{place}", f"line at byte {place}: {reason}", content)
                yield table, numbered(prefix, block.start + offsets)

    def _objects(self, file: BinaryIO, name: str, layout: Layout) -> Iterator[_Named]:
        records: list[dict[str, Any]] = []
        places: list[str] = []
        size = 0
        for item in items_of(file, layout, self._max_bytes):
            place = f"{name}@{item.start}"
            if item.problem:
                self.skip(place, f"value at byte {item.start}: {item.problem}", item.text.decode("utf-8", "replace"))
                continue
            try:
                records.append(parse_object(item.text))
            except ValueError as error:
                self.skip(place, f"value at byte {item.start}: {error}", item.text[:2000].decode("utf-8", "replace"))
                continue
            places.append(place)
            size += len(item.text)
            if size >= BLOCK_BYTES:
                yield table_of(records), pa.array(places)
                records, places, size = [], [], 0
        if records:
            yield table_of(records), pa.array(places)


def _begins_record(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _is_json(name: str) -> bool:
    return name.lower().endswith(tuple(f".json{pack}" for pack in ("", *_COMPRESSED)))


def _layout(path: str) -> Layout:
    with storage.open_input(path) as file:
        return layout_of(file)
