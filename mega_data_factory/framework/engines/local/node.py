"""The machine under the local engine, sampled by a thread of the driver."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mega_data_factory.framework.engines.engine import RunSettings
from mega_data_factory.framework.engines.local.pool import Pool
from mega_data_factory.framework.engines.local.tasks import RunStage
from mega_data_factory.framework.metrics.nodes import NodeBuffer
from mega_data_factory.framework.metrics.nodes.sampler import HeldBatches, NodeSampler
from mega_data_factory.framework.metrics.nodes.ticker import Ticker
from mega_data_factory.host import host_name


@contextmanager
def sampling(settings: RunSettings, stages: Sequence[Pool[RunStage]], spool: Path) -> Iterator[None]:
    """Sample this machine as long as the context lasts, if wanted: at once, at intervals and in the end.

    Args:
        settings: of the run.
        stages: the pools of stage workers.
        spool: where tables between workers lie.
    """
    buffer = settings.nodes
    if buffer is None:
        yield
        return
    sample = _NodeSampling(buffer, stages, settings.folders(spool))
    ticker = Ticker(f"node-of-{buffer.run_id}", buffer.interval, sample)
    ticker.start()
    try:
        yield
    finally:
        ticker.end()


class _NodeSampling:
    """Takes one sample with each call. The first loads what it needs: on its thread it does not hold up the run."""

    def __init__(self, buffer: NodeBuffer, stages: Sequence[Pool[RunStage]], folders: Sequence[Path]) -> None:
        self._buffer = buffer
        self._stages = stages
        self._folders = folders
        self._sampler: NodeSampler | None = None

    def __call__(self) -> None:
        if self._sampler is None:
            from mega_data_factory.framework.metrics.nodes.probes.machine import MachineProbe
            from mega_data_factory.framework.metrics.nodes.probes.processes import RunProcesses

            driver = os.getpid()  # it has started all the others
            probe = MachineProbe(self._folders, processes=RunProcesses(lambda: [driver]))
            name = host_name()
            self._sampler = NodeSampler(self._buffer.run_id, name, probe, self._held, hostname=name)
        started = time.thread_time()
        self._buffer.add_samples([self._sampler.sample()])
        self._buffer.seconds += time.thread_time() - started

    def _held(self) -> HeldBatches:
        workers = [worker for stage in self._stages for worker in list(stage.workers)]  # the driver changes the lists
        return HeldBatches(sum(worker.task is not None for worker in workers), len(workers))
