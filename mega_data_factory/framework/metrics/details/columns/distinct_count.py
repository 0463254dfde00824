"""Number of distinct values, estimated from 4,096 small registers.

Source: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier: AofA 2007) on 64-bit hashes, with the improved estimator of Ertl
(arXiv:1702.01284, 2017), which needs no correction for small numbers.
"""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any, Self, TypeAlias

import numpy as np

Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

_INDEX_BITS = 12
_REGISTERS = 1 << _INDEX_BITS
_RANK_BITS = 64 - _INDEX_BITS

STANDARD_ERROR = 1.04 / math.sqrt(_REGISTERS)
"""Relative standard error of an estimate: 1.6 %."""


class DistinctCount:
    """Registers that many hashes leave behind; the same hashes leave the same registers, in any order and split.

    Args:
        registers: highest rank seen for each index, of shape (4096,).
    """

    def __init__(self, registers: np.ndarray[Any, np.dtype[np.uint8]] | None = None) -> None:
        self.registers = np.zeros(_REGISTERS, np.uint8) if registers is None else registers

    @classmethod
    def from_hashes(cls, hashes: Hashes) -> Self:
        """Return the count of 64-bit hashes, of shape (n,)."""
        found = cls()
        places = (hashes >> np.uint64(_RANK_BITS)).astype(np.int64)
        rest = (hashes & np.uint64((1 << _RANK_BITS) - 1)).astype(np.float64)  # 52 bits: exact
        _, length = np.frexp(rest)
        np.maximum.at(found.registers, places, (_RANK_BITS + 1 - length).astype(np.uint8))
        return found

    def add(self, other: DistinctCount) -> None:
        """Add what another count has seen; the other stays as it is."""
        self.registers = np.maximum(self.registers, other.registers)

    @property
    def estimate(self) -> int:
        """Number of distinct hashes, with a relative standard error of `STANDARD_ERROR`."""
        counts = np.bincount(self.registers, minlength=_RANK_BITS + 2).astype(float)
        if counts[0] == _REGISTERS:
            return 0
        weighed = _REGISTERS * _tau(1.0 - counts[_RANK_BITS + 1] / _REGISTERS)
        for rank in range(_RANK_BITS, 0, -1):
            weighed = 0.5 * (weighed + counts[rank])
        weighed += _REGISTERS * _sigma(counts[0] / _REGISTERS)
        return round(_REGISTERS**2 / (2 * math.log(2) * weighed))

    def to_wire(self) -> str:
        """Return the registers as text."""
        return base64.b64encode(zlib.compress(self.registers.tobytes(), 1)).decode()

    @classmethod
    def from_wire(cls, value: str) -> Self:
        """Return the count of which `to_wire` made `value`."""
        return cls(np.frombuffer(zlib.decompress(base64.b64decode(value)), np.uint8).copy())


def _sigma(share: float) -> float:
    """Return the sum of `share^(2^k) * 2^(k-1)` over k from 1, plus `share`: the weight of empty registers."""
    total, factor = share, 1.0
    while True:
        share *= share
        added = total + share * factor
        if added == total:
            return total
        total, factor = added, 2 * factor


def _tau(share: float) -> float:
    """Return the weight of full registers."""
    if share in (0.0, 1.0):
        return 0.0
    total, factor = 1.0 - share, 1.0
    while True:
        share = math.sqrt(share)
        factor *= 0.5
        less = total - (1.0 - share) ** 2 * factor
        if less == total:
            return total / 3.0
        total = less


def mixed(numbers: np.ndarray[Any, np.dtype[Any]]) -> Hashes:
    """Return a 64-bit hash of each number of 8 bytes, of shape (n,).

    Source: the finaliser of SplitMix64 (Steele, Lea, Flood: OOPSLA 2014).
    """
    state = numbers.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Hashes = state ^ (state >> np.uint64(31))
    return found
