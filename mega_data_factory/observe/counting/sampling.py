"""A few rejected records of every step and reason: a uniform sample, which merges over tasks and workers.

Every rejected record has a *rank*, a random number, and the k records with the smallest ranks are the sample
(bottom-k). Ranks of records that cannot belong to it are not drawn: how many records may pass until one has a small
enough rank is a geometric random number (skipping, as algorithm L does it for reservoirs). So a rejected record costs
a subtraction, and a batch of them a few.

The ranks of a task come from its key, so that another attempt at it draws the same ones.

Sources: Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007; Li, "Reservoir-sampling algorithms of
time complexity O(n(1 + log(N/n)))", ACM Transactions on Mathematical Software 20(4), 1994.
"""

from __future__ import annotations

import heapq
import math
import random
import threading
from collections import OrderedDict
from typing import Protocol


class TaskName(Protocol):
    """A task, by its names."""

    @property
    def key(self) -> str | None:
        """What all attempts at the task share; None if nothing is."""

    @property
    def attempt(self) -> str:
        """Name of the attempt."""

    @property
    def seed(self) -> str | None:
        """What names the work of the task; None if nothing does."""


class Sampler:
    """Chooses the rejected records of one task and reason that may belong to the sample of all.

    Args:
        k: records of the sample, at least 1.
        seed: the ranks depend on; None for ranks that differ every time.

    Attributes:
        passing: rejected records to pass until one is chosen.
    """

    __slots__ = ("_k", "_random", "_smallest", "passing")

    def __init__(self, k: int, seed: str | None = None) -> None:
        self._k = k
        self._random = random.Random(seed)  # noqa: S311 - a sample is no secret
        self._smallest: list[float] = []  # a heap of negated ranks: the largest one is on top
        self.passing = 0  # records until one may belong to the sample

    def choose(self, records: int) -> list[tuple[int, float]]:
        """Return those of the next rejected records that are among the k of the smallest ranks up to now.

        Args:
            records: how many were rejected.

        Returns:
            Their places in the order of rejection, from 0, with their ranks (0 to 1).
        """
        if self.passing >= records:
            self.passing -= records
            return []
        chosen, at = [], self.passing
        while at < records:
            chosen.append((at, self._next_rank()))
            at += 1 + self._gap()
        self.passing = at - records
        return chosen

    def _next_rank(self) -> float:
        if len(self._smallest) < self._k:
            rank = self._random.random()
            heapq.heappush(self._smallest, -rank)
            return rank
        rank = self._random.random() * -self._smallest[0]  # uniform below the largest one, which it replaces
        heapq.heapreplace(self._smallest, -rank)
        return rank

    def _gap(self) -> int:
        """Return how many records have ranks that are too large, until one has not."""
        if len(self._smallest) < self._k:
            return 0
        largest = -self._smallest[0]
        if largest <= 0.0:
            return _FOREVER
        drawn = math.log1p(-self._random.random()) / math.log1p(-largest)
        return int(drawn) if drawn < _FOREVER else _FOREVER


class Samplers:
    """The samplers of a process; of a task that was not seen for long the sampler is forgotten."""

    def __init__(self) -> None:
        self._samplers: OrderedDict[tuple[str, str, str | None, str], Sampler] = OrderedDict()
        self._lock = threading.Lock()

    def choose(self, step: str, reason: str, k: int, records: int, task: TaskName) -> list[tuple[int, float]]:
        """Return those of some rejected records that may belong to the sample, as `Sampler.choose` does.

        Args:
            step: id of the step.
            reason: why they were rejected.
            k: records of the sample; 0 for none.
            records: how many were rejected.
            task: attempt at a task that they belong to.
        """
        if not k:
            return []
        place = step, reason, task.key, task.attempt
        with self._lock:
            sampler = self._samplers.get(place)
            if sampler is None:
                seed = task.seed
                sampler = self._samplers[place] = Sampler(k, None if seed is None else f"{seed}/{step}/{reason}")
                if len(self._samplers) > _SAMPLERS_REMEMBERED:
                    self._samplers.popitem(last=False)
            return sampler.choose(records)


_FOREVER = 2**62
_SAMPLERS_REMEMBERED = 4096
