"""Memory of a worker that has nothing to do: what its allocators keep for later goes back to the system."""

from __future__ import annotations

import ctypes
import sys
from multiprocessing.connection import Connection

import pyarrow as pa

_IDLE_SECONDS = 0.1
"""A worker that waits longer for its next message is idle; a busy one keeps its memory, which would come back."""


def receive_bytes(connection: Connection) -> bytes:
    """Return the next message of the driver; when none comes for a moment, free memory goes back while it waits."""
    if not connection.poll(_IDLE_SECONDS):
        _give_back()
    return connection.recv_bytes()


def _give_back() -> None:
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):  # not in musl
            libc.malloc_trim(0)
