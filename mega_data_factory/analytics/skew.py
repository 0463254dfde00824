"""Workers of a stage that are not like the others: slower at the same work, or given more of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.runs.totals import StageTotals, WorkerTotals

SLOW = 1.5
"""A worker needs so many times the seconds per record of the others, in mean and in median, before it is called slow.

A few long documents in one batch move the mean and not the median; a machine that is slow moves both.
"""

MORE = 1.5
"""A worker was busy so many times the median before the work is called uneven."""

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
        times: its seconds per record / the median of the others.
        capacity_lost: share of the stage's throughput that is missing because of it, 0 to 1.
    """

    stage: str
    worker: str
    times: float
    capacity_lost: float


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


def stragglers(stages: Sequence[StageTotals]) -> list[Straggler]:
    """Return workers that were slow at the same work, the worst first.

    At least 20 batches, 1.5 times the others' seconds per record both in mean and in median, and 3 % of the stage's
    throughput lost.
    """
    return sorted((s for stage in stages for s in _slow(stage)), key=lambda s: (-s.capacity_lost, -s.times))


def _slow(stage: StageTotals) -> Iterator[Straggler]:
    known = [worker for worker in stage.workers if worker.rate and worker.batches >= _LEAST_BATCHES_TO_JUDGE]
    for worker in known:
        others = [other.rate for other in known if other is not worker and other.rate]
        if not others or not worker.rate or stage.busy < _LEAST_SECONDS:
            continue
        usual = statistics.median(others)
        times = usual / worker.rate
        lost = (usual - worker.rate) / (sum(others) + usual)
        if times >= SLOW and lost >= _LEAST_LOST and _slow_in_median(worker, known):
            yield Straggler(stage.name, worker.worker, times, lost)


def _slow_in_median(worker: WorkerTotals, known: Sequence[WorkerTotals]) -> bool:
    others = [other.median for other in known if other is not worker and other.median]
    return not worker.median or not others or worker.median >= SLOW * statistics.median(others)


def uneven_work(stages: Sequence[StageTotals]) -> list[UnevenWork]:
    """Stages whose busiest worker was busy 1.5 times the median and more, the worst first.

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
