"""Retention of a history: how long each level of detail is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from mega_data_factory.errors import HistoryError

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Tier:
    """Buckets of one width, and how long they are kept.

    Args:
        interval: width of a bucket; zero for points as they were measured.
        keep: age up to which this detail is kept; what is older is thinned to the next tier, or dropped by the last.
    """

    interval: timedelta
    keep: timedelta


DEFAULT_TIERS = (
    Tier(timedelta(0), timedelta(hours=6)),
    Tier(timedelta(seconds=1), timedelta(days=1)),
    Tier(timedelta(minutes=1), timedelta(days=31)),
    Tier(timedelta(hours=1), timedelta(days=731)),
)
"""Six hours as measured, a day in seconds, a month in minutes, two years in hours."""


@dataclass(frozen=True, slots=True)
class HistoryRetention:
    """Limits of a history: by age, and within a number of points and of bytes.

    Age is counted back from a node's newest point, not from the wall clock: the history of an old run stays, and a
    clock that is wrong on one node harms that node only. When there are too many points or bytes, the oldest of the
    finest detail is thinned further; only when nothing is left to thin, the oldest is dropped.

    Args:
        tiers: from fine to coarse, each interval a multiple of the one before, each kept longer. The first should
            have interval zero.
        max_points: most rows held, of all nodes together; None for no limit.
        max_bytes: most bytes of sealed chunks and their outlines for drawing, of all nodes together; None for no
            limit. The buffers of new points come on top: 8 * (metrics + 1) * `chunk_points` bytes for each node that
            is alive.
        chunk_points: points that are compressed together, and held uncompressed until then.

    Raises:
        HistoryError: the tiers do not follow each other, or a limit is not positive.
    """

    tiers: tuple[Tier, ...] = DEFAULT_TIERS
    max_points: int | None = None
    max_bytes: int | None = 256 * 2**20
    chunk_points: int = 16_384

    def __post_init__(self) -> None:
        if not self.tiers or any(tier.interval < timedelta(0) or tier.keep <= timedelta(0) for tier in self.tiers):
            raise HistoryError(
                "retention: a tier without an age, or no tier at all",
                hint="at least one tier with interval >= 0 and keep > 0",
            )
        for fine, coarse in pairwise(self.tiers):
            multiple = not fine.interval or not coarse.interval % fine.interval
            if not (fine.interval < coarse.interval and fine.keep < coarse.keep and multiple):
                raise HistoryError(
                    f"retention: {coarse} cannot follow {fine}",
                    hint="each tier is coarser than the one before, by a whole factor, and kept longer",
                )
        for name in ("max_points", "max_bytes", "chunk_points"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise HistoryError(f"retention: `{name}` is {limit}", hint="a positive number, or None for no limit")

    @classmethod
    def everything(cls) -> HistoryRetention:
        """Keep every point as it was measured, for ever: memory grows by the compressed points."""
        return cls(tiers=(Tier(timedelta(0), timedelta.max),), max_bytes=None)

    def interval_at(self, age: int) -> int | None:
        """Return the interval, in microseconds, to which rows of this age in microseconds belong; None: drop them."""
        for tier in self.tiers:
            if age <= tier.keep // MICROSECOND:
                return tier.interval // MICROSECOND
        return None

    def coarser(self, interval: int) -> list[int]:
        """Return the intervals above this one, in microseconds, from fine to coarse."""
        return [width for tier in self.tiers if (width := tier.interval // MICROSECOND) > interval]
