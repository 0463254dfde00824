"""Text files, one record each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.charsets import Decoded, codec_of, decode, decode_text, is_plain_utf_8, marked_encoding
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
from mega_data_factory.loaders.parsing.values import checked_limit, joined

SCHEMA = pa.schema(
    [
        (RECORD_ID, pa.string()),
        ("text", pa.string()),
        ("encoding", pa.string()),
        ("replaced_characters", pa.int64()),
        ("size_bytes", pa.int64()),
    ]
)

_PROBE_BYTES = 8192


_Row: TypeAlias = tuple[str, bytes, str, int, int]
"""Values of a record in the order of `SCHEMA`, the text in UTF-8."""


class TextLoader(Loader):
    """Reads text files, one record per file, in any encoding.

    Columns: `record_id` (path relative to the searched folder; with several folders, that below the folder's name),
    `text`, `encoding` (the one it was decoded from, as Python names it), `replaced_characters` (how often U+FFFD is
    for bytes that could not be decoded), `size_bytes` (of the file, decompressed).

    A byte order mark decides the encoding; else the parameter `encoding`; without it UTF-8, if the file is valid in it;
    else the encoding is guessed, which short files make hard: name it where you know it. Names mean what the WHATWG
    Encoding Standard says (`shift_jis` is Windows-31J, `euc-kr` Windows-949). Where no encoding is named, a file that
    is not UTF-8 and has a NUL among its first 8 KiB is taken for binary. Files that are binary, too large, or cannot be
    read are skipped, each as one error.

    Args:
        path: file, folder (searched to its depths), glob (`**` too), or a list of them; any fsspec URI. A path may
            begin with `{site-packages}` or `{stdlib}`: the packages or the standard library of the running Python,
            so that an example works on every machine.
        suffixes: endings of the files to take from folders and globs; `[""]` takes all.
        max_file_mb: skip larger files, in MB of 2^20 bytes.
        encoding: what the files are written in, such as `shift_jis`, `euc-kr`, `gb18030`, `utf-16`; detected for each
            file when left out.
    """

    def __init__(
        self,
        *,
        path: str | Sequence[str],
        suffixes: Sequence[str] = (".txt", ".md"),
        max_file_mb: float = 128.0,
        encoding: str | None = None,
    ) -> None:
        super().__init__()
        if isinstance(suffixes, str):
            raise ValueError(f"suffixes is {suffixes!r}; give a list, such as ['.txt']")
        self._paths = checked_paths(path)
        self._suffixes = tuple(suffixes)
        self._codec = None if encoding is None else _checked_codec(encoding)
        self._max_bytes = checked_limit(max_file_mb, "max_file_mb")

    def reads(self, path: str) -> bool:
        """Return whether a file of this name would be part of the source."""
        return would_find(self._paths, self._suffixes, path, ignore=(".",))

    def splits(self, batch_size: int) -> list[Split]:
        """Return splits of `batch_size` files each."""
        files = find_files(self._paths, self._suffixes, ignore=(".",))
        found = []
        for (root, label), group in itertools.groupby(files, key=lambda file: (file.root, file.label)):
            names = [file.relative for file in group]
            for start in range(0, len(names), batch_size):
                part = names[start : start + batch_size]
                found.append(Split({"root": root, "label": label, "files": part}, num_records=len(part)))
        return found

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the files in turn."""
        rows: list[_Row] = []
        size = 0
        for relative in split.params["files"]:
            row = self._record(split.params["root"], split.params["label"], relative)
            if row is None:
                continue
            rows.append(row)
            size += row[4]
            if len(rows) == batch_size or size >= BATCH_BYTES:
                yield _table(rows)
                rows, size = [], 0
        if rows:
            yield _table(rows)

    def _record(self, root: str, label: str, relative: str) -> _Row | None:
        name = file_name(label, relative)
        try:
            data = storage.read_beginning(file_path(root, relative), self._max_bytes + 1)
        except (InputError, OSError) as error:
            self.skip(name, error.message if isinstance(error, InputError) else f"cannot read {name}: {error}")
            return None
        if len(data) > self._max_bytes:
            self.skip(name, f"larger than max_file_mb ({self._max_bytes / (1 << 20):g} MB)")
            return None
        if self._codec is None and is_plain_utf_8(data):
            return name, data, "utf-8", 0, len(data)
        decoded = _decoded(data, self._codec)
        if decoded is None:
            self.skip(name, "looks binary: not UTF-8, and a NUL among the first 8 KiB")
            return None
        return name, decoded.text.encode(), decoded.encoding, decoded.replaced, len(data)


def _checked_codec(encoding: str) -> str:
    """Return Python's codec for the parameter `encoding`.

    Raises:
        ValueError: there is no such encoding.
    """
    codec = codec_of(encoding) if isinstance(encoding, str) else None
    if codec is None:
        raise ValueError(f"encoding is {encoding!r}; give a name such as 'shift_jis', or leave it out to detect it")
    return codec


def _decoded(data: bytes, codec: str | None) -> Decoded | None:
    """Return the decoded text; None if no encoding is named and they look binary."""
    if marked_encoding(data):
        return decode_text(data)
    if codec is not None:
        return decode(data, codec)
    if b"\0" in data[:_PROBE_BYTES]:
        try:
            return Decoded(data.decode(), "utf-8", 0)
        except UnicodeDecodeError:
            return None
    return decode_text(data)


def _table(rows: list[_Row]) -> pa.Table:
    names, texts, *others = zip(*rows, strict=True)
    columns = [names, joined(texts, pa.string()), *others]
    arrays = [
        column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column, field.type)
        for column, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
