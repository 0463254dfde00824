"""Gaps between the segments of a run: of a fold in progress, or left behind by a killed process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Protocol

from mega_data_factory.framework.metrics.store.files.decoding import FileVanished
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")

_LISTINGS = 10
"""A fold has written its file before it removes a segment, so the next listing has no gap: one in ten stays."""


class _Files(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def whole(self) -> bool: ...


class Gaps:
    """Tells one kind of gap from the other: what ten listings have shown alike is all that there is."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()

    def check(self, folder: str, runs: Collection[_Files]) -> None:
        """Refuse a listing with a gap, until it has come again and again; then it counts, with one warning.

        Args:
            folder: of the table, for messages.
            runs: the files of every run that is to be read.

        Raises:
            FileVanished: the folder is to be listed again.
        """
        for run in runs:
            if run.whole:
                continue
            self._seen[run.names] += 1
            if self._seen[run.names] < _LISTINGS:
                raise FileVanished(folder)
            if self._seen[run.names] == _LISTINGS:
                _log.warning("%s: segments before %s are missing; what is there is read", folder, run.names[-1])
