"""GPUs as NVML shows them; there may be none.

Source: https://docs.nvidia.com/deploy/nvml-api/ (`nvmlUtilization_t`: percent of the last sample period, 1/6 s to 1 s,
in which at least one kernel was running).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")


@dataclass(frozen=True)
class GpuReading:
    """All GPUs of a machine at one moment.

    Attributes:
        count: GPUs that answered.
        usage: percent of the time that kernels ran, mean over the GPUs that say; None when none does.
        memory_usage: percent of memory in use, over all GPUs; None when none says.
    """

    count: int
    usage: float | None
    memory_usage: float | None


class Gpus:
    """The GPUs of this machine.

    Args:
        library: NVML as `pynvml` gives it, initialised; None if there is none.
        handles: the devices.
    """

    def __init__(self, library: Any = None, handles: Sequence[Any] = ()) -> None:
        self._library = library
        self._handles = handles

    @classmethod
    def find(cls) -> Gpus:
        """Return the GPUs that NVML finds; none if the extra `gpu`, the driver or a device is missing."""
        try:
            library = importlib.import_module("pynvml")
        except ImportError:
            return cls()
        return cls.from_library(library)

    @classmethod
    def from_library(cls, library: Any) -> Gpus:
        """Return the GPUs that a library finds.

        Args:
            library: the functions of NVML under their names, and `NVMLError`, which they raise.
        """
        try:
            library.nvmlInit()
            count = library.nvmlDeviceGetCount()
            handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        except library.NVMLError as error:  # no driver: the common case of a machine without a GPU
            _log.debug("no GPU is measured: %s", error)
            return cls()
        return cls(library, handles)

    def read(self) -> GpuReading | None:
        """Return the GPUs now; None when there is none, or none that answers."""
        usages: list[float] = []
        memories: list[tuple[int, int]] = []
        answered = 0
        for handle in self._handles:
            usage, memory = self._usage(handle), self._memory(handle)
            answered += usage is not None or memory is not None
            usages += [] if usage is None else [usage]
            memories += [] if memory is None else [memory]
        if not answered:
            return None
        total = sum(total for _, total in memories)
        return GpuReading(
            answered,
            sum(usages) / len(usages) if usages else None,
            100.0 * sum(used for used, _ in memories) / total if total else None,
        )

    def _usage(self, handle: Any) -> float | None:
        try:
            return float(self._library.nvmlDeviceGetUtilizationRates(handle).gpu)
        except self._library.NVMLError:  # unknown for a GPU that is divided (MIG) or lost
            return None

    def _memory(self, handle: Any) -> tuple[int, int] | None:
        try:
            memory = self._library.nvmlDeviceGetMemoryInfo(handle)
        except self._library.NVMLError:
            return None
        return int(memory.used), int(memory.total)
