"""Deduplication claims: which record came first with a key; sharded, idempotent, and safe against the loss of a shard.

A claim is `key → owner` and is won by the owner that asks first. Asking again gives the same answer, so a batch that is
retried after a kill keeps the keys it had won: a plain "have I seen this key" set would call its records duplicates of
themselves and lose them. Every won claim is in the shard's log before the answer leaves, and a shard that comes back
reads its log first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mega_data_factory.framework.worker.claim_log import open_log

KEY_BYTES = 16
OWNER_BYTES = 8
_ENTRY_BYTES = KEY_BYTES + OWNER_BYTES
_RELEASED = b"\0" * OWNER_BYTES


class ClaimShard:
    """One shard: a map from key to owner, and its log.

    The log is a sequence of 24-byte entries, key and owner; an owner of zeros releases the key. A torn last entry
    (killed in the middle of a write) was never answered and is cut off.

    Args:
        log_path: file of the log, or folder of its objects in an object store; made when absent, read when present.
    """

    def __init__(self, log_path: str | Path) -> None:
        self._owners: dict[bytes, bytes] = {}
        self._lock = threading.Lock()
        self._log = open_log(log_path, _ENTRY_BYTES)
        self._replay(self._log.read())

    def _replay(self, data: bytes) -> None:
        for start in range(0, len(data), _ENTRY_BYTES):
            key, owner = data[start : start + KEY_BYTES], data[start + KEY_BYTES : start + _ENTRY_BYTES]
            if owner == _RELEASED:
                self._owners.pop(key, None)
            else:
                self._owners[key] = owner

    def claim(self, packed: bytes) -> bytes:
        """Claim keys in order.

        Args:
            packed: 24 bytes a claim, key and owner.

        Returns:
            One byte a claim: 1 if the owner holds the key now, else 0.
        """
        answer = bytearray()
        new = bytearray()
        with self._lock:
            for start in range(0, len(packed), _ENTRY_BYTES):
                entry = packed[start : start + _ENTRY_BYTES]
                key, owner = entry[:KEY_BYTES], entry[KEY_BYTES:]
                holder = self._owners.setdefault(key, owner)
                if holder is owner:
                    new += entry
                answer.append(holder == owner)
            try:
                self._log.append(new)
            except Exception:  # no caller has an answer yet, and a claim that is not in the log is none
                for start in range(0, len(new), _ENTRY_BYTES):
                    del self._owners[bytes(new[start : start + KEY_BYTES])]
                raise
        return bytes(answer)

    def release(self, packed: bytes) -> None:
        """Give up every key of these owners, 8 bytes an owner. Looks at every key of the shard: for rare use."""
        owners = {packed[i : i + OWNER_BYTES] for i in range(0, len(packed), OWNER_BYTES)}
        with self._lock:
            keys = [key for key, owner in self._owners.items() if owner in owners]
            for key in keys:
                del self._owners[key]
            self._log.append(b"".join(key + _RELEASED for key in keys))

    def holders(self, packed: bytes) -> bytes:
        """Return the owners of these keys, 16 bytes a key, as 8 bytes an owner; zeros if none holds the key."""
        with self._lock:
            keys = (packed[i : i + KEY_BYTES] for i in range(0, len(packed), KEY_BYTES))
            return b"".join(self._owners.get(bytes(key), _RELEASED) for key in keys)

    def close(self) -> None:
        """Close the log."""
        self._log.close()


Send = Callable[[str, bytes], bytes | None]
"""Sends one call (`claim`, `release` or `holders`) with its packed bytes to a shard and returns the answer."""


class ShardedClaims:
    """The `Claims` that operators see: keys are spread over shards by their first bytes.

    Args:
        shards: one sender for each shard.
    """

    def __init__(self, shards: Sequence[Send]) -> None:
        self._shards = shards

    def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:
        """Claim the keys in turn; return for each whether `owners[i]` holds it now. Keys have 16 bytes, owners 8."""
        won = [False] * len(keys)
        for shard, indices in self._by_shard(keys):
            answer = shard("claim", b"".join(keys[i] + owners[i] for i in indices))
            assert answer is not None
            for index, held in zip(indices, answer, strict=True):
                won[index] = bool(held)
        return won

    def holders(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the owner of each key; 8 zero bytes if none holds it."""
        owners = [_RELEASED] * len(keys)
        for shard, indices in self._by_shard(keys):
            answer = shard("holders", b"".join(keys[i] for i in indices))
            assert answer is not None
            for place, index in enumerate(indices):
                owners[index] = answer[place * OWNER_BYTES : (place + 1) * OWNER_BYTES]
        return owners

    def _by_shard(self, keys: Sequence[bytes]) -> Iterator[tuple[Send, list[int]]]:
        """Yield the shards that hold some of the keys, each with the numbers of its keys."""
        where: list[list[int]] = [[] for _ in self._shards]
        for index, key in enumerate(keys):
            where[int.from_bytes(key[:4], "little") % len(self._shards)].append(index)
        return ((shard, indices) for shard, indices in zip(self._shards, where, strict=True) if indices)

    def release(self, owners: Sequence[bytes]) -> None:
        """Give up every key that these owners hold."""
        for shard in self._shards:
            shard("release", b"".join(owners))
