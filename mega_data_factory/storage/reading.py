"""Open files for reading."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Callable
from typing import BinaryIO, cast

from mega_data_factory.errors import InputError
from mega_data_factory.storage.location import Location, explained, file_system, is_local, local_name, local_path
from mega_data_factory.storage.members import GZIP, ZSTD, Decompressed

COMPRESSION_BY_SUFFIX = {".gz": GZIP, ".zst": ZSTD, ".zstd": ZSTD}
"""File name ending → the codec that `open_input` undoes."""

_BUFFER_BYTES = 1 << 20
_PARQUET = (".parquet", ".pq")


def open_input(uri: Location, *, decompress: bool = True) -> BinaryIO:
    """Open a file for reading; `.gz`, `.zst` and `.zstd` are decompressed unless `decompress` says otherwise.

    While it is read, a damaged or truncated compressed file raises `OSError`, never just ends. A local Parquet file is
    opened by Arrow itself, see `storage.parquet`.

    Raises:
        InputError: it is missing, is a folder, or may not be read.
    """
    with explained(InputError, uri, "open"):
        if is_local(uri):
            raw = cast("BinaryIO", open(local_name(uri), "rb"))  # noqa: PTH123, SIM115 - half the time of a `Path`
            if os.fspath(uri).endswith(_PARQUET):
                raw.close()
                return _native(os.fspath(local_path(uri)))
        else:
            fs, path = file_system(uri)
            raw = cast("BinaryIO", fs.open(path, "rb"))
            if not os.fspath(uri).endswith(_PARQUET):  # files of fsspec know no `readline` with a limit and no `read1`
                raw = io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER_BYTES)
    codec = COMPRESSION_BY_SUFFIX.get(posixpath.splitext(os.fspath(uri))[1].lower()) if decompress else None
    return raw if codec is None else io.BufferedReader(Decompressed(raw, codec), _BUFFER_BYTES)


def _native(path: str) -> BinaryIO:
    import pyarrow as pa

    return cast("BinaryIO", pa.OSFile(path))


def resume_behind_damage(file: BinaryIO, looks_right: Callable[[bytes], bool]) -> int | None:
    """Go to what follows the damage at which a compressed file raised `OSError`; its next bytes are read from there.

    Args:
        file: what `open_input` returned.
        looks_right: whether bytes are the first ones of a record: members that begin otherwise are passed over.

    Returns:
        Offset of the next member in the compressed file; None if there is none.
    """
    stream = getattr(file, "raw", None)  # the buffer before it is empty: it asked for more when the stream raised
    return stream.skip_damage(looks_right) if isinstance(stream, Decompressed) else None


def read_bytes(uri: Location) -> bytes:
    """Return the content of a file, as it is stored.

    From an object store it comes in one request, so that it is of one version of the file.

    Raises:
        InputError: it cannot be read.
    """
    with explained(InputError, uri, "read"):
        if is_local(uri):
            with open(local_name(uri), "rb") as file:  # noqa: PTH123 - half the time of a `Path`
                return file.read()
        fs, path = file_system(uri)
        return cast("bytes", fs.cat_file(path))


def read_beginning(uri: Location, most_bytes: int) -> bytes:
    """Return the first bytes of a file, decompressed; all of them if there are no more than `most_bytes`.

    Raises:
        InputError: it is missing, is a folder, or may not be read.
        OSError: it is damaged, or reading fails.
    """
    if is_local(uri) and posixpath.splitext(os.fspath(uri))[1].lower() not in COMPRESSION_BY_SUFFIX:
        with explained(InputError, uri, "open"):
            file = open(local_name(uri), "rb", buffering=0)  # noqa: PTH123, SIM115 - closed below
        with file:
            if os.fstat(file.fileno()).st_size <= most_bytes:
                return file.read()  # allocates what the file needs, where a limit would be allocated whole
    with open_input(uri) as stream:
        return stream.read(most_bytes)


def exists(uri: Location) -> bool:
    """Return whether there is a file or folder at the location.

    Raises:
        InputError: the store does not answer.
    """
    if is_local(uri):
        return local_path(uri).exists()
    fs, path = file_system(uri)
    with explained(InputError, uri, "look for"):
        return bool(fs.exists(path))


def is_folder(uri: Location) -> bool:
    """Return whether the location is a folder (in an object store: whether names continue below it).

    Raises:
        InputError: the store does not answer.
    """
    if is_local(uri):
        return local_path(uri).is_dir()
    fs, path = file_system(uri)
    with explained(InputError, uri, "look for"):
        return bool(fs.isdir(path))


def size(uri: Location) -> int:
    """Return the size of a file in bytes, as it is stored.

    Raises:
        InputError: there is no such file.
    """
    with explained(InputError, uri, "stat"):
        if is_local(uri):
            return local_path(uri).stat().st_size
        fs, path = file_system(uri)
        return int(fs.size(path) or 0)
