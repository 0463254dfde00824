"""A folder as a value: the content of its files by their path in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def packed(write: Callable[[Path], None]) -> dict[str, bytes]:
    """Return the files that a function writes into a new folder, which is removed."""
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above) / "packed"
        write(folder)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@contextmanager
def unpacked(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write files into a folder that is there until the block ends."""
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above) / "packed"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield folder
