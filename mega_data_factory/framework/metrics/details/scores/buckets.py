"""Buckets of scores: base-2 exponential for both signs, with one of their own for 0.

A score is any real number: a share, a count, a logarithm. Bucket `k > 0` counts the scores in
`(2^((k - 2049)/64), 2^((k - 2048)/64)]`, bucket `-k` those in the mirrored interval, bucket 0 zeros alone. So
a bucket is at most 1.1 % as wide as its numbers are large, and numbers between 1e-10 and 4e9 have a bucket of their
own; the outermost buckets (1, 4096 and their mirrors) take what is beyond.

Source: the buckets of `LatencyHistogram` (OpenTelemetry's exponential histogram, scale 6), with the negative half and
the zero bucket of DDSketch (Masson, Rim, Lee: PVLDB 12(12), 2019).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Integers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

BUCKETS_PER_DOUBLING = 64
_DOUBLINGS = 32
"""Doublings on either side of 1 that have buckets."""

LAST_BUCKET = 2 * _DOUBLINGS * BUCKETS_PER_DOUBLING
"""Number of the last bucket of either sign: 4096."""

_ONE = _DOUBLINGS * BUCKETS_PER_DOUBLING
"""Number of the bucket that ends at 1."""


def buckets_of(scores: Floats) -> Integers:
    """Return the buckets of scores, of any shape; those of NaN are arbitrary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = np.log2(np.abs(scores))
        exponents *= BUCKETS_PER_DOUBLING
        np.ceil(exponents, out=exponents)
        exponents += _ONE
        np.maximum(exponents, 1, out=exponents)
        np.minimum(exponents, LAST_BUCKET, out=exponents)
        exponents *= np.sign(scores)
        return exponents.astype(np.int32)


def edges_of(bucket: int) -> tuple[float, float]:
    """Return the lower and upper edge of a bucket.

    Of a positive bucket the upper edge belongs to it, of a negative one the lower. The outermost buckets reach to 0 and
    to infinity. Both edges of bucket 0 are 0.
    """
    if bucket == 0:
        return 0.0, 0.0
    size = abs(bucket)
    inner = 0.0 if size == 1 else 2.0 ** ((size - 1 - _ONE) / BUCKETS_PER_DOUBLING)
    outer = math.inf if size == LAST_BUCKET else 2.0 ** ((size - _ONE) / BUCKETS_PER_DOUBLING)
    return (inner, outer) if bucket > 0 else (-outer, -inner)
