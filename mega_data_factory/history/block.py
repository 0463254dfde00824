"""All metrics of one node over the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mega_data_factory.history.series import Series, Times, bucketed, combined, joined, latest


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of one kind: measured points (`interval` 0), or buckets of `interval` microseconds.

    Attributes:
        interval: width of the rows in microseconds.
        timestamps: int64 (n,), microseconds since epoch UTC.
        columns: each metric's series over these timestamps; NaN if a row does not have the metric.
    """

    interval: int
    timestamps: Times
    columns: Mapping[str, Series]

    def __len__(self) -> int:
        return len(self.timestamps)

    def settled(self) -> Block:
        """Return the block in order of time, one row per timestamp: points: the last written; buckets: all together."""
        return self._by(latest if self.interval == 0 else combined)

    def thinned(self, interval: int) -> Block:
        """Return the block as buckets of `interval` microseconds; it must be settled."""
        return Block(interval, *_shared(self.timestamps, self.columns, lambda one: bucketed(one, interval)))

    def _by(self, change: Callable[[Series], Series]) -> Block:
        return Block(self.interval, *_shared(self.timestamps, self.columns, change))


def _shared(
    timestamps: Times, columns: Mapping[str, Series], change: Callable[[Series], Series]
) -> tuple[Times, dict[str, Series]]:
    """Return timestamps and columns after a change whose rows depend on the timestamps alone."""
    changed = {name: change(series) for name, series in columns.items()}
    times = next(iter(changed.values())).timestamps if changed else change(Series.unknown(timestamps)).timestamps
    return times, changed


def stacked(blocks: Sequence[Block]) -> Block:
    """Return blocks of one interval, in the order in which they were written, as one settled block."""
    names = dict.fromkeys(name for block in blocks for name in block.columns)
    columns = {
        name: joined([block.columns.get(name) or Series.unknown(block.timestamps, block.interval) for block in blocks])
        for name in names
    }
    timestamps = np.concatenate([block.timestamps for block in blocks])
    return Block(blocks[0].interval, timestamps, columns).settled()
