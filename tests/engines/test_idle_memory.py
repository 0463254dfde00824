"""A worker that waits for work gives memory back to the system."""

from __future__ import annotations

import threading
from multiprocessing import Pipe

import psutil
import pytest

from mega_data_factory.framework.engines.local.idle_memory import receive_bytes

_MB = 2**20


@pytest.mark.skipif(not psutil.LINUX, reason="only the allocator of glibc is asked to give back")
def test_an_idle_worker_gives_memory_back_and_gets_its_message() -> None:
    """What was allocated below something that lives is kept by the allocator, until the worker waits."""
    ours, theirs = Pipe()
    theirs.send_bytes(b"at once")
    many = [bytes(4096) for _ in range(64 * _MB // 4096)]
    last = bytes(4096)
    many.clear()
    assert receive_bytes(ours) == b"at once"
    kept = psutil.Process().memory_info().rss
    later = threading.Timer(0.3, theirs.send_bytes, [b"later"])
    later.start()
    assert receive_bytes(ours) == b"later"
    later.join()
    assert kept - psutil.Process().memory_info().rss > 32 * _MB
    assert len(last) == 4096
