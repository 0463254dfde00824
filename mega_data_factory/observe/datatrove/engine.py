"""datatrove as an engine."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import ClassVar

from mega_data_factory.observe.datatrove import launches
from mega_data_factory.observe.datatrove.meters import current_task
from mega_data_factory.observe.engines.engine import Engine, Task


class Datatrove(Engine):
    """Steps of datatrove's pipelines, in the processes of an executor.

    A step's account is that of a task, and named by its rank.
    """

    name: ClassVar[str] = "datatrove"
    collects_by_time: ClassVar[bool] = True
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "the launch hangs, as it does without being observed; the next launch counts the tasks that "
        "were completed before, and processes the others again; each counts once",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted; the next launch "
        "counts as after a worker kill",
        "speculative attempt": "there are none",
        "re-execution": "a task that an earlier launch has completed counts as that launch counted it, and the run's "
        "notes say so; a task that runs again in a run counts once",
    }

    @classmethod
    def version(cls) -> str:
        """Return the version of datatrove."""
        return importlib.metadata.version("datatrove")

    def stop(self) -> None:
        """Forget the launches of the run."""
        super().stop()
        assert self.place is not None
        launches.forget(self.place.run_id)

    def notes(self) -> list[str]:
        """Return which tasks an earlier launch has completed."""
        assert self.place is not None
        return launches.notes_of(self.place.run_id)

    def task(self) -> Task | None:
        """Return the task whose accounts this thread delivers; a step inside of another one is plain Python."""
        return current_task()
