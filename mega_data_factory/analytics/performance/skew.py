"""Workers of a stage that are not like the others: slower at the same work, or given more of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from mega_data_factory.analytics.runs.totals import StageTotals, WorkerTotals

SLOW = 1.5
"""How many times slower than the others a worker must be before it is called slow."""

_LEAST_SIGMAS = 4.0
"""Standard deviations by which the ranks of its batches must differ from those of the others."""

MORE = 1.5
"""Factor of busy time over the median from which the work is called uneven."""

_MORE_RECORDS = 1.25
_LEAST_BATCHES = 5
_LEAST_BATCHES_TO_JUDGE = 20
"""Batches of a worker, and of each that it is compared with: the median of fewer says little."""

_LEAST_LOST = 0.03
_LEAST_SECONDS = 0.5


@dataclass(frozen=True)
class Straggler:
    """A worker that needs more time for a record than its stage does.

    Attributes:
        stage: the stage.
        worker: who.
        times: How many times slower it is than the others, by the measure that speaks for it most.
        capacity_lost: share of the stage's throughput that is missing because of it, 0 to 1.
        batches: Batches of it that this rests on.
        sigmas: Standard deviations by which its batches rank above those of the others.
    """

    stage: str
    worker: str
    times: float
    capacity_lost: float
    batches: int
    sigmas: float


@dataclass(frozen=True)
class UnevenWork:
    """A stage in which one worker had much more to do than the others.

    Attributes:
        stage: the stage.
        worker: the busiest worker.
        busy, median: its busy seconds, and the median over the stage.
        share, fair: its share of the records, and what an even one would be, 0 to 1.
    """

    stage: str
    worker: str
    busy: float
    median: float
    share: float
    fair: float


def stragglers(stages: Sequence[StageTotals], slow: float = SLOW) -> list[Straggler]:
    """Return workers that were slow at the same work, the worst first.

    A worker is slow where it needs 1.5 times what the others need by every measure: seconds per record in the mean, in
    the median and in the lower quartile, and seconds per byte where bytes are known. A few long documents in one batch
    move the mean alone; longer documents move seconds per record and not per byte; a neighbour on the machine that
    takes the CPU now and then leaves the fastest quarter as it is. All of it must rest on 20 batches of each worker,
    rank its batches 4 standard deviations above those of the others (Mann and Whitney, "On a test of whether one of
    two random variables is stochastically larger than the other", Annals of Mathematical Statistics 18(1), 1947), and
    cost the stage 3 % of its throughput.

    Args:
        stages: Of one run.
        slow: How many times slower than the others a worker must be.
    """
    return sorted((s for stage in stages for s in _slow(stage, slow)), key=lambda s: (-s.capacity_lost, -s.times))


def _slow(stage: StageTotals, slow: float) -> Iterator[Straggler]:
    known = [worker for worker in stage.workers if worker.rate and worker.batches >= _LEAST_BATCHES_TO_JUDGE]
    if len(known) < 2 or stage.busy < _LEAST_SECONDS:
        return
    if 1 / len(known) < _LEAST_LOST:  # no single worker of a large stage costs that share
        return
    for worker in known:
        others = [other for other in known if other is not worker]
        times = _times_slower(worker, others)
        sigmas = _sigmas_above(worker, others)
        lost = (times - 1) / times / len(known)
        if times >= slow and lost >= _LEAST_LOST and sigmas >= _LEAST_SIGMAS:
            yield Straggler(stage.name, worker.worker, times, lost, worker.batches, sigmas)


def _per_record(worker: WorkerTotals) -> float | None:
    return worker.busy / worker.records if worker.records else None


def _per_byte(worker: WorkerTotals) -> float | None:
    return worker.busy / worker.size if worker.size else None


_MEASURES: tuple[Callable[[WorkerTotals], float | None], ...] = (
    _per_record,
    _per_byte,
    attrgetter("median"),
    attrgetter("lower_quartile"),
)


def _times_slower(worker: WorkerTotals, others: Sequence[WorkerTotals]) -> float:
    """Return how many times slower than the others' median a worker is by the measure that speaks for it most."""
    times = []
    for measure in _MEASURES:
        own, theirs = measure(worker), [value for other in others if (value := measure(other))]
        if own and len(theirs) == len(others):
            times.append(own / statistics.median(theirs))
    return min(times, default=1.0)


def _sigmas_above(worker: WorkerTotals, others: Sequence[WorkerTotals]) -> float:
    """Return by how many standard deviations the batches of a worker rank above those of the others.

    Histograms weigh batches by their records, so batches are taken to be of one size. 0 if there is no histogram.
    """
    buckets, inverse = np.unique(np.concatenate([w.buckets for w in (worker, *others)]), return_inverse=True)
    counts = np.zeros((2, len(buckets)))
    split = len(worker.buckets)
    np.add.at(counts[0], inverse[:split], worker.counts)
    np.add.at(counts[1], inverse[split:], np.concatenate([other.counts for other in others]))
    totals = counts.sum(axis=1)
    if not totals.all():
        return 0.0
    own, theirs = counts / totals[:, None]
    above = float((own * (np.cumsum(theirs) - theirs / 2)).sum())  # chance that a batch of it is slower than theirs
    n, m = worker.batches, sum(other.batches for other in others)
    return (above - 0.5) / math.sqrt((n + m + 1) / (12 * n * m))


def uneven_work(stages: Sequence[StageTotals]) -> list[UnevenWork]:
    """Return stages whose busiest worker was busy at least 1.5 times the median, the worst first.

    It must have had more of the records as well: one that was busy with an even share is a straggler.
    """
    found = []
    for stage in stages:
        if len(stage.workers) < 2 or stage.busy < _LEAST_SECONDS or not stage.input:
            continue
        busiest = max(stage.workers, key=lambda worker: worker.busy)
        if busiest.batches < _LEAST_BATCHES:
            continue
        median = statistics.median(worker.busy for worker in stage.workers if worker is not busiest)
        share, fair = busiest.records / stage.input, 1 / len(stage.workers)
        if busiest.busy >= MORE * median and share >= _MORE_RECORDS * fair:
            found.append(UnevenWork(stage.name, busiest.worker, busiest.busy, median, share, fair))
    return sorted(found, key=lambda uneven: -(uneven.busy - uneven.median))
