"""Gather output of batches into files of a target size."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.contracts import OutputFile

MOST_REJECT_BYTES = 256_000_000
"""Bytes in memory of the rejected records of one group: its writer holds all of them, however few records are left."""


@dataclass
class Gatherer:
    """Gathers staged batches until a file of the target size is full, or the oldest has waited long enough.

    A group whose rejected records are kept is also full when these take `MOST_REJECT_BYTES`. How large a file becomes
    is learnt from the files before it: bytes on disk for every byte in memory.

    Attributes:
        target_bytes: size that a file should have; 0 makes a file of every batch.
        max_seconds: most seconds that a batch waits.
        clock: monotonic seconds.
    """

    target_bytes: float
    max_seconds: float = math.inf
    clock: Callable[[], float] = time.monotonic
    _waiting: list[StagedBatch] = field(default_factory=list)
    _bytes: int = 0
    _reject_bytes: int = 0
    _oldest: float = math.inf
    _written_memory: int = 0
    _written_disk: int = 0

    def add_batch(self, staged: StagedBatch) -> list[StagedBatch] | None:
        """Add a batch; return and clear the waiting batches when they fill a file."""
        if not self._waiting:
            self._oldest = self.clock()
        self._waiting.append(staged)
        self._bytes += staged.bytes
        self._reject_bytes += staged.reject_bytes
        full = self._bytes * self._ratio >= self.target_bytes or self._reject_bytes >= MOST_REJECT_BYTES
        return self.take_all() if full else None

    def take_overdue(self) -> list[StagedBatch] | None:
        """Return and clear the waiting batches, if the oldest has waited for `max_seconds`."""
        return self.take_all() if self._waiting and self.clock() - self._oldest >= self.max_seconds else None

    def take_all(self) -> list[StagedBatch] | None:
        """Return and clear the waiting batches, if there are some."""
        group, self._waiting, self._bytes, self._reject_bytes = self._waiting, [], 0, 0
        return sorted(group, key=lambda staged: staged.batch.id) or None

    def learn_size(self, group: Iterable[StagedBatch], file: OutputFile | None) -> None:
        """Learn how large the file of a group became."""
        if file is not None:
            self._written_memory += sum(staged.bytes for staged in group)
            self._written_disk += file.bytes

    @property
    def _ratio(self) -> float:
        return self._written_disk / self._written_memory if self._written_memory else 1.0
