"""Errors of the file system as errors of a history."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from mega_data_factory.errors import HistoryError


@contextlib.contextmanager
def explained(path: os.PathLike[str], verb: str) -> Iterator[None]:
    """Turn errors of the file system into one that names the path and what was done with it.

    Raises:
        HistoryError: something failed. A missing file while reading passes: its owner may have replaced it.
    """
    try:
        yield
    except FileNotFoundError:
        if verb == "read":
            raise  # its owner has replaced it: the reader looks again
        raise HistoryError(f"cannot {verb} {path}: a folder of it is missing") from None
    except OSError as error:
        raise HistoryError(f"cannot {verb} {path}: {error.strerror or error}") from error
