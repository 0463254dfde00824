"""Lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import Loader, Split
from mega_data_factory.loaders._files import (
    RecordNames,
    SourceFile,
    checked_paths,
    file_name,
    file_path,
    find_files,
    slices,
)
from mega_data_factory.loaders._json_lines import JsonLines

BLOCK_BYTES = 4 << 20
"""Lines are parsed in blocks of about so many bytes."""

_PIECE_BYTES = 64 << 10
"""Bytes asked for at once: so much at most is lost before the place where a compressed file is damaged."""

_COMPRESSED = (".gz", ".zst", ".zstd")

SUFFIXES = tuple(f"{kind}{pack}" for kind in (".jsonl", ".ndjson", ".json") for pack in ("", *_COMPRESSED))


class JsonlLoader(Loader):
    """Reads files with one JSON object per line, plain or compressed.

    `record_id` is `path@offset`: the path relative to the searched folder and the byte at which the line begins, in the
    decompressed file. A line that is no JSON object, or no UTF-8, is skipped as one error with its reason; blank lines
    are no records; the last line needs no line end.

    Types are inferred for each block of lines. Where a column mixes types that have none in common (a number here, an
    object there) its values come as text: strings as they are, others as JSON. Dates stay text; integers
    beyond 64 bits become floating-point numbers.

    Args:
        path: file, folder (searched to its depths), glob (`**` too), or a list of them; any fsspec URI.
        id_column: key whose values name the records, cast to strings. A null is replaced by `path@offset`, a value that
            repeats within the split gets it added; values should be unique in the whole source.
        split_mb: plain files are read in pieces of so many MB of 2^20 bytes; compressed files are read whole.
        suffixes: endings of the files to take from folders and globs.
    """

    def __init__(
        self,
        *,
        path: str | Sequence[str],
        id_column: str | None = None,
        split_mb: float = 32.0,
        suffixes: Sequence[str] = SUFFIXES,
    ) -> None:
        super().__init__()
        if split_mb <= 0:
            raise ValueError(f"split_mb is {split_mb}, not more than 0")
        self._paths = checked_paths(path)
        self._id_column = id_column
        self._split_bytes = max(1, int(split_mb * (1 << 20)))
        self._suffixes = tuple(suffixes)

    def splits(self, batch_size: int) -> list[Split]:  # noqa: ARG002 - pieces are of bytes here
        """Ranges of bytes of the plain files; a line belongs to the range in which it begins."""
        return [split for file in find_files(self._paths, self._suffixes) for split in self._splits_of(file)]

    def _splits_of(self, file: SourceFile) -> Iterator[Split]:
        place = {"root": file.root, "label": file.label, "file": file.relative}
        if file.relative.lower().endswith(_COMPRESSED):
            yield Split({**place, "start": 0, "end": None})
            return
        # An empty file has one split too, so that a file that cannot be opened is accounted for.
        for start in range(0, max(file.size, 1), self._split_bytes):
            yield Split({**place, "start": start, "end": max(1, min(start + self._split_bytes, file.size))})

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        """Read the lines that begin in the range."""
        params = split.params
        name = file_name(params["label"], params["file"])
        names, lines = RecordNames(self._id_column), JsonLines()
        try:
            with storage.open_input(file_path(params["root"], params["file"])) as file:
                for offset, block in _blocks(file, params["start"], params["end"]):
                    table, offsets, refused = lines.parse(block)
                    for at, reason, content in refused:
                        self.skip(f"{name}@{offset + at}", f"line at byte {offset + at}: {reason}", content)
                    named = names.name(table, [f"{name}@{offset + at}" for at in offsets])
                    yield from slices(named, batch_size)
        except OSError as error:
            self.skip(name, f"damaged file, read up to there: {error}")
        except InputError as error:
            if not error.message.startswith("cannot open"):
                raise
            self.skip(name, error.message)


def _blocks(file: BinaryIO, start: int, end: int | None) -> Iterator[tuple[int, bytes]]:
    """Whole lines that begin in [start, end), in blocks, each with the offset of its first byte.

    When the stream breaks, the whole lines before are given first.
    """
    position = start
    if start:
        file.seek(start - 1)
        position = start - 1 + len(file.readline())
    while end is None or position < end:
        wanted = BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - position)
        pieces: list[bytes] = []
        broken = _gather(file, wanted, pieces)
        block = b"".join(pieces)
        if broken is not None:
            block = block[: block.rfind(b"\n") + 1]
        if block:
            yield position, block
        if broken is not None:
            raise broken
        if not block:
            return
        position += len(block)


def _gather(file: BinaryIO, wanted: int, pieces: list[bytes]) -> OSError | None:
    """Read `wanted` bytes and the rest of the last line into `pieces`; the error that stopped it, if one did."""
    read1 = getattr(file, "read1", file.read)
    try:
        while wanted > 0 and (piece := read1(min(wanted, _PIECE_BYTES))):
            pieces.append(piece)
            wanted -= len(piece)
        if pieces and not pieces[-1].endswith(b"\n"):
            pieces.append(file.readline())
    except OSError as error:
        return error
    return None
