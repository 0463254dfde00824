"""Share of the source that has passed all stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.driver.splits import SourceSize


@dataclass(frozen=True)
class SourceShare:
    """How much of the source has passed all stages.

    Attributes:
        value: 0 to 1.
        unit: what it is a share of: `records`, `bytes` or `splits`.
    """

    value: float
    unit: str


@dataclass
class SourceTally:
    """Counts the splits of the source that have left the last stage, to tell how much of it is done."""

    settled: int = 0
    settled_records: int = 0
    open: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    _to_weigh: list[int] = field(default_factory=list)
    _settled_bytes: int = 0

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        records = self.open.get(batch.split, 0) + batch.records
        if batch.split_end is not None:
            self.ends[batch.split] = batch.split_end.records
        if records == self.ends.get(batch.split):
            self.settled += 1
            self.settled_records += records
            self._to_weigh.append(batch.split)
            self.open.pop(batch.split, None)
            del self.ends[batch.split]
        else:
            self.open[batch.split] = records

    def share(self, size: SourceSize) -> float | None:
        """Return how much of the source is done, 0 to 1; None if that is not known yet.

        Where the source knows its records, these are counted. Else splits count by their bytes, or alike, and one that
        is open by the mean number of records of those that are done.

        Args:
            size: of the source.
        """
        if not size.complete or not size.splits:
            return None
        if size.records is not None:
            records = self.settled_records + sum(self.open.values())
            return min(1.0, records / size.records) if size.records else 1.0
        if not self.settled:
            return None
        if size.unit == "bytes":
            self._settled_bytes += sum(size.num_bytes[split] for split in self._to_weigh)
            self._to_weigh.clear()
            return _share(self._settled_bytes, size.total_bytes, self.settled_records, self.open, size.num_bytes)
        return _share(self.settled, size.splits, self.settled_records, self.open, None)


def _share(
    settled: int, total: int, settled_records: int, open_splits: Mapping[int, int], weights: Sequence[int] | None
) -> float | None:
    """Return how much of the source is done; an open split counts by the usual number of records of its weight.

    Args:
        settled: weight of the splits that are done.
        total: weight of all splits.
        settled_records: records of the splits that are done.
        open_splits: records so far of every other split that was begun.
        weights: of each split; None if all weigh 1.
    """
    if not settled:
        return None
    done = float(settled)
    for split, records in open_splits.items():
        weight = 1 if weights is None else weights[split]
        usual = max(1.0, settled_records * weight / settled)
        done += weight * min(1.0, records / usual)
    return min(1.0, done / total)
