"""A sealed piece of a node's history: compressed, in memory or on disk, with what is needed to find and draw it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.block import Block
from mega_data_factory.history.series import Floats, Series
from mega_data_factory.history.storage.codec import decode

OUTLINE_ROWS = 512
"""Rows of which an outline keeps the least and the greatest."""


class Chunk:
    """One compressed block; immutable.

    Args:
        facts: what the metadata of its file say.
        payload: the Parquet file, or where it lies.
        size: bytes of it.
        block: the rows, if they are at hand: then the outlines are made of them, else on demand.

    Attributes:
        sequence: number in the order of writing, unique in its node.
        interval: width of its rows, microseconds; 0 for points.
        rows, start, end: number of rows, and first and last timestamp, microseconds.
        nbytes: bytes of the file and of the outlines.
    """

    def __init__(self, facts: Mapping[str, Any], payload: bytes | Path, size: int, block: Block | None = None) -> None:
        self.facts = facts
        self.payload = payload
        self.sequence: int = facts["sequence"]
        self.interval: int = facts["interval"]
        self.rows: int = facts["rows"]
        self.start: int = facts["start"]
        self.end: int = facts["end"]
        self.nbytes = size
        self._outlines: dict[str, Series] = {}
        for name, series in block.columns.items() if block is not None else ():
            self._keep(name, _outline(series))

    @property
    def metrics(self) -> list[str]:
        """The metrics in it."""
        return list(self.facts["columns"])

    def content(self) -> bytes:
        """Return the Parquet file.

        Raises:
            HistoryError: it is missing, or cannot be read.
        """
        if isinstance(self.payload, bytes):
            return self.payload
        try:
            return self.payload.read_bytes()
        except OSError as error:
            raise HistoryError(f"cannot read {self.payload}, a chunk of the history: {error.strerror}") from error

    def block(self, metrics: Iterable[str] | None = None) -> Block:
        """Return all rows, of all metrics or of some.

        Raises:
            HistoryError: the file is missing or damaged.
        """
        content = self.content()
        try:
            return decode(content, self.facts, metrics)
        except (pa.ArrowException, OSError) as error:
            where = self.payload if isinstance(self.payload, Path) else f"chunk {self.sequence}"
            raise HistoryError(f"{where} of the history is damaged: {error}") from error

    def series(self, metric: str) -> Series:
        """Return all rows of one metric; NaN when the chunk does not have it."""
        block = self.block([metric])
        return block.columns[metric] if metric in block.columns else Series.unknown(block.timestamps, self.interval)

    def outline(self, metric: str) -> Series:
        """Return the rows with the least and greatest value of every `OUTLINE_ROWS` rows: enough for an overview."""
        if metric not in self._outlines:
            self._keep(metric, _outline(self.series(metric)))
        return self._outlines[metric]

    def _keep(self, metric: str, outline: Series) -> None:
        self._outlines[metric] = outline
        self.nbytes += len(outline) * (16 if self.interval == 0 else 40)


def _outline(series: Series) -> Series:
    """Return the rows of the extremes, the first row of an unmeasured stretch, and both ends."""
    groups = -(-len(series) // OUTLINE_ROWS)
    low = _grid(series.minimum, np.inf, groups).argmin(axis=1)
    high = _grid(series.maximum, -np.inf, groups).argmax(axis=1)
    firsts = np.arange(groups) * OUTLINE_ROWS
    ends = [0, len(series) - 1]
    rows = np.unique(np.concatenate((low + firsts, high + firsts, ends, _first_unknown(series))))
    return series[rows[rows < len(series)]]


def _first_unknown(series: Series) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the first unmeasured row of each group of rows, so that an outline shows a gap if there is one."""
    rows = np.flatnonzero(np.isnan(series.values))
    return rows[np.unique(rows // OUTLINE_ROWS, return_index=True)[1]]


def _grid(values: Floats, neutral: float, groups: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return `values` as rows of a matrix; unmeasured and padded places hold the value that is never an extreme."""
    padded = np.full(groups * OUTLINE_ROWS, neutral)
    padded[: len(values)] = np.where(np.isnan(values), neutral, values)
    return padded.reshape(groups, OUTLINE_ROWS)
