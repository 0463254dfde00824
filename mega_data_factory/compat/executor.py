"""The executor of scripts that unpack what it yields."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from mega_data_factory.framework import executor
from mega_data_factory.framework.driver.progress import Progress


class Executor(executor.Executor):
    """An executor whose iterator yields for batches only, so that no pair of it has an input count of 0."""

    def execute(self) -> Generator[Progress, None, None]:
        """Run the pipeline; yield a progress, or `(input_count, output_count)`, when batches have passed all stages.

        Raises:
            MdfError, RuntimeError: as the executor of today.
        """
        offered = passed = 0
        with closing(super().execute()) as steps:
            for progress in steps:
                offered, passed = offered + progress.step[0], passed + progress.step[1]
                if offered:
                    yield replace(progress, step=(offered, passed))
                    offered = passed = 0
