"""A few rejected records of every operator and reason: a uniform sample that no retry can change.

Bottom-k sampling: every record has a hash of its id, and the k smallest of a (operator, reason) are kept. Samples of
workers merge by keeping the k smallest of both, and the result depends on the records alone, not on who saw them when.
Source: Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from mega_data_factory.framework.batch import Exclusion
from mega_data_factory.framework.metrics.rows.reasons import MOST_REASONS, OTHER_REASONS


class RejectedSampler:
    """Chooses the records that may still belong to the sample; each worker has one.

    Args:
        samples_per_reason: k; 0 chooses none.
    """

    def __init__(self, samples_per_reason: int) -> None:
        self._k = samples_per_reason
        self._smallest: dict[tuple[str, ...], list[int]] = {}

    def choose(self, operator: str, record_ids: pa.ChunkedArray, reasons: pa.Array) -> Iterator[tuple[int, str]]:
        """Yield the rows, with their reason, that are among the k smallest this worker has seen of their reason.

        A record that is offered again is chosen again: its batch may be a retry of one that was lost.
        """
        if not self._k:
            return
        rows = pc.indices_nonzero(pc.is_valid(reasons))
        ids = record_ids.take(rows).to_pylist()
        for row, record_id, reason in zip(rows.to_pylist(), ids, reasons.take(rows).to_pylist(), strict=True):
            if self._belongs((operator, reason), sample_hash(record_id)):
                yield row, reason

    def _belongs(self, key: tuple[str, ...], value: int) -> bool:
        key = with_bounded_reason(key, self._smallest)
        smallest = self._smallest.setdefault(key, [])  # a heap of negated hashes: the largest kept one is on top
        if -value in smallest:
            return True
        if len(smallest) < self._k:
            heapq.heappush(smallest, -value)
            return True
        if value > -smallest[0]:
            return False
        heapq.heapreplace(smallest, -value)
        return True


class RejectedSamples:
    """The sample of the whole run: at most k records of every (stage, operator, reason).

    Args:
        samples_per_reason: k.
    """

    def __init__(self, samples_per_reason: int) -> None:
        self._k = samples_per_reason
        self._kept: dict[tuple[str, ...], dict[int, Exclusion]] = {}

    def add(self, exclusions: Iterable[Exclusion]) -> None:
        """Take the rejected records of a committed batch."""
        for exclusion in exclusions:
            if exclusion.kind != "rejected":
                continue
            key = with_bounded_reason((exclusion.stage, exclusion.operator, exclusion.reason), self._kept)
            kept = self._kept.setdefault(key, {})
            kept[sample_hash(exclusion.record_id)] = exclusion
            if len(kept) > self._k:
                del kept[max(kept)]

    def samples(self) -> list[Exclusion]:
        """Return the sample, ordered by stage, operator, reason and record."""
        return [kept[value] for _, kept in sorted(self._kept.items()) for value in sorted(kept)]


def with_bounded_reason(key: tuple[str, ...], known: Collection[tuple[str, ...]]) -> tuple[str, ...]:
    """Return a key that ends in a reason; past `MOST_REASONS` keys, new reasons of one operator share a key.

    Args:
        key: What is sampled together: names, and the reason.
        known: Keys that there are.
    """
    return key if key in known or len(known) < MOST_REASONS else (*key[:-1], OTHER_REASONS)


def sample_hash(record_id: str) -> int:
    """Return the number by which a record is sampled: uniform over 64 bits."""
    return xxhash.xxh3_64_intdigest(record_id.encode())
