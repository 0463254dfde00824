"""Sampling of the machines that an observed run uses: the driver's, or all nodes of an engine's cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from mega_data_factory.framework.metrics.nodes import NodeBuffer
from mega_data_factory.framework.metrics.nodes.sampler import HeldBatches, NodeSampler
from mega_data_factory.framework.metrics.nodes.ticker import Ticker
from mega_data_factory.host import host_name
from mega_data_factory.observe.driver.settings import ObserveSettings
from mega_data_factory.observe.engines.engine import Engine
from mega_data_factory.storage import is_local, local_path


class SampledNodes:
    """Samples the machine of the driver, until an engine gives something that samples all nodes of its cluster.

    Args:
        buffer: takes the samples; None to take none.
        settings: of the run.
    """

    def __init__(self, buffer: NodeBuffer | None, settings: ObserveSettings) -> None:
        self._buffer = buffer
        self._settings = settings
        self._stack = ExitStack()
        self._cluster = False

    def start(self, engines: Iterable[Engine]) -> None:
        """Begin to sample.

        Args:
            engines: of the run, as far as they are known.
        """
        self.follow(engines)
        if not self._cluster:
            self._stack.enter_context(sampled_machine(self._buffer, self._settings))

    def follow(self, engines: Iterable[Engine]) -> None:
        """Sample the cluster of an engine in place of the driver's machine, once there is one."""
        if self._buffer is None or self._cluster:
            return
        for engine in engines:
            cluster = engine.nodes(self._buffer)
            if cluster is not None:
                self._cluster = True
                self._stack.close()
                self._stack.enter_context(cluster)
                return

    def end(self) -> None:
        """Take the last samples and end."""
        self._buffer = None
        self._stack.close()


@contextmanager
def sampled_machine(buffer: NodeBuffer | None, settings: ObserveSettings) -> Iterator[None]:
    """Sample this machine as long as the context lasts; do nothing without a buffer.

    Args:
        buffer: takes the samples.
        settings: of the run.
    """
    if buffer is None:
        yield
        return
    ticker = Ticker(f"node-of-{buffer.run_id}", buffer.interval, _Samples(buffer, settings))
    ticker.start()
    try:
        yield
    finally:
        ticker.end()


class _Samples:
    """Takes one sample with each call. The first loads what it needs: on its thread it does not hold up the run."""

    def __init__(self, buffer: NodeBuffer, settings: ObserveSettings) -> None:
        self._buffer = buffer
        self._settings = settings
        self._sampler: NodeSampler | None = None

    def __call__(self) -> None:
        if self._sampler is None:
            from mega_data_factory.framework.metrics.nodes.probes.machine import MachineProbe
            from mega_data_factory.framework.metrics.nodes.probes.processes import RunProcesses

            driver = os.getpid()
            folders = [local_path(self._settings.metrics)] if is_local(self._settings.metrics) else []
            probe = MachineProbe(folders, processes=RunProcesses(lambda: [driver]))
            name = host_name()
            self._sampler = NodeSampler(self._buffer.run_id, name, probe, lambda: HeldBatches(0, 0), hostname=name)
        started = time.thread_time()
        self._buffer.add_samples([self._sampler.sample()])
        self._buffer.seconds += time.thread_time() - started
