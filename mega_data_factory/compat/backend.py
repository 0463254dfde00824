"""Memory of keys that were seen, for deduplicators outside of a pipeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class DedupBackend:
    """Keys that were seen in this process. A pipeline shares keys between workers itself and does not use it.

    Args:
        num_buckets: accepted and ignored; `executor.dedup_num_buckets` is that of a pipeline.
        name_prefix: accepted and ignored.
        bucket_id_getter: accepted and ignored.
        track_representative: whether duplicates are answered with the id of the record that was first.
    """

    def __init__(
        self,
        num_buckets: int = 2,
        name_prefix: str = "pipeline_dedup_backend",
        bucket_id_getter: Callable[[str], int] | None = None,
        track_representative: bool = False,
    ) -> None:
        self.num_buckets = num_buckets
        self.name_prefix = name_prefix
        self.bucket_id_getter = bucket_id_getter
        self.track_representative = track_representative
        self._first: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def is_seen(self, key: str) -> bool:
        """Return whether a key was seen."""
        return key in self._first

    def mark_seen(self, key: str) -> bool:
        """Remember a key; return whether it is new."""
        return self.batch_mark_seen([key])[0]

    def batch_mark_seen(self, keys: Sequence[str]) -> list[bool]:
        """Remember keys; return for each whether it is new."""
        return [new for new, _ in self.batch_mark_seen_with_ids(keys, [None] * len(keys))]

    def batch_mark_seen_with_ids(
        self, keys: Sequence[str], representative_ids: Sequence[str | None]
    ) -> list[tuple[bool, str | None]]:
        """Remember keys and the records that have them.

        Args:
            keys: one for each record.
            representative_ids: names of the records.

        Returns:
            For each whether its key is new, and of a duplicate the record that was first, if that is tracked.
        """
        answers: list[tuple[bool, str | None]] = []
        with self._lock:
            for key, name in zip(keys, representative_ids, strict=True):
                if key in self._first:
                    answers.append((False, self._first[key]))
                else:
                    self._first[key] = name if self.track_representative else None
                    answers.append((True, None))
        return answers

    def reset(self) -> None:
        """Forget all keys."""
        with self._lock:
            self._first.clear()
